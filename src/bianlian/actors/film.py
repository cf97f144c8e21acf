"""Clips of rendered people with the truth about every frame: one person, a pair for the benchmark, two people in one scene.

Frames are drawn by several threads and written in order; each depends on its number alone, so that the same seed gives the same
frames however many threads there are. Files and folders are written whole or not at all.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor, swapped
from bianlian.actors.backdrop import backdrop
from bianlian.actors.occluders import Occluder, occlude
from bianlian.actors.performance import Performance, Script, random_performance, still
from bianlian.actors.renderer import Renderer, frame_camera
from bianlian.errors import ConfigError
from bianlian.files import discard, keep, new_part_folder, replacing, writing
from bianlian.types import Frame, Image, Points, Progress, silent
from bianlian.video import Encoding, ImageWriter, Marks, VideoInfo, VideoWriter

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
"""IPTC's word for a picture that no camera took and no trained network drew."""
SCENE = (1280, 720)
"""Width and height of a scene of two."""
_MARKS = Marks({"DigitalSourceType": SOURCE_TYPE, "comment": "rendered people, by bianlian"})
Made = TypeVar("Made")
_SMALLEST, _LARGEST = 64, 2160
_LOSSLESS = Encoding("h264", crf=0)


@dataclass(frozen=True)
class Look:
    """How clips are drawn and kept. Raises ConfigError for a value out of range."""

    size: int = 512
    """Side of square frames in pixels, an even number."""

    crf: int = 16
    """Quality of the video, 0 to 51, lower is better."""

    workers: int | None = None
    """Threads; all cores when left out."""

    def __post_init__(self) -> None:
        if not _SMALLEST <= self.size <= _LARGEST or self.size % 2:
            raise ConfigError(f"size must be an even number of {_SMALLEST} to {_LARGEST} pixels, got {self.size}")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers must be 1 or more, got {self.workers}")
        self.encoding  # noqa: B018  # checks crf

    @property
    def encoding(self) -> Encoding:
        """What the video is encoded with."""
        return Encoding("h264", crf=self.crf, preset="medium")


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame. image (H, W, 3); mask (H, W): see ``shade``; hidden (H, W): by what stands before, None for nothing;
    landmarks (68, 2)."""

    image: Image
    mask: NDArray[np.uint8]
    hidden: NDArray[np.uint8] | None
    landmarks: Points


def shots(
    renderer: Renderer, actor: Actor, act: Performance, look: Look, *, occluder: Occluder | None = None, seed: int = 0
) -> Iterator[Shot]:
    """Draw a person who plays a performance, frame by frame. occluder: what is before the face, its looks fixed by ``seed``."""
    under = backdrop(act.backdrop, look.size, look.size)

    def draw(k: int) -> Shot:
        image, mask, landmarks = renderer.frame(actor, act, k, under)
        if occluder is None:
            return Shot(image, mask, None, landmarks)
        image, hidden = occlude(occluder, image, landmarks, seed, float(k / act.rate))
        return Shot(image, mask, hidden, landmarks)

    return in_order(draw, len(act), look.workers)


def in_order(make: Callable[[int], Made], count: int, workers: int | None) -> Iterator[Made]:
    """Make things number 0 to count - 1 on several threads, a few ahead -> each in its turn. An exception comes out in its turn."""
    threads = workers or os.cpu_count() or 1
    ahead: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, "render") as pool:
        try:
            for k in range(count + 2 * threads):
                if k < count:
                    ahead.append(pool.submit(make, k))
                if k >= 2 * threads:
                    yield ahead.popleft().result()
        finally:
            for left in ahead:
                left.cancel()


def film(
    renderer: Renderer,
    actor: Actor,
    act: Performance,
    out: Path,
    look: Look,
    *,
    mask: Path | None = None,
    hidden: tuple[Path, Occluder] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Write a clip -> its landmarks (n, 68, 2), pixels.

    mask: where to write the masks (lossless grey). hidden: where to write what is hidden, and by what; its looks are fixed by
    ``seed``. Raises OutputError, and as ``Renderer.pose``.
    """
    found, size = [], (look.size, look.size)
    occluder = hidden[1] if hidden else None
    with ExitStack() as files:
        video = files.enter_context(opened(out, size, act.rate, look.encoding))
        masks = files.enter_context(opened(mask, size, act.rate, _LOSSLESS)) if mask else None
        covers = files.enter_context(opened(hidden[0], size, act.rate, _LOSSLESS)) if hidden else None
        for k, shot in enumerate(shots(renderer, actor, act, look, occluder=occluder, seed=seed)):
            video.write(Frame(shot.image, k))
            for writer, plane in ((masks, shot.mask), (covers, shot.hidden)):
                if writer is not None and plane is not None:
                    writer.write(Frame(np.ascontiguousarray(np.repeat(plane[..., None], 3, axis=2)), k))
            found.append(shot.landmarks)
            progress(out.stem, k + 1, len(act))
    return np.asarray(found, np.float32)


def film_person(
    renderer: Renderer,
    actor: Actor,
    act: Performance,
    out: Path,
    look: Look,
    *,
    occluder: Occluder | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> None:
    """Write one talking head: OUT.mp4, OUT_mask.mp4, OUT_gt.npz, and OUT_occlusion.mp4 with something before the face."""
    named = {name: out.with_name(f"{out.stem}_{name}{out.suffix}") for name in ("mask", "occlusion")}
    hidden = None if occluder is None else (named["occlusion"], occluder)
    landmarks = film(renderer, actor, act, out, look, mask=named["mask"], hidden=hidden, seed=seed, progress=progress)
    write_truth(out.with_name(f"{out.stem}_gt.npz"), act, {"landmarks68": landmarks, "person": np.array(actor.name)})


def film_pair(
    renderer: Renderer, target: Actor, source: Actor, act: Performance, out: Path, look: Look, *, progress: Progress = silent
) -> None:
    """Write a pair for ``bianlian bench quality`` as a new folder.

    target.mp4: the target plays. truth_face.mp4: the same with the source's inner face in the target's skin tone. truth.mp4: the
    source plays the same. source.jpg: the source, looking straight ahead. target_mask.mp4, gt.npz: the truth about the target,
    with landmarks68_truth and landmarks68_truth_face beside its landmarks68. Raises OutputError, also for a folder that holds
    something.
    """
    both = swapped(renderer.head, target, source)
    with whole_folder(out) as part:
        marks = film(renderer, target, act, part / "target.mp4", look, mask=part / "target_mask.mp4", progress=progress)
        truth = film(renderer, source, act, part / "truth.mp4", look, progress=progress)
        face = film(renderer, both, act, part / "truth_face.mp4", look, progress=progress)
        write_portrait(part / "source.jpg", renderer, source, act.backdrop + 1, look.size)
        truths = {"landmarks68": marks, "landmarks68_truth": truth, "landmarks68_truth_face": face}
        names = {"target": np.array(target.name), "source": np.array(source.name)}
        write_truth(part / "gt.npz", act, {**truths, **names})


def film_two(
    renderer: Renderer, people: tuple[Actor, Actor], acts: tuple[Performance, Performance], out: Path, look: Look, *,
    progress: Progress = silent,
) -> None:  # fmt: skip
    """Write a scene of two, 1280 x 720: both, one leaves, nobody, a cut to another room, then they change places.

    OUT.mp4, and OUT_gt.json: for each frame a list of faces with id, landmarks68, yaw, pitch and roll. acts: of equal length.
    look: its size does not count. Raises OutputError.
    """
    width, height = SCENE
    rooms = [backdrop(acts[0].backdrop + 5 + k, height, width) for k in range(2)]
    n = len(acts[0])

    def draw(k: int) -> tuple[Image, list[dict[str, object]]]:
        image, faces = rooms[k >= round(0.68 * n)], []
        for one, centre in _on_stage(k, n):
            act = acts[one]
            posed = renderer.pose(people[one], act, k)
            camera = frame_camera(560, act.shift[k].tolist(), float(act.scale[k]), np.array(centre))
            image, _ = renderer.draw(posed, camera, image, act, k)
            pose = {name: round(float(getattr(act, name)[k]), 2) for name in ("yaw", "pitch", "roll")}
            faces.append({"id": people[one].name, "landmarks68": np.round(posed.landmarks(camera), 1).tolist(), **pose})
        return image, faces

    truth = []
    with opened(out, SCENE, acts[0].rate, look.encoding) as video:
        for k, (image, faces) in enumerate(in_order(draw, n, look.workers)):
            video.write(Frame(image, k))
            truth.append(faces)
            progress(out.stem, k + 1, n)
    with replacing(out.with_name(f"{out.stem}_gt.json")) as part:
        part.write_text(json.dumps(truth) + "\n", encoding="utf-8")


def _on_stage(k: int, n: int) -> list[tuple[int, tuple[float, float]]]:
    """Say who is seen in frame k of n, and around where."""
    cut = round(0.68 * n)
    if k >= cut:
        way = 640 * (k - cut) / (n - cut)
        return [(0, (320 + way, 430)), (1, (960 - way, 410))]
    if 0.6 * n <= k:
        return []
    return [(0, (320, 430))] if 0.4 * n <= k else [(0, (320, 430)), (1, (960, 410))]


def write_portrait(out: Path, renderer: Renderer, actor: Actor, seed: int, size: int) -> None:
    """Write a picture of somebody who looks straight ahead. Raises OutputError."""
    act = still(seed)
    write_picture(out, renderer.frame(actor, act, 0, backdrop(act.backdrop, size, size))[0])


def write_picture(out: Path, image: Image) -> None:
    """Write a rendered picture. Raises OutputError."""
    like = VideoInfo(Path("rendered"), "image", image.shape[1], image.shape[0], "", "RGB")
    with ImageWriter(out, like, bare=True) as writer:
        writer.write(Frame(image, 0))


def contact_sheet(renderer: Renderer, people: list[Actor], *, size: int, columns: int, seed: int) -> Image:
    """Draw a row of frames for each person, of a performance of their own."""
    rows = []
    for k, actor in enumerate(people):
        act = random_performance(seed + k, Script(200))
        under = backdrop(act.backdrop, size, size)
        rows.append(np.hstack([renderer.frame(actor, act, int(i), under)[0] for i in np.linspace(0, 199, columns)]))
    return np.vstack(rows)


def write_truth(path: Path, act: Performance, found: dict[str, NDArray[np.generic]]) -> None:
    """Write the truth about a clip: its performance, and what was found. Raises OutputError."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **found, **act.columns())  # type: ignore[arg-type]


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder to fill; on a clean exit it takes the name ``out``. Raises OutputError, also where ``out`` holds something."""
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    part = new_part_folder(out)
    try:
        yield part
        keep(part, out)
    finally:
        discard(part)


def opened(out: Path, size: tuple[int, int], rate: Fraction, encoding: Encoding) -> VideoWriter:
    """Open a video of rendered frames, marked as such."""
    like = VideoInfo(Path("rendered"), "folder", *size, "", "RGB")
    return VideoWriter(out, like, encoding, rate=rate, marks=_MARKS)
