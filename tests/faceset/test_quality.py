"""Sharpness grows with detail and hardly depends on the size of the crop; the rules keep one whole face a frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.errors import ConfigError, InputError
from bianlian.faceset.quality import Rules, sharpness
from bianlian.types import Face, Image


def _noise(size: int, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    return np.asarray(
        cv2.resize(rng.integers(0, 256, (32, 32, 3), np.uint8), (size, size), interpolation=cv2.INTER_CUBIC), np.uint8
    )


def test_a_blurred_crop_is_less_sharp() -> None:
    crop = _noise(256)
    values = [sharpness(np.asarray(cv2.GaussianBlur(crop, (0, 0), s), np.uint8), 0.45) for s in (0.5, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[-1]


def test_a_flat_crop_has_no_sharpness() -> None:
    assert sharpness(np.full((256, 256, 3), 77, np.uint8), 0.45) == 0


def test_a_known_pattern() -> None:
    """Columns 0, 0, 255, 255, ... of grey: each pixel's Laplacian is +255 or -255, mean 0, variance 255^2."""
    columns = np.tile(np.array([0, 0, 255, 255], np.uint8), 32)
    crop = np.broadcast_to(columns[None, :, None], (128, 128, 3)).copy()
    # The ellipse is symmetric left to right and the pattern has as many rises as falls, but not exactly within it.
    assert sharpness(crop, 0.72) == pytest.approx(255**2, rel=0.01)


def test_sharpness_hardly_depends_on_the_crop_size() -> None:
    small, large = (sharpness(_noise(size), 0.45) for size in (256, 512))
    assert small == pytest.approx(large, rel=0.25)


def test_hair_and_background_do_not_count() -> None:
    crop = np.full((256, 256, 3), 77, np.uint8)
    crop[:40] = _noise(256)[:40]
    crop[:, :48] = _noise(256)[:, :48]
    assert sharpness(crop, 0.45) == 0


def test_sharpness_wants_a_picture() -> None:
    with pytest.raises(InputError, match="RGB uint8"):
        sharpness(np.zeros((8, 8), np.uint8), 0.45)


def _face(x: float, y: float, w: float, h: float) -> Face:
    return Face(np.array([x, y, x + w, y + h]), 0.9)


# In a picture of 200 x 100 pixels, which spans -0.5 to 199.5 and -0.5 to 99.5.
_CASES = [
    ([], Rules(), []),
    ([_face(10, 10, 50, 60)], Rules(), [None]),
    ([_face(10, 10, 50, 60), _face(80, 10, 60, 60)], Rules(), ["not the largest face", None]),
    ([_face(10, 10, 50, 60), _face(80, 10, 60, 60)], Rules(all_faces=True), [None, None]),
    ([_face(-20.5, 10, 50, 60)], Rules(), ["partial: 60 % of the face is in the picture"]),
    ([_face(-20.5, 10, 50, 60)], Rules(whole=0.5), [None]),
    ([_face(-1, 10, 50, 60)], Rules(), [None]),  # 49.5 of 50 columns: 99 %
    ([_face(10, 10, 30, 60)], Rules(), ["small: 30 pixels wide"]),
    ([_face(10, 10, 30, 60)], Rules(smallest=0), [None]),
    # A cut-off face in front stays the largest: the whole one behind it is somebody else.
    (
        [_face(-40.5, 0, 80, 90), _face(120, 10, 50, 60)],
        Rules(),
        ["partial: 50 % of the face is in the picture", "not the largest face"],
    ),
    ([_face(10, 10, 50, 60), _face(100, 10, 50, 60)], Rules(), [None, "not the largest face"]),
]


@pytest.mark.parametrize(("faces", "rules", "wanted"), _CASES)
def test_rules(faces: list[Face], rules: Rules, wanted: list[str | None]) -> None:
    assert rules.why_not(faces, 200, 100) == wanted


@pytest.mark.parametrize("settings", [{"whole": 1.5}, {"whole": -0.1}, {"smallest": -1}])
def test_rules_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Rules(**settings)  # type: ignore[arg-type]
