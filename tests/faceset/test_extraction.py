"""Footage of drawn faces goes through the whole extraction; an interrupted one ends as an unbroken one does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faceset_fakes import DrawnDetector, DrawnLandmarker, contents, draw, walk, write_png, write_video

from bianlian import align
from bianlian.errors import ConfigError, FacesetError, InputError, Interrupted, NoFaceError, PluginError, VideoError
from bianlian.faceset.extract import extract
from bianlian.faceset.quality import Rules
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply
from bianlian.types import Face, Image, Landmarks


def run(inputs: Sequence[Path], out: Path, detector: DrawnDetector | None = None, **settings: Any) -> Faceset:
    """Extract with the drawn faces' own detector; small crops, every second frame."""
    settings = {"every": 2, "size": 64, **settings}
    return extract(inputs, "anna", out, detector=detector or DrawnDetector(), landmarker=DrawnLandmarker(), **settings)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", walk(11))


def test_a_video(tmp_path: Path, video: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    faceset = run([video], tmp_path / "anna", progress=lambda *a: seen.append(a))
    records = list(faceset.records())
    assert [r.frame for r in records] == [0, 2, 4, 6, 8, 10]
    assert [r.id for r in records] == list(range(6))
    assert all(r.kept and r.file == "clip.mp4" and r.scheme == "ibug68" for r in records)
    # 10 frames a second: frame n is shown at n/10 s.
    assert [r.pts * r.time_base for r in records if r.pts is not None and r.time_base] == [
        Fraction(n, 10) for n in (0, 2, 4, 6, 8, 10)
    ]
    # The face walks two pixels a frame; its box is 44 wide, centred on x = 50 + 2 * frame.
    for r in records:
        assert (r.box[0] + r.box[2]) / 2 == pytest.approx(50 + 2 * r.frame, abs=1)
    assert seen[0] == ("extract", 0, 6)
    assert seen[-1] == ("extract", 6, 6)


def test_the_crop_is_where_the_record_says(tmp_path: Path) -> None:
    image = draw((80, 60, 60))
    faceset = run([write_png(tmp_path / "a.png", image)], tmp_path / "anna", size=128, format="png")
    (record,) = faceset.records()
    crop = faceset.load_crop(record)
    np.testing.assert_array_equal(crop, align.cut(image, record.crop_from_frame, 128).image)
    # The drawn landmarks are the mean face as wide as the box, so the crop's middle is the box's and 0.45 of 128 px is its width.
    x1, y1, x2, y2 = record.box
    np.testing.assert_allclose(apply(record.crop_from_frame, [[(x1 + x2) / 2, (y1 + y2) / 2]]), [[63.5, 63.5]], atol=0.1)
    left, right = apply(record.crop_from_frame, [[x1, 0], [x2, 0]])[:, 0]
    assert right - left == pytest.approx(0.45 * 128, rel=0.01)
    assert (record.pts, record.time_base, record.frame) == (None, None, 0)
    np.testing.assert_array_equal(record.landmarks.points, record.landmarks.points.round(2))


def test_a_folder_of_pictures_and_videos(tmp_path: Path) -> None:
    folder = tmp_path / "footage"
    for n in range(3):
        write_png(folder / f"p{n + 8}.png", draw((60 + n, 60, 44)))
    write_video(folder / "a.mp4", walk(4))
    (folder / "p7.png").write_bytes(b"broken")
    notes: list[str] = []
    faceset = run([folder], tmp_path / "anna", note=notes.append)
    assert [(r.file, r.frame) for r in faceset.records()] == [
        ("a.mp4", 0),
        ("a.mp4", 2),
        ("p8.png", 0),
        ("p9.png", 0),
        ("p10.png", 0),
    ]
    assert len(notes) == 1
    assert "p7.png" in notes[0]


def test_damaged_pictures_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Cut off in their middle their heads are still right, so that only decoding finds out."""
    folder = tmp_path / "footage"
    for n, name in enumerate(("a.png", "b.png", "c.png")):
        write_png(folder / name, draw((60 + n, 60, 44)))
    data = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(data[: len(data) // 2])
    (folder / "d.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    notes: list[str] = []
    faceset = run([folder], tmp_path / "anna", note=notes.append)
    assert [r.file for r in faceset.records()] == ["a.png", "c.png"]
    assert any("b.png" in note for note in notes)
    assert any("d.jpg" in note for note in notes)


def test_several_faces_and_partial_and_small_ones(tmp_path: Path) -> None:
    two = write_png(tmp_path / "a.png", draw((40, 60, 44), (110, 60, 60)))
    partial = write_png(tmp_path / "b.png", draw((10, 60, 60)))
    small = write_png(tmp_path / "c.png", draw((80, 60, 30)))
    faceset = run([two, partial, small], tmp_path / "anna")
    found = [(r.file, r.kept, (r.reason or "").partition(":")[0]) for r in faceset.records()]
    assert found == [
        ("a.png", False, "not the largest face"),
        ("a.png", True, ""),
        ("b.png", False, "partial"),
        ("c.png", False, "small"),
    ]
    assert (faceset.kept_count, dict(faceset.dropped)) == (1, {"not the largest face": 1, "partial": 1, "small": 1})
    assert all(faceset.load_crop(r).shape == (64, 64, 3) for r in faceset.records())
    everyone = run([two, partial, small], tmp_path / "all", rules=Rules(all_faces=True, whole=0, smallest=0))
    assert everyone.kept_count == 4


def test_faces_of_which_none_is_kept_are_told(tmp_path: Path) -> None:
    notes: list[str] = []
    assert run([write_png(tmp_path / "a.png", draw((80, 60, 30)))], tmp_path / "anna", note=notes.append).kept_count == 0
    assert "none to keep: small" in notes[0]


def test_no_face_leaves_nothing_behind(tmp_path: Path, video: Path) -> None:
    empty = write_png(tmp_path / "empty.png", draw())
    with pytest.raises(NoFaceError, match=r"found no face in .*empty\.png; "):
        run([empty], tmp_path / "faces")
    assert not (tmp_path / "faces").exists()
    run([video], tmp_path / "faces")
    assert len(run([video, empty], tmp_path / "faces")) == 6


def test_a_second_run_does_nothing_twice(tmp_path: Path, video: Path) -> None:
    run([video], tmp_path / "anna")
    before = contents(tmp_path / "anna")
    again = DrawnDetector()
    run([video], tmp_path / "anna", again)
    assert (again.seen, contents(tmp_path / "anna")) == (0, before)
    notes: list[str] = []
    more = write_png(tmp_path / "clips/more.png", draw((60, 60, 50)))
    copy = tmp_path / "clips/copy.mp4"
    copy.write_bytes(video.read_bytes())
    assert len(run([more, copy], tmp_path / "anna", again, note=notes.append)) == 7
    assert again.seen == 1
    assert notes == [f"{copy} was done before as clip.mp4; skipped"]


def test_force_starts_again(tmp_path: Path, video: Path) -> None:
    run([video], tmp_path / "anna")
    assert len(run([video], tmp_path / "anna", every=5, force=True)) == 3
    assert len(list((tmp_path / "anna/crops").iterdir())) == 3


def _fail_at(number: int, error: BaseException) -> Callable[..., None]:
    def progress(stage: str, done: int, total: int | None) -> None:
        if done == number:
            raise error

    return progress


@pytest.fixture
def footage(tmp_path: Path) -> list[Path]:
    """A picture, two videos with faces and gaps, a picture."""
    gaps = [*walk(4), draw(), draw(), *walk(3, 6), draw((40, 60, 44), (110, 60, 50)), *walk(2, 9), draw()]
    return [
        write_png(tmp_path / "a.png", draw((70, 60, 44))),
        write_video(tmp_path / "b.mp4", gaps),
        write_video(tmp_path / "c.mp4", walk(5)),
        write_png(tmp_path / "d.png", draw((75, 60, 48))),
    ]


@pytest.mark.parametrize("at", [1, 2, 4, 6, 9, 12, 17])
def test_an_interrupted_run_ends_as_an_unbroken_one(tmp_path: Path, footage: list[Path], at: int) -> None:
    run(footage, tmp_path / "unbroken", every=1)
    threads = threading.active_count()
    with pytest.raises(Interrupted, match="the same command goes on"):
        run(footage, tmp_path / "broken", every=1, progress=_fail_at(at, KeyboardInterrupt()))
    assert threading.active_count() == threads
    assert len(Faceset.open(tmp_path / "broken")) <= len(Faceset.open(tmp_path / "unbroken"))
    run(footage, tmp_path / "broken", every=1)
    assert contents(tmp_path / "broken") == contents(tmp_path / "unbroken")


@pytest.mark.parametrize("error", [RuntimeError("a plug-in broke"), KeyboardInterrupt()])
def test_an_error_in_a_stage_stops_the_run_and_the_next_goes_on(tmp_path: Path, footage: list[Path], error: BaseException) -> None:
    wanted = Interrupted if isinstance(error, KeyboardInterrupt) else type(error)
    with pytest.raises(wanted):
        run(footage, tmp_path / "broken", DrawnDetector(9, error), every=1)
    rest = DrawnDetector()
    run(footage, tmp_path / "broken", rest, every=1)
    run(footage, tmp_path / "unbroken", every=1)
    assert rest.seen < 20
    assert contents(tmp_path / "broken") == contents(tmp_path / "unbroken")


def test_a_file_cut_off_at_any_byte_is_repaired(tmp_path: Path, video: Path) -> None:
    """As after a power cut: the second of two inputs is begun, and faces.jsonl ends somewhere within its lines."""
    first = write_png(tmp_path / "a.png", draw((70, 60, 44)))
    out = tmp_path / "anna"
    run([first, video], out)
    whole, faces = contents(out), (out / "faces.jsonl").read_bytes()
    begun = b"".join((out / "inputs.jsonl").read_bytes().splitlines(keepends=True)[:3])
    start = faces.index(b"\n") + 1
    for cut in (start, start + 1, start + 700, start + 2500, len(faces) - 1, len(faces)):
        (out / "faces.jsonl").write_bytes(faces[:cut])
        (out / "inputs.jsonl").write_bytes(begun + b'{"file": "cli')
        Faceset.open(out)
        run([first, video], out)
        assert contents(out) == whole


def test_errors_come_before_any_work(tmp_path: Path, video: Path) -> None:
    out, detector = tmp_path / "anna", DrawnDetector()
    run([video], out)
    before = contents(tmp_path)
    (tmp_path / "other").mkdir()
    other = write_video(tmp_path / "other/clip.mp4", walk(3))
    (tmp_path / "broken.mp4").write_bytes(b"x")
    cases: list[tuple[list[Path], dict[str, Any], type[Exception], str]] = [
        ([video], {"every": 0}, ConfigError, "every must be 1 or more"),
        ([video], {"size": 4}, InputError, "size of the crops"),
        ([video], {"size": 128}, FacesetError, "has size 64, wanted 128"),
        ([video], {"every": 3}, FacesetError, "made with every 2 frames, .* now it is every 3 frames"),
        ([video], {"rules": Rules(smallest=9)}, FacesetError, "smallest=40.*smallest=9"),
        ([other], {}, FacesetError, "another clip.mp4"),
        ([tmp_path / "none.mp4"], {"force": True}, InputError, "does not exist"),
        ([tmp_path / "broken.mp4"], {"force": True}, VideoError, "broken.mp4"),
        ([], {}, InputError, "at least one"),
    ]
    for inputs, settings, error, named in cases:
        with pytest.raises(error, match=named):
            run(inputs, out, detector, **settings)
    with pytest.raises(FacesetError, match="is not a faceset"):
        run([video], tmp_path / "other", detector)
    with pytest.raises(FacesetError, match="is not a faceset"):
        run([video], tmp_path / "other", detector, force=True)
    with pytest.raises(FacesetError, match="has person anna, wanted berta"):
        extract([video], "berta", out, detector=detector, landmarker=DrawnLandmarker(), size=64)
    with pytest.raises(InputError, match="a person's name"):
        extract([video], "../berta", out, detector=detector, landmarker=DrawnLandmarker())
    assert detector.seen == 0
    assert {k: v for k, v in contents(tmp_path).items() if k in before} == before


def test_a_landmarker_that_sees_no_face(tmp_path: Path, video: Path) -> None:
    class Blind(DrawnLandmarker):
        def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
            return [None for _ in faces]

    with pytest.raises(NoFaceError):
        extract([video], "anna", tmp_path / "anna", detector=DrawnDetector(), landmarker=Blind())


def test_a_landmarker_that_is_wrong(tmp_path: Path, video: Path) -> None:
    class Wrong(DrawnLandmarker):
        def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
            good = super().mark(image, faces)
            return [f if f and f.box[0] > 30 else Face(face.box, 0.5, line) for f, face in zip(good, faces, strict=True)]

    line: Landmarks | None = Landmarks(np.stack([np.arange(68.0)] * 2, axis=1), "ibug68")
    notes: list[str] = []
    faceset = extract([video], "anna", tmp_path / "a", detector=DrawnDetector(), landmarker=Wrong(), every=1, note=notes.append)
    # The box is 44 wide and centred on x = 50 + 2 * frame: its left side is beyond 30 from frame 2 on.
    assert [r.frame for r in faceset.records()] == list(range(2, 11))
    assert len(notes) == 2
    assert "clip.mp4, frame 0: a face is left out" in notes[0]
    line = None
    with pytest.raises(PluginError, match="without landmarks"):
        extract([video], "anna", tmp_path / "b", detector=DrawnDetector(), landmarker=Wrong(), every=1)
