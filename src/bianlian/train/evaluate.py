"""Judge a trained run in every direction, on frames that training never saw: X's face on Y's frames, and Y's on X's.

Each direction has a decoder and frames of its own, so one can be good while the other is not. Four figures are told, of which the
first two need nothing but the run, the others a recogniser and a face mesh:

undrawn     how much of what makes the source's own held-out faces differ from their mean face is not drawn (``balance``)
lost        the same of the target's frames, drawn as the source and then back as the target: pose, expression and light that the
            swapped face no longer tells
likeness    place of the swapped face between the target's frame (0) and the source (1) for a recogniser
expression  distance of the swapped face's inner landmarks from the frame's, after the best similarity, in eye distances
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply, box_of, umeyama
from bianlian.identity import Describer
from bianlian.identity.people import centre
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import convert
from bianlian.model.protocol import Trainable
from bianlian.train.balance import chosen, error_share, undrawn_share
from bianlian.train.batches import BatchMaker, People, to_tensor
from bianlian.train.checkpoint import fill, load_average, newest
from bianlian.train.preview import composed, to_uint8
from bianlian.train.run import open_run
from bianlian.types import Face, Image, Landmarks, Note, Points, silent
from bianlian.weights import CARDS, find

_INNER = slice(17, 68)
_CARDS = ("dlib_descriptor", "facemesh")


@dataclass(frozen=True)
class Direction:
    """How well ``source`` is drawn on frames of ``target``. The figures are shares, 0 is best but for likeness (1).

    faces: frames looked at; held_out: whether training never saw them. likeness, expression: None without their networks.
    """

    source: str
    target: str
    faces: int
    held_out: bool
    undrawn: float
    lost: float
    likeness: float | None
    expression: float | None


@dataclass(frozen=True)
class Eyes:
    """The networks that judge a face."""

    describer: Describer
    landmarker: Landmarker


def open_eyes(*, fetch: bool) -> Eyes | None:
    """Load the networks that judge; None when they are not in the cache and ``fetch`` is off. Raises WeightsError."""
    if not fetch and any(find(CARDS[name])[1] != "present" for name in _CARDS):
        return None
    return Eyes(plugins.load("describer", "dlib")(), plugins.load("landmarker", "facemesh")())


def evaluate(folder: Path, facesets: Sequence[Faceset], *, eyes: Eyes | None = None, note: Note = silent) -> list[Direction]:
    """Judge the newest checkpoint of a run in every direction. facesets: of the run's people, in its order.

    eyes: those in the cache when None; what they see is left out, and said, when there are none. Raises RunError.
    """
    run = open_run(folder)
    model = run.build()
    checkpoint = newest(folder)
    fill(model.networks, load_average(checkpoint), checkpoint)
    model.networks.eval()
    maker = BatchMaker(People(facesets, run.training.held_out), model.size, run.batch, run.augment, run.seed)
    eyes = eyes or open_eyes(fetch=False)
    if eyes is None:
        note("likeness and expression are left out: their networks are not in the cache (`bianlian doctor --fetch`)")
    undrawn = [undrawn_share(model, maker, person) for person in range(len(run.people))]
    centres = [centre(_describe(maker, person, eyes)) if eyes else None for person in range(len(run.people))]
    found = []
    for target in range(len(run.people)):
        indices = chosen(maker, target)
        held = maker.people.held_out(target)
        for source in range(len(run.people)):
            if source != target:
                lost, swapped = _swapped(model, maker, source, target)
                likeness, expression = _look(maker, target, indices, swapped, eyes, centres[source])
                who = run.names[source], run.names[target]
                found.append(Direction(*who, len(indices), held, undrawn[source], lost, likeness, expression))
    return found


def told(directions: Sequence[Direction]) -> list[str]:
    """Put the figures into words, a line a direction, and name the weaker one."""
    lines = []
    for d in directions:
        frames = f"{d.faces} {'held-out' if d.held_out else 'seen'} frames"
        seen = "" if d.likeness is None else f", likeness {d.likeness:.2f}"
        seen += "" if d.expression is None else f", expression off by {100 * d.expression:.1f} % of the eye distance"
        shares = f"{100 * d.undrawn:.0f} % of {d.source} undrawn, {100 * d.lost:.0f} % of {d.target}'s frames lost"
        lines.append(f"{d.source}'s face on {frames} of {d.target}: {shares}{seen}")
    if len(directions) > 1:
        worst = max(directions, key=lambda d: d.undrawn + d.lost)
        lines.append(f"weakest: {worst.source}'s face on {worst.target}'s frames")
    return lines


def _describe(maker: BatchMaker, person: int, eyes: Eyes) -> NDArray[np.float64]:
    """Describe faces of a person that training sees, as the model sees them -> (N, D)."""
    count = maker.people.count(person)
    picked = np.unique(np.linspace(0, count - 1, min(24, count)).astype(int))
    rows = [_described(maker.plain(person, int(i)), maker.plain_points(person, int(i)), eyes) for i in picked]
    return np.concatenate(rows)


def _described(picture: Image, points: Points, eyes: Eyes) -> NDArray[np.float64]:
    return eyes.describer.describe(picture, [Face(box_of(points), 1.0, Landmarks(points, "ibug68"))])


def _swapped(model: Trainable, maker: BatchMaker, source: int, target: int) -> tuple[float, NDArray[np.uint8]]:
    """Draw the source on the target's chosen faces -> share of the target that is lost, pictures (N, S, S, 3)."""
    indices = chosen(maker, target)
    faces = to_tensor(np.stack([maker.plain(target, i) for i in indices]))
    with torch.no_grad():
        swapped = composed(model.path(source)(faces), faces)
        back = model.path(target)(swapped)[:, :3]
    return error_share(maker, target, indices, back), to_uint8(swapped)


def _look(
    maker: BatchMaker,
    target: int,
    indices: Sequence[int],
    swapped: NDArray[np.uint8],
    eyes: Eyes | None,
    source: NDArray[np.float64] | None,
) -> tuple[float | None, float | None]:
    """Judge swapped faces -> likeness, expression; None without eyes."""
    if eyes is None or source is None:
        return None, None
    places, errors = [], []
    for index, picture in zip(indices, swapped, strict=True):
        points, before = maker.plain_points(target, index), maker.plain(target, index)
        drawn, theirs = (_described(p, points, eyes)[0] for p in (picture, before))
        to_source, to_target = float(np.linalg.norm(drawn - source)), float(np.linalg.norm(drawn - theirs))
        places.append(to_target / max(1e-9, to_source + to_target))
        marks = [_marks(p, points, eyes) for p in (picture, before)]
        if marks[0] is not None and marks[1] is not None:
            errors.append(_apart(marks[0], marks[1]))
    return float(np.mean(places)), float(np.mean(errors)) if errors else None


def _marks(picture: Image, points: Points, eyes: Eyes) -> Points | None:
    face = eyes.landmarker.mark(picture, [Face(box_of(points), 1.0, Landmarks(points, "ibug68"))])[0]
    return None if face is None or face.landmarks is None else convert(face.landmarks, "ibug68").points


def _apart(drawn: Points, wanted: Points) -> float:
    """Mean distance of inner points after the best similarity, in eye distances of ``wanted``."""
    moved = apply(umeyama(drawn[_INNER], wanted[_INNER]), drawn[_INNER])
    eyes = float(np.hypot(*(wanted[36] - wanted[45])))
    return float(np.hypot(*(moved - wanted[_INNER]).T).mean() / eyes)
