"""Each metric moves, and the right way, under the defect that it names; the others stay within a stated tolerance."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import defects
import numpy as np
import pytest
from defects import Clip, Clips, measured

from bianlian.identity.people import centre
from bianlian.score import truth_l1, truth_points, truth_psnr, truth_ssim
from bianlian.score.identity import identity_metrics
from bianlian.score.people import People
from bianlian.score.score import PLAIN
from bianlian.score.truth_perceptual import Features, perceptual_metric
from bianlian.types import Face
from bianlian.video import frames
from conftest import DEMO

pytestmark = pytest.mark.weights

TOLERANCE: dict[str, tuple[float, float]] = {
    "coverage": (100, 100),
    "pose_error": (0, 1.0),
    "place_error": (0, 1.0),
    "expression_error": (0, 0.15),
    "expression_missed": (0, 15),
    "mouth_r": (0.95, 1),
    "eyes_r": (0.95, 1),
    "sharpness_ratio": (0.75, 1.25),
    "seam_ratio": (0.95, 1.05),
    "color_error": (0, 0.5),
    "warp_ratio": (0.85, 1.25),
    "jitter_excess": (0, 1.2),
    "stalls": (0, 0),
    "background_psnr": (60, 99),
}
"""What each metric may score under a weak defect that it does not name; the target itself scores the better end."""

ELSE = {"expression_error", "mouth_r", "eyes_r", "pose_error", "place_error", "jitter_excess", "color_error"}
"""What a face taken from another moment changes beside its expression."""

CASES: list[tuple[Callable[[Clips, float], Clip], float, float, str, set[str]]] = [
    (defects.blur, 1, 3, "sharpness_ratio", set()),
    (defects.shift, 3, 9, "place_error", {"pose_error", "expression_missed", "jitter_excess"}),
    (defects.cast, 6, 18, "color_error", set()),
    (defects.edge, 4, 16, "seam_ratio", {"color_error"}),
    (defects.jitter, 1, 2, "jitter_excess", {"warp_ratio"}),
    (defects.flicker, 2, 8, "warp_ratio", {"color_error"}),
    (defects.turn, 2, 6, "pose_error", {"expression_error", "expression_missed"}),
    (defects.frozen, 0.4, 1, "expression_missed", ELSE),
    (defects.dropped, 1, 4, "stalls", {"jitter_excess", "expression_error", "expression_missed", "mouth_r", "eyes_r"}),
    (defects.covered, 1, 3, "coverage", {"color_error"}),
]  # fmt: skip
"""Defect, a weak and a strong one, the metric that names it, and the metrics that rightly see it too."""


@pytest.fixture(scope="module")
def clip() -> Clips:
    return Clips([f.image for f in frames(DEMO / "target.mp4", every=3)][:9])


@pytest.fixture(scope="module")
def donor() -> Clips:
    return Clips([f.image for f in frames(DEMO / "source.mp4", every=4)][:9])


def worse(name: str, value: float) -> float:
    """How bad a value is."""
    better = {m.card.name: m.card.better for m in PLAIN}[name]
    return {"up": -value, "down": value, "one": abs(float(np.log(max(value, 1e-9))))}[better]


def test_the_target_scores_the_ideal_against_itself(clip: Clips) -> None:
    found = measured(clip.images, clip.images)
    for metric in PLAIN:
        assert found[metric.card.name] == pytest.approx(metric.card.ideal, abs=1e-6), metric.card.name


@pytest.mark.parametrize(("defect", "weak", "strong", "name", "also"), CASES, ids=[c[0].__name__ for c in CASES])
def test_a_defect_moves_the_metric_that_names_it(
    clip: Clips, defect: Callable[[Clips, float], Clip], weak: float, strong: float, name: str, also: set[str]
) -> None:
    little, much = measured(defect(clip, weak), clip.images), measured(defect(clip, strong), clip.images)
    low, high = TOLERANCE[name]
    assert not low <= little[name] <= high, "a weak defect is seen"
    assert worse(name, much[name]) > worse(name, little[name])
    for other, (low, high) in TOLERANCE.items():
        if other != name and other not in also and np.isfinite(little[other]):
            assert low - 1e-6 <= little[other] <= high + 1e-6, other


def test_a_frozen_mouth_follows_nothing(clip: Clips) -> None:
    assert measured(defects.frozen(clip, 1.0), clip.images)["mouth_r"] < 0.6


def test_the_margin_says_whose_face_it_is(clip: Clips, donor: Clips) -> None:
    def looks(clips: Clips) -> np.ndarray:
        described = [
            defects.describer().describe(image, [Face(face.box, 1.0, mark)])[0]
            for image, face, mark in zip(clips.images, clips.faces, clips.marks, strict=True)
        ]
        return np.stack(described)

    theirs = looks(donor)
    people = People(centre(theirs), len(theirs), theirs[4:], centre(theirs[:4]), np.zeros((0, theirs.shape[1])))
    metrics = identity_metrics(people)
    mixed = [measured(defects.other(clip, donor, s), clip.images, metrics=metrics) for s in (0.0, 0.5, 1.0)]
    margins = [m["id_margin"] for m in mixed]
    assert margins[0] < -0.2 < margins[1] < margins[2]
    assert margins[2] > 0
    assert [m["id_distance"] for m in mixed] == sorted((m["id_distance"] for m in mixed), reverse=True)
    assert mixed[0]["id_retrieval"] == 0
    assert mixed[2]["id_retrieval"] == 100
    rival = identity_metrics(People(people.source, 10, people.held_out, people.known, looks(donor)[:1]))
    assert measured(defects.other(clip, donor, 1.0), clip.images, metrics=rival)["id_retrieval"] < 100, "a distractor is nearer"


def test_the_truth_metrics_rank_what_is_nearer_to_the_truth(clip: Clips, donor: Clips) -> None:
    metrics = [truth_l1.METRIC, truth_psnr.METRIC, truth_ssim.METRIC, truth_points.METRIC, perceptual_metric(Features())]
    truth, most = defects.other(clip, donor, 1.0)[:4], defects.other(clip, donor, 0.8)[:4]
    target = clip.images[:4]
    softer = [np.asarray(cv2.GaussianBlur(i, (0, 0), 1.5), np.uint8) for i in truth]
    blurred = [np.asarray(cv2.GaussianBlur(i, (0, 0), 4), np.uint8) for i in truth]
    outs = (truth, softer, blurred, most, target)
    right, soft, blunt, near, none = (measured(out, target, truth, metrics) for out in outs)
    assert right["truth_psnr"] == 99 > near["truth_psnr"] > none["truth_psnr"]
    assert right["truth_l1"] == 0 < near["truth_l1"] < none["truth_l1"]
    assert right["truth_ssim"] == pytest.approx(1, abs=1e-5)
    assert 0.99 > soft["truth_ssim"] > none["truth_ssim"]
    assert right["truth_perceptual"] == pytest.approx(0, abs=1e-6)
    assert 0 < near["truth_perceptual"] < none["truth_perceptual"]
    assert 0 < soft["truth_perceptual"] < blunt["truth_perceptual"]
    moved = [measured(defects.shift(clip, s)[:4], target, target, metrics)["truth_landmarks"] for s in (0, 2, 6)]
    assert moved[0] == 0
    assert moved[0] < moved[1] < moved[2]
