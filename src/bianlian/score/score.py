"""Score a swap: measure it and its controls in one pass, sum up, write ``score.json`` and ``report.html``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import numpy as np

from bianlian import plugins
from bianlian.errors import NoFaceError
from bianlian.score import (
    background,
    color,
    coverage,
    expression,
    jitter,
    place,
    pose,
    seam,
    sharpness,
    stalls,
    truth_l1,
    truth_points,
    truth_psnr,
    truth_ssim,
    warp,
)
from bianlian.score.controls import Control, Excerpt, ceiling, encoded_anew, values
from bianlian.score.follow import Follower
from bianlian.score.footage import check, together
from bianlian.score.identity import identity_metrics
from bianlian.score.made import Made, made
from bianlian.score.measure import Eyes, Rows, measure
from bianlian.score.metric import Metric
from bianlian.score.pair import Array, Pair
from bianlian.score.people import Finders, People, check_folder, check_person, source_people, with_others
from bianlian.score.result import Result, result_of
from bianlian.score.settings import ScoreSettings
from bianlian.score.thumbs import Thumb, Thumbs
from bianlian.score.total import Total, total
from bianlian.score.truth_perceptual import Features, perceptual_metric
from bianlian.types import Frame, Note, Progress, silent
from bianlian.video import VideoInfo

PLAIN: tuple[Metric, ...] = (
    coverage.METRIC,
    pose.METRIC,
    place.METRIC,
    expression.ERROR,
    expression.MISSED,
    expression.MOUTH,
    expression.EYES,
    sharpness.METRIC,
    seam.METRIC,
    color.METRIC,
    warp.METRIC,
    jitter.METRIC,
    stalls.METRIC,
    background.METRIC,
)
"""Metrics that want nothing but output and target."""
TRUE: tuple[Metric, ...] = (truth_l1.METRIC, truth_psnr.METRIC, truth_ssim.METRIC, truth_points.METRIC)
"""Metrics that want a truth."""


@dataclass(frozen=True, eq=False)
class Score:
    """What was measured.

    frames: (T,) indices of the frames with a face in the target; seconds: their times, None outside a video. read: scored frames in
    all. results: by name of the metric. distances: of descriptions from the source's mean: of output, target and the source's own
    held-out pictures. thumbs: pictures of frames, for the report. took: seconds of work.
    """

    out: Path
    target: Path
    source: Path
    truth: Path | None
    settings: ScoreSettings
    made: Made
    people: People
    frames: tuple[int, ...]
    seconds: tuple[Fraction | None, ...]
    read: int
    results: dict[str, Result]
    total: Total
    distances: dict[str, Array]
    thumbs: dict[int, Thumb]
    notes: tuple[str, ...]
    took: float


def score(
    out: Path,
    target: Path,
    source: Path,
    *,
    truth: Path | None = None,
    people: Path | None = None,
    settings: ScoreSettings | None = None,
    finders: Finders | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Score:
    """Score a swap against the target that it was made from.

    out, target, truth: videos, pictures or folders with the same frames. source: a faceset, video, picture or folder of pictures
    of the person whose face was put in. people: folder of others, one picture or folder each, that the face might be taken for.
    finders: what ``settings`` name, opened already; opened here when None.
    Raises InputError for footage that does not belong together, NoFaceError, VideoError, ConfigError, WeightsError.
    """
    settings, start, notes = settings or ScoreSettings(), perf_counter(), list[str]()

    def tell(line: str) -> None:
        notes.append(line)
        note(line)

    info, _ = check(out, target, truth)
    check_person(source)
    if people is not None:
        check_folder(people)
    how = made(out, target, tell)
    finders = finders or open_finders(settings)
    known = _people(source, people, finders, tell)
    metrics = [*PLAIN, *identity_metrics(known)]
    if truth is not None:
        metrics += [*TRUE, perceptual_metric(Features())]
    run = _Run(metrics, info, settings, progress)
    eyes = Eyes(finders.landmarker, finders.describer, settings.describe)
    measure(
        together(out, target, truth, settings.every),
        Follower(finders.detector, finders.landmarker, how.analysis),
        eyes,
        run.rows,
        run.watch,
    )
    if not run.frames:
        raise NoFaceError(f"no face was found in the {run.read} frames of {target} that were looked at; there is nothing to score")
    control = Control(info, how.encoding, how.analysis)
    follower = Follower(finders.detector, finders.landmarker, how.analysis)
    codec = encoded_anew(run.excerpt, metrics, control, follower, eyes, tell)
    results = _results(metrics, run, codec, known)
    return Score(
        out=out,
        target=target,
        source=source,
        truth=truth,
        settings=settings,
        made=how,
        people=known,
        frames=tuple(run.frames),
        seconds=tuple(run.seconds),
        read=run.read,
        results=results,
        total=total(results),
        distances=_distances(metrics, run.rows, known),
        thumbs=run.thumbs.kept,
        notes=tuple(notes),
        took=perf_counter() - start,
    )


def open_finders(settings: ScoreSettings) -> Finders:
    """Load the networks that settings name. Raises PluginError, WeightsError."""
    detector, landmarker = plugins.load("detector", settings.detector)(), plugins.load("landmarker", settings.landmarker)()
    return Finders(detector, landmarker, plugins.load("describer", settings.describer)())


class _Run:
    """What is gathered on the way."""

    def __init__(self, metrics: Sequence[Metric], info: VideoInfo, settings: ScoreSettings, progress: Progress) -> None:
        self.rows, self.excerpt, self.thumbs = Rows(metrics), Excerpt(metrics), Thumbs()
        self.frames: list[int] = []
        self.seconds: list[Fraction | None] = []
        self.read = 0
        self._all = None if info.frames is None else -(-info.frames // settings.every)
        self._progress = progress

    def watch(self, frame: Frame, pair: Pair | None, follows: bool) -> None:
        """Take one frame."""
        self.read += 1
        self.excerpt.add(frame, pair, follows)
        if pair is not None:
            self.frames.append(frame.index)
            self.seconds.append(frame.seconds)
            self.thumbs.add(pair)
        self._progress("score", self.read, self._all)


def _people(source: Path, others: Path | None, finders: Finders, note: Note) -> People:
    known = source_people(source, finders, note)
    return known if others is None else with_others(known, others, finders, note)


def _results(metrics: Sequence[Metric], run: _Run, codec: Rows, people: People) -> dict[str, Result]:
    named = {m.card.name: m for m in metrics}
    top = ceiling(people, run.rows.of(named["id_margin"]))
    results = {}
    for name, metric in named.items():
        controls = values(metric, run.excerpt, codec, top.get(name, float("nan")))
        results[name] = result_of(metric, run.rows.of(metric), run.rows.steps, controls)
    return results


def _distances(metrics: Sequence[Metric], rows: Rows, people: People) -> dict[str, Array]:
    metric = next(m for m in metrics if m.card.name == "id_distance")
    found, size = rows.of(metric), len(people.source)
    apart = {
        "output": np.linalg.norm(found[:, :size] - people.source, axis=1),
        "target": np.linalg.norm(found[:, size:] - people.source, axis=1),
        "source": np.linalg.norm(people.held_out - people.known, axis=1),
    }
    return {name: np.asarray(values[np.isfinite(values)], np.float64) for name, values in apart.items()}
