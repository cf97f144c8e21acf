"""Identity: whom the output's face is nearest to, by a recogniser's descriptions.

``id_distance``: Euclidean distance of the output's description from the mean one of the source. ``id_margin``: distance from the
mean of the target's own face, less that distance; above 0 the source is nearer. ``id_retrieval``: share of frames whose nearest
person, of source, target and N distractors, is the source (retrieval as in FaceShifter, arXiv 1912.13457, and the works after it).
A recogniser is easily fooled (a still photo pasted on beats a true swap), which is why none of these says how good a swap is.
"""

from __future__ import annotations

import numpy as np

from bianlian.identity.people import centre, distances
from bianlian.score.metric import Card, Controls, Metric, Steps
from bianlian.score.pair import Array, Pair
from bianlian.score.people import People

DISTANCE = Card(
    name="id_distance",
    title="Distance from the source",
    unit="",
    better="down",
    ideal=None,
    says="distance of the face's description from the source's mean",
    source="Euclidean distance of descriptions",
    digits=3,
)
MARGIN = Card(
    name="id_margin",
    title="Nearer to the source by",
    unit="",
    better="up",
    ideal=None,
    says="distance from the target's mean description, less that from the source's; above 0 the source is nearer",
    source="difference of distances",
    digits=3,
    part="identity",
)
RETRIEVAL = Card(
    name="id_retrieval",
    title="Taken for the source",
    unit="%",
    better="up",
    ideal=None,
    says="frames whose nearest person, of source, target and the distractors, is the source",
    source="retrieval, after arXiv 1912.13457",
    digits=1,
)


def identity_metrics(people: People) -> list[Metric]:
    """Make the metrics that compare with these people."""
    size = len(people.source)

    def look(now: Pair, before: Pair | None) -> Array:
        del before
        empty = np.full(size, np.nan)
        return np.concatenate([empty if s.looks is None else s.looks for s in (now.out, now.target)])

    def from_source(rows: Array, steps: Steps) -> Array:
        del steps
        return np.asarray(np.linalg.norm(rows[:, :size] - people.source, axis=1))

    def margin(rows: Array, steps: Steps) -> Array:
        theirs = target_mean(rows, size)
        if theirs is None:
            return np.full(len(rows), np.nan)
        return np.asarray(np.linalg.norm(rows[:, :size] - theirs, axis=1) - from_source(rows, steps))

    def retrieval(rows: Array, steps: Steps) -> Array:
        del steps
        theirs, out = target_mean(rows, size), np.full(len(rows), np.nan)
        known = np.isfinite(rows[:, :size]).all(1)
        if theirs is not None and known.any():
            gallery = np.concatenate([people.source[None], theirs[None], people.others])
            out[known] = 100.0 * (distances(rows[known, :size], gallery).argmin(1) == 0)
        return out

    return [
        Metric(DISTANCE, look, _check_distance, width=2 * size, series=from_source),
        Metric(MARGIN, look, _check_margin, width=2 * size, series=margin),
        Metric(RETRIEVAL, look, _check_retrieval, width=2 * size, series=retrieval),
    ]


def target_mean(rows: Array, size: int) -> Array | None:
    """Average the target's descriptions of rows (T, 2 * size) -> (size,); None where there is none."""
    known = rows[np.isfinite(rows[:, size:]).all(1), size:]
    return centre(known) if len(known) else None


def _check_distance(controls: Controls) -> str | None:
    if np.isfinite(controls.held_out) and np.isfinite(controls.itself) and controls.held_out >= controls.itself:
        return f"real pictures of the source are as far ({controls.held_out:.2f}) as the target's own face ({controls.itself:.2f})"
    return None


def _check_margin(controls: Controls) -> str | None:
    if controls.itself >= 0 or controls.codec >= 0:
        return "the target's own face counts as the source's: are they one person?"
    if controls.held_out <= 0:
        return "real pictures of the source count as the target's: are they one person?"
    return None


def _check_retrieval(controls: Controls) -> str | None:
    if controls.itself > 0 or controls.codec > 0:
        return "the target's own face is taken for the source's: are they one person?"
    if controls.held_out < 50:
        return f"only {controls.held_out:.0f} % of real pictures of the source are taken for the source's"
    return None
