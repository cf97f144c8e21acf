"""Read output, target and truth in step, and refuse what does not belong together."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from bianlian.errors import InputError
from bianlian.faceset.ahead import ahead
from bianlian.types import Frame
from bianlian.video import VideoInfo, frames, probe

_AHEAD = 4

Together = tuple[Frame, Frame, "Frame | None"]
"""Target, output and truth of one moment."""


def check(out: Path, target: Path, truth: Path | None) -> tuple[VideoInfo, VideoInfo]:
    """Probe output and target, and compare what can be compared before the work.

    Raises VideoError for what cannot be read, InputError for other sizes, kinds or lengths.
    """
    infos = {"the target": probe(target), "the output": probe(out)}
    if truth is not None:
        infos["the truth"] = probe(truth)
    first = infos["the target"]
    for name, info in infos.items():
        if (info.kind == "image") != (first.kind == "image"):
            raise InputError(f"{name} {info.path} and the target {target} must both be pictures, or both videos or folders")
        if (info.width, info.height) != (first.width, first.height):
            raise InputError(
                f"{name} {info.path} is {info.width} x {info.height}, the target {target} {first.width} x {first.height}; "
                "a score wants the same size (scale the one that was scaled back)"
            )
    return infos["the target"], infos["the output"]


def together(out: Path, target: Path, truth: Path | None, every: int) -> Iterator[Together]:
    """Read all of them in step, each decoded once in a thread of its own; every ``every``-th frame.

    Raises InputError when one ends before the others, or shows a frame of another size.
    """
    names = ["the target", "the output"] + (["the truth"] if truth is not None else [])
    paths = [target, out] + ([truth] if truth is not None else [])
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(ahead(_read(path, every), _AHEAD))) for path in paths]
        count = 0
        while True:
            now = [next(stream, None) for stream in streams]
            there = [f for f in now if f is not None]
            if not there:
                return
            if len(there) < len(now):
                ended = next(k for k, f in enumerate(now) if f is None)
                raise InputError(
                    f"{names[ended]} {paths[ended]} has about {count * every} frames, fewer than the others; "
                    "a score wants the same frames in all (a swap keeps each of them)"
                )
            _same(names, paths, there)
            count += 1
            yield there[0], there[1], there[2] if truth is not None else None


def _same(names: list[str], paths: list[Path], now: list[Frame]) -> None:
    for name, path, frame in zip(names[1:], paths[1:], now[1:], strict=True):
        if frame.image.shape != now[0].image.shape:
            (h, w), (th, tw) = frame.image.shape[:2], now[0].image.shape[:2]
            raise InputError(f"frame {frame.index} of {name} {path} is {w} x {h}, that of the target {tw} x {th}")


def _read(path: Path, every: int) -> Generator[Frame, None, None]:
    yield from frames(path, every=every)
