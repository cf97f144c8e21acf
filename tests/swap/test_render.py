from __future__ import annotations

import numpy as np
import pytest
from swap_scene import crop_map, picture

from bianlian.align import cut
from bianlian.swap.render import cut_near


@pytest.mark.parametrize("side", [20.0, 60.0, 110.0, 400.0])
@pytest.mark.parametrize("centre", [(80.0, 60.0), (3.0, 60.0), (158.0, 118.0), (-5.0, 50.0)])
def test_cutting_near_the_face_is_cutting_from_the_whole_frame(side: float, centre: tuple[float, float]) -> None:
    image, place = picture((80, 60)), crop_map(centre, side, 32)
    near, whole = cut_near(image, place, 32), cut(image, place, 32)
    # A window shifts the numbers that OpenCV rounds to 1/32 px, so levels may differ a little on noise of 40 levels.
    assert np.abs(near.image.astype(int) - whole.image).mean() < 0.5
    np.testing.assert_array_equal(near.crop_from_frame, place)


def test_a_crop_off_the_picture_shows_its_border() -> None:
    assert np.ptp(cut_near(picture((80, 60)), crop_map((-500.0, 60.0), 40, 32), 32).image, axis=1).max() == 0
