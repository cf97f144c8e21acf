"""Controls: what each metric says of footage whose score is known, measured with every run over its first frames with a face.

The target against itself must score the ideal; the target encoded anew says what the codec alone costs; real pictures of the source
that its description was not made from say what a perfect likeness would score; the truth as output, where there is one, says
what a perfect swap would. A metric that fails one is shown as invalid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import numpy as np

from bianlian.errors import BianlianError
from bianlian.score.follow import Follower
from bianlian.score.footage import Together
from bianlian.score.identity import target_mean
from bianlian.score.measure import Eyes, Rows, measure
from bianlian.score.metric import Controls, Metric
from bianlian.score.pair import Array, Pair
from bianlian.score.people import People
from bianlian.swap.tracks import Analysis
from bianlian.types import Frame, Note, silent
from bianlian.video import Encoding, VideoInfo, VideoWriter, frames

FRAMES = 32
"""Frames with a face that the controls run over."""
BYTES = 400_000_000
"""Pictures of them that are kept in memory, at most; then there are fewer."""
LEAST = 8
"""Fewer are never kept."""


@final
class Excerpt:
    """Measures the target, and the truth, in the output's place over the first frames, and keeps those for the codec's control."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.itself, self.truth = Rows(metrics), Rows(metrics)
        self.kept: list[Frame] = []
        self._before: Pair | None = None

    def add(self, frame: Frame, pair: Pair | None, follows: bool) -> None:
        """Take a frame of the target and what was seen in it."""
        if pair is None or len(self.kept) >= max(LEAST, min(FRAMES, BYTES // frame.image.nbytes)):
            return
        before = self._before if follows else None
        self.itself.add(pair.as_out(pair.target), before.as_out(before.target) if before is not None else None)
        if pair.truth is not None:
            earlier = before.as_out(before.truth) if before is not None and before.truth is not None else None
            self.truth.add(pair.as_out(pair.truth), earlier)
        self._before = pair
        self.kept.append(frame)


@dataclass(frozen=True)
class Control:
    """What the codec's control is run with. analysis: tracks of the target, or None. encoding: as the output's."""

    info: VideoInfo
    encoding: Encoding
    analysis: Analysis | None


def encoded_anew(excerpt: Excerpt, metrics: Sequence[Metric], control: Control, follower: Follower, eyes: Eyes, note: Note) -> Rows:
    """Measure the excerpt against itself after encoding; no rows where there is no video to encode."""
    rows = Rows(metrics)
    if control.info.kind != "video" or len(excerpt.kept) < 2:
        return rows
    with TemporaryDirectory(prefix="bianlian-score-") as folder:
        try:
            path = _encode(excerpt.kept, control, Path(folder) / "codec.mkv")
        except BianlianError as error:
            note(f"no codec control: {error}")
            return rows
        measure(_pairs(excerpt.kept, path), follower, eyes, rows, silent)
    return rows


def _encode(kept: Sequence[Frame], control: Control, path: Path) -> Path:
    base = control.info.time_base or Fraction(1, 1000)
    start, stop = ((kept[k].pts or 0) * base for k in (0, -1))
    with VideoWriter(path, control.info, control.encoding, start=start, stop=stop) as writer:
        for frame in kept:
            writer.write(frame)
    return path


def _pairs(kept: Sequence[Frame], path: Path) -> Iterator[Together]:
    for before, after in zip(kept, frames(path), strict=False):
        yield before, after, None


def values(metric: Metric, excerpt: Excerpt, codec: Rows, held_out: float) -> Controls:
    """Gather one metric's controls."""
    return Controls(_value(metric, excerpt.itself), _value(metric, codec), held_out, _value(metric, excerpt.truth))


def _value(metric: Metric, rows: Rows) -> float:
    found = rows.of(metric)
    if not len(found):
        return float("nan")
    return metric.value(metric.series(found, rows.steps), found, rows.steps)


def ceiling(people: People, target_rows: Array) -> dict[str, float]:
    """Score real pictures of the source as if they were the output -> value of each identity metric; empty without any.

    target_rows: rows of an identity metric, of which the target's half counts.
    """
    theirs = target_mean(target_rows, len(people.source))
    if not len(people.held_out) or theirs is None:
        return {}
    to_source = np.linalg.norm(people.held_out - people.known, axis=1)
    to_target = np.linalg.norm(people.held_out - theirs, axis=1)
    others = np.full(len(people.held_out), np.inf)
    if len(people.others):
        others = np.linalg.norm(people.held_out[:, None] - people.others[None], axis=2).min(1)
    return {
        "id_distance": float(to_source.mean()),
        "id_margin": float((to_target - to_source).mean()),
        "id_retrieval": float(100 * (to_source < np.minimum(to_target, others)).mean()),
    }
