"""The demo leaves what it promises, and reads nothing but the two clips that ship."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from bianlian.cli import main
from bianlian.video import probe
from made_faces import make_faceset


@pytest.mark.weights
@pytest.mark.slow
def test_the_demo_with_seconds_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo-out"
    make_faceset(out / "faces" / "source", "source")  # what an older demo left
    (out / "runs" / "001").mkdir(parents=True)
    (out / "runs" / "001" / "marker").touch()
    (out / "swapped.mp4").touch()
    assert main(["demo", "--minutes", "0.02", "--every", "10", "-o", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    assert list(result["seconds"]) == ["extract", "train", "swap", "show"]
    assert all(seconds > 0 for seconds in result["seconds"].values())
    assert (result["frames"], result["frames_swapped"]) == (100, 100)
    swapped, both = probe(out / "swapped.mp4"), probe(out / "side_by_side.mp4")
    assert (both.width, both.height) == (2 * swapped.width, swapped.height)
    assert both.duration == swapped.duration
    sheet = cv2.imread(str(out / "contact_sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * 256, 6 * 256, 3)
    report = json.loads((out / "swapped.json").read_text())
    assert report["consent"].startswith("virtual person")
    said = capsys.readouterr().err
    assert "100 of 100 frames swapped" in said
    assert (out / "runs" / "001" / "marker").exists()  # an older demo's run is kept
    assert (out / "runs" / "002" / "run.toml").exists()


@pytest.mark.weights
@pytest.mark.slow
def test_the_demo_from_a_photo_trains_nothing(tmp_path: Path) -> None:
    out = tmp_path / "demo-out"
    assert main(["demo", "--photo", "-o", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    assert list(result["seconds"]) == ["photo", "swap", "show"]
    assert (result["frames"], result["frames_swapped"], result["training_minutes"]) == (100, 100, 0)
    report = json.loads((out / "swapped.json").read_text())
    assert report["model"] == "one photo (oneshot-128)"
    assert report["consent"].startswith("virtual person")
    assert {p.name for p in out.iterdir()} >= {"photo.png", "swapped.mp4", "side_by_side.mp4", "contact_sheet.png"}
    assert not (out / "runs").exists()
    assert main(["verify", *(str(out / name) for name in ("swapped.mp4", "side_by_side.mp4", "contact_sheet.png"))]) == 0
