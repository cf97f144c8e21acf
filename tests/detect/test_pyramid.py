"""Views of a picture: where pixels land, what lies outside, and that far views skip none."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.detect.pyramid import Pyramid
from bianlian.geometry import scaling
from bianlian.types import Image, Matrix


def ramp(size: int = 250) -> Image:
    """A picture whose value is its x."""
    return np.repeat(np.tile(np.arange(size, dtype=np.uint8), (size, 1))[..., None], 3, axis=2)


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.4, 0.25, 0.1])
def test_convention_levels_keep_pixel_centres(factor: float) -> None:
    """At a tenth of the size pixel k shows the ramp at (k + 0.5) / 0.1 - 0.5 = 10 k + 4.5, and so for every factor."""
    side = int(250 * factor)
    inner = np.arange(2, side - 2)
    view = Pyramid(ramp()).view(scaling(factor), side)
    np.testing.assert_allclose(view[side // 2, inner, 0], (inner + 0.5) / factor - 0.5, atol=0.76)


def test_outside_is_black_or_the_border_goes_on() -> None:
    pyramid = Pyramid(np.full((20, 20, 3), 200, np.uint8))
    assert pyramid.view(shift(10, 0), 20)[5, 2, 0] == 0
    assert pyramid.view(shift(10, 0), 20, replicate=True)[5, 2, 0] == 200


def test_a_far_view_averages_what_it_covers() -> None:
    """A checkerboard of single pixels, 0 and 200, seen at a sixteenth: 100 everywhere, not the pixels that happen to be hit."""
    board = np.indices((256, 256)).sum(0) % 2 * 200
    view = Pyramid(np.repeat(board[..., None], 3, axis=2).astype(np.uint8)).view(scaling(1 / 16), 16)
    assert (np.abs(view.astype(int) - 100) <= 1).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5)])
def test_tiny_pictures_have_views_too(shape: tuple[int, int]) -> None:
    view = Pyramid(np.full((*shape, 3), 50, np.uint8)).view(scaling(0.01), 8)
    assert view.shape == (8, 8, 3)
