"""How well the watermark is read after what happens to files, how much it shows, what it costs, and how often it is seen in vain.

python bench/quality/watermark.py [CLIP_OR_PICTURE ...] [--unmarked FOLDER]

Without arguments: the demo's target. Each is marked with an id of its own, put through each change, and read.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter, thread_time

import av
import cv2
import numpy as np

import bianlian
from bianlian.provenance.search import find
from bianlian.provenance.watermark import Stamp, id_of
from bianlian.types import Image
from bianlian.video import frames, list_pictures, read_picture

DEMO = Path(bianlian.__file__).parent / "data" / "demo" / "target.mp4"
FRAMES = 12
Change = Callable[[list[Image]], list[Image]]


def h264(crf: int) -> Change:
    """Encode and decode, 25 frames a second, as the swap's default preset does."""

    def change(images: list[Image]) -> list[Image]:
        height, width = (side // 2 * 2 for side in images[0].shape[:2])
        file = io.BytesIO()
        with av.open(file, "w", format="mp4") as out:
            options = {"crf": str(crf), "preset": "veryfast"}
            stream = out.add_stream("libx264", rate=25, width=width, height=height, pix_fmt="yuv420p", options=options)
            for image in images:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
                out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
        file.seek(0)
        with av.open(file) as container:
            return [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in container.decode(video=0)]

    return change


def jpeg(quality: int) -> Change:
    """Encode and decode each picture, 4:2:0."""

    def one(image: Image) -> Image:
        data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        back = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert back is not None
        return np.ascontiguousarray(back[..., ::-1])

    return lambda images: [one(image) for image in images]


def resize(factor: float) -> Change:
    """Scale each picture."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return lambda images: [np.asarray(cv2.resize(i, None, fx=factor, fy=factor, interpolation=how), np.uint8) for i in images]


def crop(images: list[Image]) -> list[Image]:
    """Cut 10 % of width and height away, unevenly."""
    height, width = images[0].shape[:2]
    rows, columns = slice(int(0.07 * height), int(0.97 * height)), slice(int(0.02 * width), int(0.92 * width))
    return [np.ascontiguousarray(image[rows, columns]) for image in images]


def screen(images: list[Image]) -> list[Image]:
    """Show in a window, scaled to 83 %, on a dark desk, and take a picture of the whole screen."""
    return [np.pad(image, ((61, 40), (97, 58), (0, 0)), constant_values=32) for image in resize(0.83)(images)]


def chain(*changes: Change) -> Change:
    """One change after another."""

    def change(images: list[Image]) -> list[Image]:
        for one in changes:
            images = one(images)
        return images

    return change


STILL: dict[str, Change] = {
    "nothing": lambda images: images,
    "JPEG 90": jpeg(90),
    "JPEG 75": jpeg(75),
    "JPEG 60": jpeg(60),
    "resize 0.5": resize(0.5),
    "resize 0.75": resize(0.75),
    "resize 1.25": resize(1.25),
    "resize 1.5": resize(1.5),
    "crop 10 %": crop,
    "crop 10 %, JPEG 75": chain(crop, jpeg(75)),
    "screenshot, JPEG 75": chain(screen, jpeg(75)),
}
MOVING: dict[str, Change] = {
    "H.264 crf 18": h264(18),
    "H.264 crf 23": h264(23),
    "H.264 crf 28": h264(28),
    "crf 18, then crf 28": chain(h264(18), h264(28)),
    "crf 18, resize 0.5, crf 23": chain(h264(18), resize(0.5), h264(23)),
    "crf 18, resize 1.5, crf 28": chain(h264(18), resize(1.5), h264(28)),
    "crf 18, crop 10 %, crf 28": chain(h264(18), crop, h264(28)),
    "crf 18, screen capture, crf 23": chain(h264(18), screen, h264(23)),
}


def load(path: Path) -> list[Image]:
    """Read a picture, or the first frames of a clip."""
    return [frame.image for frame in islice(frames(path), FRAMES)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--unmarked", type=Path, help="folder of pictures to look for marks in that are not there")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    loaded = [load(path) for path in options.files or [DEMO]]
    numbers = [id_of(f"file {k}") for k in range(len(loaded))]
    stamps = [Stamp(n, images[0].shape[1], images[0].shape[0]) for n, images in zip(numbers, loaded, strict=True)]
    marked = [[stamp(image) for image in images] for stamp, images in zip(stamps, loaded, strict=True)]
    _show_cost(loaded, marked, stamps)
    print(f"{'change':<32}{'1 frame: ids':>13}{'bits':>8}{f'{FRAMES} frames: ids':>17}{'bits':>8}{'seconds':>9}")
    for name, change in (STILL | MOVING).items():
        those = [(n, change(m)) for n, m in zip(numbers, marked, strict=True) if name in STILL or len(m) > 1]
        if those:
            one, many = [(n, m[-1:]) for n, m in those], [(n, m) for n, m in those if len(m) > 1]
            print(f"{name:<32}{_read(one)}{_read(many, timed=True)}", flush=True)
    _show_unmarked(loaded, options.unmarked)


def _show_cost(loaded: Sequence[list[Image]], marked: Sequence[list[Image]], stamps: Sequence[Stamp]) -> None:
    for images, with_mark, stamp in zip(loaded, marked, stamps, strict=True):
        errors = [float(np.mean((a.astype(np.float64) - b) ** 2)) for a, b in zip(images, with_mark, strict=True)]
        spent = []
        for _ in range(9):
            start = thread_time()
            stamp(images[0])
            spent.append(1e3 * (thread_time() - start))
        height, width = images[0].shape[:2]
        decibels = 10 * np.log10(255**2 / np.array(errors))
        print(f"{width} x {height}: PSNR {decibels.min():.1f} dB or more, {np.median(spent):.1f} ms a frame of one core")


def _read(those: Sequence[tuple[int, list[Image]]], timed: bool = False) -> str:
    start = perf_counter()
    found = [(number, find(images)) for number, images in those]
    seconds = (perf_counter() - start) / max(1, len(those))
    right = [f for number, f in found if f is not None and f.number == number]
    bits = f"{100 * np.mean([f.agree for f in right]):.1f} %" if right else "-"
    ids = f"{len(right)}/{len(those)}" if those else "-"
    return f"{ids:>17}{bits:>8}{seconds:>9.1f}" if timed else f"{ids:>13}{bits:>8}"


def _show_unmarked(loaded: Sequence[list[Image]], folder: Path | None) -> None:
    def pictures() -> Iterator[list[Image]]:
        yield from loaded
        for images in loaded:
            yield from ([image] for image in images)
        for path in list_pictures(folder) if folder else ():
            yield [read_picture(path)]

    found = [find(images) is not None for images in pictures()]
    print(f"unmarked: {sum(found)} of {len(found)} taken for marked")


if __name__ == "__main__":
    main()
