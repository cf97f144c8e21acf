"""``bianlian demo``: the whole flow on two small clips of virtual people, with pictures to judge it by."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from time import perf_counter
from typing import Annotated

import cv2
import numpy as np
from rich.console import Console
from tyro.conf import arg

from bianlian import api
from bianlian.commands._show import shown
from bianlian.commands.train import Train
from bianlian.errors import OutputError
from bianlian.files import replacing
from bianlian.provenance.consent import add_consent
from bianlian.provenance.mark import Marker, Origin
from bianlian.swap.report import SwapReport, report_path
from bianlian.types import Frame, Image
from bianlian.video import Marks, VideoWriter, frames, probe

CONSENT = "virtual person, rendered for this demo: nobody's face"
SHEET_COLUMNS = 6


@dataclass(frozen=True)
class Demo:
    """Swap one virtual person's face for another's: extract both, train on this machine, swap, and show; --photo trains nothing.

    Writes swapped.mp4, side_by_side.mp4 (target, result), contact_sheet.png (target above, result below) and result.json with
    the time of every stage.
    """

    out: Annotated[Path, arg(aliases=["-o"])] = Path("demo-out")
    """Folder to write to; a demo that is there already is replaced."""

    minutes: float = 3.0
    """Minutes of training."""

    every: int = 2
    """Use every n-th frame of the clips for training."""

    photo: bool = False
    """Train nothing: know the person from one picture of their clip (photo.png), which takes seconds."""

    def run(self) -> None:
        """Run all stages. Raises the errors of the commands that it runs."""
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        stages = _Stages(console)
        data = files("bianlian").joinpath("data/demo")
        with as_file(data.joinpath("source.mp4")) as source, as_file(data.joinpath("target.mp4")) as target:
            swapped = self.out / "swapped.mp4"
            report = (
                self._from_photo(source, target, swapped, stages) if self.photo else self._trained(source, target, swapped, stages)
            )
            with stages("show"):
                side_by_side(target, report, self.out / "side_by_side.mp4")
                contact_sheet(target, report, self.out / "contact_sheet.png")
        result = {
            "seconds": stages.seconds,
            "total_seconds": round(sum(stages.seconds.values()), 1),
            "training_minutes": 0.0 if self.photo else self.minutes,
            "cores": os.cpu_count(),
            "frames": report.frames,
            "frames_swapped": report.swapped,
            "swap_frames_a_second": round(report.fps, 1),
            "report": report_path(swapped).name,
        }
        with replacing(self.out / "result.json") as path:
            path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        console.print(f"{report.swapped} of {report.frames} frames swapped; look at {self.out / 'contact_sheet.png'}")

    def _trained(self, source: Path, target: Path, out: Path, stages: _Stages) -> SwapReport:
        """Extract both people, train, swap."""
        run = self._fresh_run()
        with stages("extract"):
            self._extract(source, "source")
            self._extract(target, "target")
        with stages("train"):
            faces = (self.out / "faces" / "source", self.out / "faces" / "target")
            Train(faces, run, minutes=self.minutes, score=False).run()  # a score would take seconds of the few minutes
        with stages("swap"), shown() as (progress, note):
            return api.swap(target, run, "source", out, progress=progress, note=note)

    def _from_photo(self, source: Path, target: Path, out: Path, stages: _Stages) -> SwapReport:
        """Take a picture of the source, swap."""
        with stages("photo"):
            self.out.mkdir(parents=True, exist_ok=True)
            photo = self.out / "photo.png"
            picture = cv2.imencode(".png", cv2.cvtColor(next(iter(frames(source))).image, cv2.COLOR_RGB2BGR))[1]
            with replacing(photo) as path:
                path.write_bytes(picture.tobytes())
            add_consent(photo, CONSENT)
        with stages("swap"), shown() as (progress, note):
            return api.swap_from_photos(target, [photo], out, progress=progress, note=note)

    def _fresh_run(self) -> Path:
        """Name a run's folder that is not there yet, so that an older demo's run is kept."""
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out} is a file; choose another folder with -o")
        number = 1
        while (self.out / "runs" / f"{number:03d}").exists():
            number += 1
        return self.out / "runs" / f"{number:03d}"

    def _extract(self, clip: Path, person: str) -> None:
        with shown() as (progress, note):
            out = self.out / "faces" / person
            api.extract([clip], person, out, every=self.every, consent=CONSENT, force=True, progress=progress, note=note)


class _Stages:
    """Times the stages of the demo."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._console.print(f"== {name}")
        start = perf_counter()
        yield
        self.seconds[name] = round(perf_counter() - start, 2)


def side_by_side(target: Path, report: SwapReport, out: Path) -> None:
    """Write a video with each frame of ``target`` left and of the swap right, with the target's times and sound."""
    info, swapped = probe(target), Path(report.output)
    with VideoWriter(out, replace(info, width=2 * info.width), marks=_marks(out, report, (2 * info.width, info.height))) as writer:
        for left, right in zip(frames(target), frames(swapped), strict=True):
            image = np.concatenate([left.image, right.image], axis=1)
            writer.write(Frame(image, left.index, left.pts, left.time_base))


def contact_sheet(target: Path, report: SwapReport, out: Path, columns: int = SHEET_COLUMNS, height: int = 256) -> None:
    """Write a picture of ``columns`` frames spread over the clip: ``target`` above, the swap below."""
    total, swapped = sum(1 for _ in frames(target)), Path(report.output)
    wanted = set(np.linspace(0, total - 1, columns).astype(int).tolist())
    rows = [np.concatenate(_thumbnails(path, wanted, height), axis=1) for path in (target, swapped)]
    sheet = cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
    with replacing(out) as path:
        path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
        _marks(out, report, (sheet.shape[1], sheet.shape[0])).seal(path)


def _marks(out: Path, report: SwapReport, size: tuple[int, int]) -> Marks:
    """Mark what shows a swap as that swap is marked; it is what this was made from."""
    assert report.mark is not None
    people, consents = [part.person for part in report.cast], [f"{part.person}: {part.consent}" for part in report.cast]
    origin = Origin(Path(report.output), report.model, people, consents, report.target_consent)
    return Marker(out, origin, size, number=int(report.mark.id, 16)).marks


def _thumbnails(path: Path, wanted: set[int], height: int) -> list[Image]:
    chosen = [frame.image for frame in frames(path) if frame.index in wanted]
    sizes = [(round(image.shape[1] * height / image.shape[0]), height) for image in chosen]
    pairs = zip(chosen, sizes, strict=True)
    return [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image, size in pairs]
