"""Sound files to bend: made here, and small, so that most bends hit something."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from bianlian.align import template
from bianlian.config import to_toml
from bianlian.swap.tracks import Analysis, write_tracks
from bianlian.train.checkpoint import Checkpoint, optimizer_tensors, save_checkpoint
from bianlian.types import Face, Landmarks, Track, TrackPoint
from bianlian.video.exr import write_exr
from bianlian.video.sixteen import write_png16, write_tiff16
from made_faces import make_faceset

Files = Mapping[str, bytes]
"""The files of one input by their relative names."""


def tiny() -> torch.nn.Module:
    """A network that a seed's checkpoint fits."""
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3)


def picture(index: int = 0, width: int = 32, height: int = 24) -> NDArray[np.uint8]:
    """A soft picture, (H, W, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 5 + index * 9, y * 8, np.full_like(x, 90)], axis=-1).clip(0, 255).astype(np.uint8)


def read_all(folder: Path) -> Files:
    """All files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def faceset(folder: Path) -> Files:
    """Three faces, with what curation adds."""
    made = make_faceset(folder, "ana", count=3, size=32)
    passes = {"file": "drawn.mp4", "fingerprint": "0" * 64, "settings": "every 6 frames"}
    lines = [json.dumps({**passes, "done": done}) for done in (False, True)]
    (folder / "inputs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    numbers = ("blur", "level", "burnt", "contrast", "whole", "side", "top")
    measures = [{"id": k, "stamp": "ab12", "face": 0.9, **dict.fromkeys(numbers, 0.5), "hash": f"{k:016x}"} for k in range(3)]
    (folder / "measures.jsonl").write_text("".join(json.dumps(line) + "\n" for line in measures))
    np.save(folder / "embeddings.npy", np.ones((3, 4), np.float32))
    hand = [{"id": 0, "stamp": "ab12", "keep": True}]
    found = [{"id": 1, "stamp": "ab12", "reason": "small: 20 px"}]
    ledger = {"schema": 1, "settings": {"blur": 0.5}, "hand": hand, "extraction": found}
    (folder / "curation.json").write_text(json.dumps(ledger))
    return read_all(made.path)


def tracks(folder: Path) -> Files:
    """Two people over four frames."""
    unit = template("ibug68", 60)
    people = []
    for k, name in enumerate(("person1", None)):
        at = [Landmarks(unit + np.array([20 + 60 * k + f, 30]), "ibug68") for f in range(4)]
        faces = [Face(np.array([*m.points.min(0), *m.points.max(0)]), 0.9, m) for m in at]
        looks = np.linspace(0, 1, 8)
        people.append(Track(k, tuple(TrackPoint(f, face, f == 2, looks if f == 0 else None) for f, face in enumerate(faces)), name))
    names = ("duo", "facemesh", "dlib")
    write_tracks(folder / "o.tracks.jsonl", Analysis("t.mp4", "ab" * 32, 160, 120, 4, Fraction(25), *names, (2,), tuple(people)))
    return read_all(folder)


def report(folder: Path) -> Files:
    """What lies beside an output."""
    encoding = {"codec": "h264", "crf": 18, "preset": "veryfast"}
    values = {"schema": 1, "model": "runs/ab", "person": "ana", "settings": {"detector": "duo", "encoding": encoding}}
    (folder / "o.json").write_text(json.dumps(values))
    return {**tracks(folder), **read_all(folder)}


def run(folder: Path) -> Files:
    """Settings and a checkpoint of a network of fifteen numbers."""
    people = [{"name": name, "faceset": f"faces/{name}", "consent": "drawn"} for name in ("ana", "ben")]
    augment = {"rotation": 10.0, "zoom": 0.05, "shift": 0.05, "flip": 0.4, "warp": 5.0, "light": 0.05, "blur": 0.25}
    model = {"size": 64, "width": "light", "lr": 0.0004, "betas": [0.5, 0.999]}
    rest = {"model": "deepfake", "batch": 2, "precision": "32-true", "start": "scratch", "seed": 0, "schema": 1}
    (folder / "run.toml").write_text(to_toml({**rest, "people": people, "settings": model, "augment": augment}))
    network = tiny()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    state = network.state_dict()
    save_checkpoint(folder, Checkpoint(7, 1.5, state, state, optimizer_tensors(optimizer)))
    (folder / "metrics.jsonl").write_text('{"iteration": 1, "seconds": 0.1, "losses": {"l1": 0.5}}\n' * 2)
    return read_all(folder)


def settings(folder: Path) -> Files:
    """Settings of several kinds as TOML."""
    (folder / "augment.toml").write_text(to_toml({"rotation": 3.0, "flip": 0.5, "warp": 1.0}))
    (folder / "model.toml").write_text(to_toml({"size": 64, "width": "light", "betas": [0.5, 0.9], "structural": 1.0}))
    (folder / "limits.toml").write_text(to_toml({"iterations": 10, "minutes": 1.5, "save_every": 5}))
    (folder / "swap.toml").write_text(to_toml({"faces": "0,3", "erode": 1.0, "batch": 4, "encoding": {"codec": "h264", "crf": 18}}))
    (folder / "curate.toml").write_text(to_toml({"blur": 0.5}))
    return read_all(folder)


def pictures(folder: Path) -> Files:
    """The kinds of pictures that are read, with EXIF, profiles, palettes, tiles, 16 bits, linear light and transparency."""
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    plain = Pillow.fromarray(picture())
    plain.save(folder / "a.png", exif=exif)
    plain.quantize(8).save(folder / "palette.png", transparency=0)
    Pillow.fromarray(picture()[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    plain.save(folder / "b.jpg", exif=exif, quality=80)
    plain.save(folder / "progressive.jpg", progressive=True)
    plain.convert("CMYK").save(folder / "ink.jpg")
    plain.save(folder / "c.webp", quality=80)
    plain.save(folder / "d.bmp")
    for name, how in (("e.tif", "raw"), ("packed.tif", "tiff_lzw"), ("fax.tiff", "tiff_adobe_deflate")):
        plain.save(folder / name, compression=how)
    deep = picture().astype(np.uint16) * 257
    write_png16(folder / "f.png", deep, profile=b"profile", exif=exif.tobytes(), xmp=b"<x/>")
    write_tiff16(folder / "g.tif", deep, profile=b"profile", xmp=b"<x/>")
    light = np.asarray(np.dstack([picture(), picture()[..., :1]]) / 100, np.float32)
    write_exr(folder / "h.exr", light, alpha=True)
    write_exr(folder / "i.exr", light.astype(np.float16).astype(np.float32), alpha=False)
    return read_all(folder)


def videos(folder: Path) -> Files:
    """Five frames in each container, with sound and words in some."""
    for name, codec, sound in (
        ("a.mp4", "libx264", "aac"),
        ("b.mkv", "libx264", "pcm_s16le"),
        ("c.webm", "libvpx-vp9", "libopus"),
        ("d.avi", "mpeg4", ""),
        ("e.mov", "mjpeg", ""),
        ("f.mkv", "ffv1", ""),
        ("g.ts", "mpeg2video", ""),
    ):
        _video(folder / name, codec, sound)
    return read_all(folder)


def _video(path: Path, codec: str, sound: str) -> None:
    with av.open(str(path), "w") as out:
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream: Any = out.add_stream(codec, rate=25, width=64, height=48, pix_fmt=pixels)
        tone: Any = out.add_stream(sound, rate=48000, layout="mono") if sound else None
        for k in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(k, 64, 48), format="rgb24").reformat(format=pixels)))
        out.mux(stream.encode(None))
        if tone is not None:
            wave = np.zeros((1, 9600), np.int16 if "s16" in tone.codec_context.format.name else np.float32)
            heard = av.AudioFrame.from_ndarray(wave, tone.codec_context.format.name, "mono")
            heard.sample_rate, heard.pts = 48000, 0
            out.mux(tone.encode(heard))
            out.mux(tone.encode(None))


def archives(folder: Path) -> Files:
    """A wheel and a source archive with one member each."""
    data = bytes(range(256)) * 4
    with zipfile.ZipFile(folder / "a.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("p/weights.bin", data)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("p/weights.bin")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return read_all(folder)


def planted(folder: Path) -> Files:
    """Names of what ``fuzz_kinds.planted`` does."""
    return dict.fromkeys(("raise", "write", "eat"), b"sound")


SEEDS: Mapping[str, Callable[[Path], Files]] = {
    "faceset": faceset,
    "tracks": tracks,
    "report": report,
    "run": run,
    "settings": settings,
    "picture": pictures,
    "video": videos,
    "archive": archives,
    "planted": planted,
    "fatal": lambda folder: {"die": b"sound"},
}
"""Maker of the seeds of each kind of input."""
