"""Score a trained run in every direction before any footage is swapped: held-out faces of each person, drawn as every other one.

The faces are swapped as a swap does it, but for the refiner: drawn by the network, fitted in colour, light and sharpness, pasted
under the inner face's outline. They are stills, so nothing is said of steadiness but whether a face is still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from bianlian.align import COVERAGE
from bianlian.errors import InputError, NoFaceError, RunError
from bianlian.faceset.store import Faceset
from bianlian.geometry import box_of
from bianlian.identity.people import centre
from bianlian.mask.hull import outline
from bianlian.model.protocol import Trainable
from bianlian.score.controls import Excerpt, ceiling, values
from bianlian.score.identity import identity_metrics
from bianlian.score.measure import Eyes, Rows, look
from bianlian.score.metric import Metric
from bianlian.score.pair import Array, Pair
from bianlian.score.people import MOST, People
from bianlian.score.result import Result, result_of
from bianlian.score.score import PLAIN
from bianlian.score.total import Total, total
from bianlian.swap.paste import Finish, paste
from bianlian.train.augment import model_from_faceset
from bianlian.train.balance import chosen
from bianlian.train.batches import BatchMaker, to_tensor
from bianlian.train.batches import People as Faces
from bianlian.train.checkpoint import fill, load_average, newest
from bianlian.train.preview import to_uint8
from bianlian.train.run import open_run
from bianlian.types import Crop, Face, Frame, Image, Landmarks, Points


@dataclass(frozen=True, eq=False)
class Direction:
    """How good ``source``'s face on faces of ``target`` is. faces: looked at; held_out: whether training never saw them."""

    source: str
    target: str
    faces: int
    held_out: bool
    total: Total
    results: Mapping[str, Result]


@dataclass(frozen=True, eq=False)
class _Known:
    """One person. pairs: real faces against themselves; crops: what the model sees of them; outlines (N, 2): of the inner face.

    looks, own: descriptions (n, D) of faces that training sees, and of those of ``pairs``.
    """

    name: str
    held_out: bool
    pairs: tuple[Pair, ...]
    crops: tuple[Crop, ...]
    outlines: tuple[Points, ...]
    looks: Array
    own: Array


def score_run(folder: Path, facesets: Sequence[Faceset], eyes: Eyes) -> list[Direction]:
    """Score the newest checkpoint of a run in every direction. facesets: of the run's people, in its order.

    Raises RunError, NoFaceError for a person none of whose faces can be marked.
    """
    run = open_run(folder)
    model = run.build()
    fill(model.networks, load_average(newest(folder)), newest(folder))
    maker = BatchMaker(Faces(facesets, run.training.held_out), model.size, run.batch, run.augment, run.seed)
    return RunJudge(maker, eyes)(model)


@final
class RunJudge:
    """Scores a model in every direction; what is seen in the real faces is kept from call to call."""

    def __init__(self, maker: BatchMaker, eyes: Eyes) -> None:
        """Look at the real faces. Raises RunError for one person alone, NoFaceError for one none of whose faces can be marked."""
        if len(maker.people.facesets) < 2:
            raise RunError("a run of one person has nobody else's faces to draw; score a swap instead, with `bianlian score`")
        self._eyes = eyes
        self._people = [_known(maker, person, eyes) for person in range(len(maker.people.facesets))]

    def __call__(self, model: Trainable) -> list[Direction]:
        """Score the model as it is; it is left in the mode, training or not, that it came in."""
        was_training = model.networks.training
        model.networks.eval()
        people = range(len(self._people))
        found = [self._direction(model, s, t) for t in people for s in people if s != t]
        model.networks.train(was_training)
        return found

    def _direction(self, model: Trainable, source: int, target: int) -> Direction:
        theirs, ours = self._people[target], self._people[source]
        others = [p for k, p in enumerate(self._people) if k not in (source, target)]
        people = _people(ours, others)
        metrics: list[Metric] = [*PLAIN, *identity_metrics(people)]
        rows, excerpt = Rows(metrics), Excerpt(metrics)
        for real, picture in zip(theirs.pairs, _swapped(model, source, theirs), strict=True):
            frame = Frame(real.target.image, real.frame)
            pair = look(frame, [picture], _face(real.target.points), self._eyes, describe=True)
            if pair is not None:
                rows.add(pair, None)
                excerpt.add(frame, pair, follows=False)
        results = _results(metrics, rows, excerpt, people)
        return Direction(ours.name, theirs.name, len(rows.steps), theirs.held_out, total(results), results)


def mean_score(directions: Sequence[Direction]) -> float:
    """Average the summary scores of all directions, 0 to 100; one that cannot be scored counts 0."""
    return float(np.mean([d.total.score or 0.0 for d in directions]))


def weakest(directions: Sequence[Direction]) -> Direction:
    """Find the direction with the lowest summary."""
    return min(directions, key=lambda d: d.total.score or 0.0)


def as_json(directions: Sequence[Direction]) -> list[dict[str, object]]:
    """Give all figures as data; what was not measured or does not count is left out."""
    return [
        {
            "source": d.source,
            "target": d.target,
            "faces": d.faces,
            "held_out": d.held_out,
            "score": None if d.total.score is None else round(d.total.score, 2),
            "held_by": d.total.held_by,
            "parts": {part: round(value, 4) for part, value in d.total.parts.items()},
            "metrics": {n: round(r.value, 5) for n, r in d.results.items() if r.invalid is None and np.isfinite(r.value)},
            "invalid": {n: r.invalid for n, r in d.results.items() if r.invalid is not None},
        }
        for d in directions
    ]


def _known(maker: BatchMaker, person: int, eyes: Eyes) -> _Known:
    faceset, count = maker.people.facesets[person], maker.people.count(person)
    model_from_crop = model_from_faceset(faceset.header.size, faceset.header.coverage, maker.size, COVERAGE)
    pairs, crops, outlines = list[Pair](), list[Crop](), list[Points]()
    for index in chosen(maker, person):
        image, points = maker.people.face(person, index)
        pair = look(Frame(image, index), [image], _face(points), eyes, describe=True)
        if pair is not None:
            pairs.append(pair)
            crops.append(Crop(maker.plain(person, index), model_from_crop))
            outlines.append(outline(Landmarks(points, "ibug68")))
    if not pairs:
        raise NoFaceError(f"none of the faces of {faceset.person} can be marked; there is nothing to score, look at {faceset.path}")
    seen = [maker.people.face(person, int(i)) for i in np.unique(np.linspace(0, count - 1, min(MOST, count)).astype(int))]
    looks = np.concatenate([eyes.describer.describe(image, [_face(points)]) for image, points in seen])
    own = np.stack([p.target.looks for p in pairs if p.target.looks is not None])
    return _Known(faceset.person, maker.people.held_out(person), tuple(pairs), tuple(crops), tuple(outlines), looks, own)


def _face(points: Points | None) -> Face:
    if points is None:
        raise InputError("a face without points cannot be looked at")
    return Face(box_of(points), 1.0, Landmarks(points, "ibug68"))


def _people(source: _Known, others: Sequence[_Known]) -> People:
    mean = centre(source.looks)
    means = [centre(p.looks) for p in others]
    rest = np.stack(means) if means else np.zeros((0, len(mean)))
    return People(mean, len(source.looks), source.own, mean, rest, tuple(p.name for p in others))


def _swapped(model: Trainable, source: int, target: _Known) -> list[Image]:
    """Draw a person on all of the target's faces and paste them -> whole crops."""
    device = next(model.networks.parameters()).device
    with torch.no_grad():
        drawn = model.path(source)(to_tensor(np.stack([c.image for c in target.crops])).to(device)).float().cpu()
    faces = to_uint8(drawn[:, :3])
    weights: NDArray[np.float32] = (drawn[:, 3] if drawn.shape[1] == 4 else torch.ones_like(drawn[:, 0])).clamp(0, 1).numpy()
    finish = Finish()
    parts = zip(target.pairs, target.crops, faces, weights, target.outlines, strict=True)
    return [paste(p.target.image, crop, face, weight, ring, finish) for p, crop, face, weight, ring in parts]


def _results(metrics: Sequence[Metric], rows: Rows, excerpt: Excerpt, people: People) -> dict[str, Result]:
    named = {m.card.name: m for m in metrics}
    top = ceiling(people, rows.of(named["id_margin"]))
    nothing = Rows(metrics)
    return {
        name: result_of(m, rows.of(m), rows.steps, values(m, excerpt, nothing, top.get(name, float("nan"))))
        for name, m in named.items()
    }
