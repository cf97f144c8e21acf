"""The marks of a whole swap: found, checked, and still there after what happens to files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from bianlian.cli import main
from bianlian.provenance.glimpse import glimpses
from bianlian.provenance.mark import Marker, Origin
from bianlian.provenance.search import find
from bianlian.provenance.verify import verify
from bianlian.provenance.watermark import Stamp, id_of, id_text
from bianlian.types import Frame
from bianlian.video import Encoding, frames, open_writer, probe

DEMO_FRAMES = 8


def made(target: Path, out: Path, **origin: object) -> str:
    """Mark a target as the swap does, with every frame taken as swapped -> the id; OUT.json says how it was marked."""
    info = probe(target)
    whole = Origin(target, "runs/1", ("ana",), ("ana: signed",), "given", **origin)  # type: ignore[arg-type]
    marker = Marker(out, whole, (info.width, info.height), number=id_of(out.name))
    with open_writer(out, info, Encoding(preset="ultrafast"), marks=marker.marks) as writer:
        for frame in frames(target):
            writer.write(marker.frame(frame, swapped=True))
    marked = marker.marked
    mark = {"id": marked.id, "sha256": dict(marked.sha256)}
    (out.with_suffix(".json") if out.suffix else out.with_name(out.name + ".json")).write_text(json.dumps({"mark": mark}))
    return marked.id


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, demo_frames: list[Frame]) -> Path:
    """A short clip of a virtual person."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, width=512, height=512, pix_fmt="yuv420p", options={"preset": "ultrafast"})
        for k in range(DEMO_FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(demo_frames[0].image, 2 * k, 1), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def output(clip: Path, tmp_path: Path) -> tuple[Path, str]:
    out = tmp_path / "out.mp4"
    return out, made(clip, out)


def stripped(path: Path, out: Path, crf: int = 23) -> Path:
    """Encode a video anew with none of its metadata."""
    with av.open(str(path)) as old, av.open(str(out), "w") as new:
        stream = new.add_stream("libx264", rate=25, width=512, height=512, pix_fmt="yuv420p", options={"crf": str(crf)})
        for frame in old.decode(video=0):
            new.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        new.mux(stream.encode(None))
    return out


def test_an_output_is_marked_and_intact(output: tuple[Path, str]) -> None:
    path, number = output
    found = verify(path)
    assert (found.state, found.id, found.reasons) == ("intact", number, ())
    assert found.manifest is not None
    assert (found.manifest.state, found.manifest.parents) == ("Trusted", ("clip.mp4",))
    assert found.manifest.facts["consent"] == ["ana: signed"]
    assert found.manifest.facts["target_consent"] == "given"
    assert found.metadata is not None
    assert (found.metadata.produce_id, found.metadata.source_type is not None) == (number, True)
    assert found.watermark is not None
    assert found.report == path.with_suffix(".json")


@pytest.mark.parametrize("where", [0.1, 0.5, 0.97])
def test_a_changed_byte_is_seen(output: tuple[Path, str], where: float) -> None:
    path, number = output
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1
    path.write_bytes(data)
    found = verify(path)
    assert (found.state, found.id) == ("altered", number)


def test_encoded_anew_without_metadata_it_is_still_known(output: tuple[Path, str], tmp_path: Path) -> None:
    path, number = output
    found = verify(stripped(path, tmp_path / "other name.mp4"))
    assert (found.state, found.id, found.manifest, found.metadata) == ("altered", number, None, None)
    assert found.report == path.with_suffix(".json")
    assert "the manifest is gone" in found.reasons
    (tmp_path / "reports").mkdir()
    path.with_suffix(".json").rename(tmp_path / "reports" / "any.json")
    assert verify(tmp_path / "other name.mp4", tmp_path / "reports").report == tmp_path / "reports" / "any.json"


def test_a_short_marked_scene_of_a_long_film_is_found(demo_frames: list[Frame], tmp_path: Path) -> None:
    film, stamp = tmp_path / "film.mp4", Stamp(77, 320, 320)
    with av.open(str(film), "w") as out:
        options = {"crf": "18", "preset": "ultrafast", "g": "10"}
        stream = out.add_stream("libx264", rate=25, width=320, height=320, pix_fmt="yuv420p", options=options)
        for k in range(700):
            picture = np.ascontiguousarray(np.roll(demo_frames[k % len(demo_frames)].image, (3 * k, 5 * k), (0, 1))[:320, :320])
            picture = stamp(picture) if 445 <= k < 480 else picture
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    assert find(glimpses(film)) is None
    found = verify(film)
    assert (found.state, found.id) == ("altered", id_text(77))


def test_what_was_not_made_here_has_no_mark(clip: Path) -> None:
    found = verify(clip)
    assert (found.state, found.id, found.reasons, found.watermark) == ("none", None, (), None)


@pytest.mark.parametrize("name", ["out.mov", "out.avi", "out.mkv"])
def test_other_containers(clip: Path, tmp_path: Path, name: str) -> None:
    number = made(clip, tmp_path / name)
    found = verify(tmp_path / name)
    assert (found.state, found.id, found.reasons) == ("intact", number, ())
    assert found.metadata is not None
    assert (tmp_path / "out.c2pa").exists() == (name == "out.mkv")
    if name == "out.mkv":
        (tmp_path / "out.c2pa").unlink()
        assert verify(tmp_path / name).state == "altered"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_pictures(demo_frames: list[Frame], tmp_path: Path, suffix: str) -> None:
    target, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    Pillow.fromarray(demo_frames[0].image).save(target)
    number = made(target, out)
    found = verify(out)
    assert (found.state, found.id, found.reasons) == ("intact", number, ())
    assert (found.metadata is None) == (suffix == ".bmp")
    Pillow.open(out).convert("RGB").save(tmp_path / "again.jpg", quality=75)
    again = verify(tmp_path / "again.jpg")
    assert (again.state, again.id, again.manifest) == ("altered", number, None)


def test_a_folder_of_pictures(demo_frames: list[Frame], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k, frame in enumerate(demo_frames[:3]):
        Pillow.fromarray(frame.image).save(tmp_path / "in" / f"{k}.png")
    number = made(tmp_path / "in", tmp_path / "out")
    found = verify(tmp_path / "out")
    assert (found.state, found.id, found.reasons) == ("intact", number, ())
    shutil.copy(tmp_path / "in" / "0.png", tmp_path / "out" / "1.png")
    found = verify(tmp_path / "out")
    assert (found.state, found.id) == ("altered", number)
    assert any("pictures changed" in reason for reason in found.reasons)


def test_a_manifest_of_the_input_is_kept(output: tuple[Path, str], tmp_path: Path) -> None:
    path, first = output
    second = made(path, tmp_path / "second.mp4")
    found = verify(tmp_path / "second.mp4")
    assert second != first
    assert found.manifest is not None
    assert (found.manifest.facts["id"], found.manifest.parents) == (second, ("out.mp4",))
    assert found.manifest.state == "Trusted"


def test_another_signer_is_not_trusted_but_known_to_be_another(
    output: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, number = output
    monkeypatch.setenv("BIANLIAN_DATA", str(tmp_path / "elsewhere"))
    found = verify(path)
    assert found.manifest is not None
    assert (found.state, found.id, found.manifest.state) == ("intact", number, "Valid")


def test_the_command_and_its_exit_codes(
    output: tuple[Path, str], clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, number = output
    assert main(["verify", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "marked and intact" in shown
    assert number in shown
    other = stripped(path, tmp_path / "b.mp4")
    assert main(["verify", str(path), str(other), "--json"]) == 1
    values = json.loads(capsys.readouterr().out)
    assert [(v["state"], v["id"]) for v in values] == [("intact", number), ("altered", number)]
    assert main(["verify", str(path), str(clip)]) == 3
    assert "no mark of bianlian" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "nothing.mp4")]) == 2
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    assert main(["verify", str(tmp_path / "broken.mp4")]) == 2
