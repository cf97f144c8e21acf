"""Light and shade of the target on the new face."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.swap.shade import shade
from bianlian.types import Image

SIZE = 64
ALL = np.ones((SIZE, SIZE), np.float32)


def textured(seed: int) -> Image:
    """Fine texture around mid grey: nothing broad."""
    return np.random.default_rng(seed).integers(100, 150, (SIZE, SIZE, 1)).repeat(3, 2).astype(np.uint8)


def lit(image: Image, low: float, high: float) -> Image:
    """Light a picture from the side: brightness grows from left to right."""
    return np.clip(image * np.linspace(low, high, SIZE)[None, :, None], 0, 255).astype(np.uint8)


def brightness(image: Image) -> tuple[float, float]:
    """Mean of the left and of the right third."""
    return float(image[:, : SIZE // 3].mean()), float(image[:, -SIZE // 3 :].mean())


def test_the_whole_difference_in_light_is_taken_over_at_share_1_and_half_of_it_at_half() -> None:
    face, target = lit(textured(0), 1.3, 0.7), lit(textured(1), 0.7, 1.3)
    before, aim = np.array(brightness(face)), np.array(brightness(target))
    full, half = (np.array(brightness(shade(face, target, ALL, share))) for share in (1.0, 0.5))
    np.testing.assert_allclose(full, aim, atol=4)
    np.testing.assert_allclose(half, (before + aim) / 2, atol=4)


def test_texture_stays_the_faces_own() -> None:
    face, target = textured(0), textured(1)
    out = shade(face, target, ALL, 1.0)
    fine = [
        cv2.subtract(x.astype(np.float32), cv2.GaussianBlur(x.astype(np.float32), (0, 0), 1.0)).ravel() for x in (out, face, target)
    ]
    assert np.corrcoef(fine[0], fine[1])[0, 1] > 0.95
    assert abs(np.corrcoef(fine[0], fine[2])[0, 1]) < 0.2


def test_what_lies_outside_the_mask_has_no_say() -> None:
    mask = ALL.copy()
    mask[:, SIZE // 2 :] = 0
    face, target = textured(0), textured(0)
    loud = target.copy()
    loud[:, SIZE // 2 :] = 255
    inside = (slice(None), slice(0, SIZE // 2))
    np.testing.assert_array_equal(shade(face, loud, mask, 1.0)[inside], shade(face, target, mask, 1.0)[inside])


def test_nothing_to_do() -> None:
    face = textured(0)
    assert shade(face, textured(1), ALL, 0.0) is face
    assert shade(face, textured(1), np.zeros_like(ALL), 1.0) is face
    assert np.abs(shade(face, face, ALL, 1.0).astype(int) - face).max() <= 1
