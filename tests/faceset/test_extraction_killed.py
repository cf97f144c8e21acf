"""SIGKILL at random moments of an extraction: what is there is sound, and the same command ends as an unbroken run."""

from __future__ import annotations

from pathlib import Path

from faceset_fakes import DrawnDetector, DrawnLandmarker, contents, draw, walk, write_png, write_video

from bianlian.faceset.extract import extract
from bianlian.faceset.store import Faceset
from faults import finished, killed, moments, server


def cut_faces(inputs: list[Path], out: Path) -> None:
    """Extract drawn faces, every frame."""
    extract(inputs, "ana", out, detector=DrawnDetector(), landmarker=DrawnLandmarker(), every=1, size=64)


def test_extract_killed_again_and_again_ends_as_an_unbroken_run(tmp_path: Path) -> None:
    inputs = [
        write_png(tmp_path / "a.png", draw((70, 60, 44))),
        write_video(tmp_path / "b.mp4", [*walk(20), draw(), draw((40, 60, 44), (110, 60, 50)), *walk(20, 20)]),
        write_video(tmp_path / "c.mp4", walk(10)),
    ]
    context, out = server(), tmp_path / "faces"
    finished(context, cut_faces, (inputs, tmp_path / "warm"))  # starts the server
    whole = finished(context, cut_faces, (inputs, tmp_path / "unbroken"))
    for moment in moments(whole, seed=1):
        killed(context, cut_faces, (inputs, out), moment)
        if (out / "faceset.json").exists() and (out / "crops").is_dir():
            for record in (faceset := Faceset.open(out)).records():  # what it says it holds, it holds
                faceset.load_crop(record)
    finished(context, cut_faces, (inputs, out))
    sound = {name: data for name, data in contents(out).items() if not Path(name).name.startswith(".")}
    assert sound == contents(tmp_path / "unbroken")
