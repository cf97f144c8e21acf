"""Refining: the compiled network is the trained one, faces are finished at their own size, and light and detail come back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bianlian import align, plugins
from bianlian.errors import InputError
from bianlian.model.refiner import Refiner
from bianlian.swap.plan import Place, Plan
from bianlian.swap.refine import CARD, CompiledRefiner, refined_size
from bianlian.types import Image
from bianlian.weights import CARDS, locate


def plan_of(scale: float) -> Plan:
    """A plan of one face that is ``scale`` times as large in the frame as in the crop."""
    place = Place(0, np.array([[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]]), np.zeros((3, 2)), np.zeros((68, 2)), False)
    return Plan({0: (place,)}, {})


@pytest.mark.parametrize(("scale", "side"), [(0.5, 128), (1.0, 128), (1.3, 192), (1.5, 192), (1.7, 256), (6.0, 256)])
def test_faces_are_finished_at_about_their_size_in_the_frame(scale: float, side: int) -> None:
    assert refined_size(plan_of(scale), 128) == side


@pytest.mark.parametrize(("scale", "side"), [(0.5, 128), (1.7, 256), (2.2, 256), (2.3, 384), (2.9, 384), (3.1, 512), (9.0, 512)])
def test_large_faces_are_finished_finer_where_it_is_asked_for(scale: float, side: int) -> None:
    assert refined_size(plan_of(scale), 128, finer=True) == side


def test_a_model_of_any_size_can_be_refined() -> None:
    assert refined_size(plan_of(1.0), 100) == 100
    assert refined_size(plan_of(1.5), 100) == 144
    drawn, under = np.random.default_rng(0).integers(0, 256, (2, 2, 100, 100, 3), np.uint8)
    assert CompiledRefiner(100)(drawn, under).shape == (2, 100, 100, 3)


def test_the_compiled_network_is_the_trained_one() -> None:
    drawn, under = np.random.default_rng(1).integers(0, 256, (2, 3, 64, 64, 3), np.uint8)
    net = Refiner().eval()
    net.load_state_dict({k: v.float() for k, v in load_file(locate(CARDS[CARD])).items()})
    with torch.no_grad():
        planes = [torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255 for x in (drawn, under)]
        expected = (net(*planes).permute(0, 2, 3, 1) * 255).clamp(0, 255).numpy()
    refined = CompiledRefiner(64)(drawn, under, 1.0)
    assert np.abs(refined - expected).max() < 2


def test_a_share_of_the_correction() -> None:
    drawn, under = np.random.default_rng(2).integers(0, 256, (2, 1, 64, 64, 3), np.uint8)
    refine = CompiledRefiner(64)
    np.testing.assert_array_equal(refine(drawn, under, 0.0), drawn)
    half, whole = refine(drawn, under, 0.5).astype(int), refine(drawn, under, 1.0).astype(int)
    inside = (whole > 0) & (whole < 255)
    assert np.abs(half - (drawn.astype(int) + whole) / 2)[inside].max() <= 1


def test_other_shapes_are_refused() -> None:
    refine = CompiledRefiner(64)
    fits = np.zeros((2, 64, 64, 3), np.uint8)
    others: list[Any] = [fits[:1], fits[:, :32], fits.astype(np.float32)]
    for other in others:
        with pytest.raises(InputError, match="the refiner takes uint8 crops"):
            refine(fits, other)


@pytest.mark.parametrize("side", [128, 256])
def test_a_soft_dark_face_gets_back_the_detail_and_light_of_its_frame(face_image: Image, side: int) -> None:
    found = plugins.load("landmarker", "facemesh")().mark(
        face_image, plugins.load("detector", "blazeface")().detect([face_image])[0]
    )
    assert found[0] is not None
    assert found[0].landmarks is not None
    crop = align.cut(face_image, align.crop_from_frame(found[0].landmarks, side), side).image
    soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), side / 64), np.uint8)
    drawn = np.asarray(np.clip(soft * np.array([0.9, 0.85, 0.8]), 0, 255), np.uint8)
    refined = CompiledRefiner(side)(drawn[np.newaxis], np.asarray(crop[np.newaxis], np.uint8), 1.0)[0]
    middle = (slice(side // 4, 3 * side // 4),) * 2
    before, after = (np.abs(x.astype(float) - crop)[middle].mean() for x in (drawn, refined))
    assert after < before
    detail = [cv2.Laplacian(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.CV_64F)[middle].std() for x in (crop, drawn, refined)]
    assert detail[2] > detail[1] + 0.3 * (detail[0] - detail[1])
