"""SIGKILL at random moments of a swap: nothing half-written has the output's name, and the next run gives a whole one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from swap_scene import HueDescriber, RedDetector, RedLandmarker, Tint, decoded, movie, picture

from bianlian import plugins
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.video import Encoding
from faults import finished, killed, moments, names, server

LOSSLESS = SwapSettings(encoding=Encoding(codec="ffv1"), color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0)


def put_face(target: Path, out: Path) -> None:
    """Swap in the world of red discs."""
    real, fakes = plugins.load, {"detector": RedDetector, "landmarker": RedLandmarker, "describer": HueDescriber}
    plugins.load = lambda kind, name: fakes[kind] if kind in fakes else real(kind, name)
    swap(target, Tint(), out, LOSSLESS)


def test_swap_killed_at_any_moment_leaves_no_half_output_and_the_next_run_gives_a_whole_one(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [picture((50 + k, 60), seed=k) for k in range(40)])
    context, out = server(), tmp_path / "out" / "o.mkv"
    whole = finished(context, put_face, (target, tmp_path / "unbroken.mkv"))
    expected, times = decoded(tmp_path / "unbroken.mkv")
    for moment in moments(whole, seed=3):
        killed(context, put_face, (target, out), moment)
        if out.exists():  # under its own name it is whole
            assert decoded(out)[1] == times
    finished(context, put_face, (target, out))
    found, found_times = decoded(out)
    assert found_times == times
    # Tracks that are read again are rounded to a hundredth of a pixel: a grey level or two, not another picture.
    assert int(np.abs(np.stack(found).astype(int) - np.stack(expected)).max()) <= 2
    assert {"o.mkv", "o.json", "o.tracks.jsonl"} <= names(out.parent)
