"""The kill harness itself: where it kills, and what it leaves out of a listing."""

from __future__ import annotations

from pathlib import Path

from faults import TIMES, moments, names


def test_the_number_of_kills_is_spread_over_the_whole_run() -> None:
    drawn = moments(10.0, seed=1)
    assert len(drawn) == TIMES
    assert all(10 * k / TIMES <= moment <= 10 * (k + 1) / TIMES for k, moment in enumerate(drawn))


def test_a_listing_names_all_but_parts(tmp_path: Path) -> None:
    for name in ("a.json", ".0123456789ab.part.mp4", ".a.png.part", ".0123456789ab.part/x.bin", "crops/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == {"a.json", "crops/b.png"}
