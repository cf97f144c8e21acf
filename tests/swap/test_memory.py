"""The memory of a swap does not grow by frames as the clip gets longer, only by what is known of the faces."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from swap_scene import HEIGHT, WIDTH, Same, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.video import Encoding

PLAIN = SwapSettings(
    encoding=Encoding(preset="ultrafast"), color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0, segment=40
)


def peak(folder: Path, count: int) -> int:
    """Bytes that Python and numpy hold at the most while a clip of so many frames is swapped."""
    shown = [picture((60 + k, 60), seed=k) for k in range(20)]
    target = movie(folder / f"{count}.mkv", [shown[k % 20] for k in range(count)])
    tracemalloc.start()
    try:
        assert swap(target, Same(), folder / f"{count}.mp4", PLAIN).swapped == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("red_world")
def test_memory_grows_by_much_less_than_a_frame_a_frame(tmp_path: Path) -> None:
    peak(tmp_path, 10)  # imports
    short, long = peak(tmp_path, 60), peak(tmp_path, 140)
    # 68 points of 16 bytes, their outline and place, and the objects around them: about 6 kB a face.
    assert (long - short) / 80 < 10_000 < WIDTH * HEIGHT * 3 / 5
