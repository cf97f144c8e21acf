"""Second pass over a target: decode and cut, swap in batches, fit and paste, encode; each in its own thread, a few frames apart."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from bianlian.faceset.ahead import ahead, depth_for
from bianlian.model import Swapper, SwapsAt
from bianlian.provenance.mark import Marker
from bianlian.swap.front import Front
from bianlian.swap.layers import Done, SideWriter
from bianlian.swap.plan import Plan
from bianlian.swap.refine import refined_size
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.stages import Artist, cut, draw, join, look, start_at
from bianlian.swap.tracks import Analysis
from bianlian.swap.work import Work
from bianlian.types import Note, Progress, silent
from bianlian.video import WHOLE, Span, VideoInfo
from bianlian.video.segments import SegmentWriter, open_segments

DEPTH = 8
"""Frames between two stages: enough to keep both busy, few enough for 4K."""


@dataclass(frozen=True)
class Rendered:
    """What was rendered. frames: written; resumed: of them by earlier runs; swapped, filled: of them; reasons: (frame index, why)
    of all others."""

    frames: int
    resumed: int
    swapped: int
    filled: int
    reasons: tuple[tuple[int, str], ...]


def render(
    target: Path,
    info: VideoInfo,
    analysis: Analysis,
    plan: Plan,
    swappers: Sequence[Swapper],
    out: Path,
    settings: SwapSettings,
    *,
    work: Work,
    marker: Marker,
    span: Span = WHOLE,
    sides: Sequence[SideWriter] = (),
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Rendered:
    """Write the swapped target; ``out`` appears whole or not at all. swappers: of each part of the cast, all of one size;
    marker: of this output, with the id of ``work``.

    work: gets the finished segments; those that it holds are not made again. span: the part to write. sides: what else is written
    of each frame that is made. The first exception of any stage, Ctrl-C too, stops all of them and is raised here. Raises
    VideoError, OutputError, and what the network raises.
    """
    clock = clock or Clock()
    tally = _Tally(work, plan, settings.segment)
    if work.records:
        note(f"the first {tally.count} frames are those of an interrupted run")
        marker.go_on(tally.begin)
    total = analysis.frames - analysis.first if analysis.span == span else None
    depth = depth_for(info.width, info.height, DEPTH)
    stages = _stages(target, span, analysis, plan, swappers, settings, work, depth, clock, note, layered=bool(sides))
    segments = [record["video"] for record in work.records]
    with ExitStack() as stack:
        for side in sides:
            stack.enter_context(side)
        writer = stack.enter_context(
            open_segments(
                *(out, info, settings.encoding, work.folder, segments, note), start=span.start, stop=span.stop, marks=marker.marks
            )
        )
        for item in stack.enter_context(closing(stages)):
            with clock("mark"):
                frame = marker.frame(item.frame, swapped=bool(item.places))
            with clock("encode"):
                if item.led is not None:
                    tally.cut(writer, item.led)
                writer.write(frame)
            for side in sides:
                with clock("sides"):
                    side.write(item, marker)
            tally.add(item)
            progress("swap", tally.count, total)
        with clock("encode"):
            tally.cut(writer, {})
        progress("swap", tally.count, tally.count)
    return tally.total()


class _Tally:
    """Counts what was rendered, and hands each finished segment over to the work."""

    def __init__(self, work: Work, plan: Plan, segment: int) -> None:
        self._work, self._plan, self._segment = work, plan, segment
        self._before = [record["count"] for record in work.records]
        self._fresh()
        self._next = work.frames
        self.count = self._resumed = sum(count["frames"] for count in self._before)

    def _fresh(self) -> None:
        self._now: dict[str, Any] = {"frames": 0, "swapped": 0, "filled": 0, "skipped": [], "begin": None}

    @property
    def begin(self) -> Fraction | None:
        """Time of the first frame of the output, once its segment is finished; None for pictures without time."""
        begin = self._before[0]["begin"]
        return None if begin is None else Fraction(begin)

    def add(self, item: Done) -> None:
        """Count a frame."""
        self.count += 1
        self._next = self._segment * (item.frame.index // self._segment + 1)
        if not self._now["frames"] and item.frame.seconds is not None:
            self._now["begin"] = str(item.frame.seconds)
        self._now["frames"] += 1
        if item.places:
            self._now["swapped"] += 1
            self._now["filled"] += any(p.filled for p in item.places)
        else:
            self._now["skipped"].append(item.frame.index)

    def cut(self, writer: SegmentWriter, led: Mapping[str, Any]) -> None:
        """End a segment. led: how colour is led after it. The work remembers it, as soon as its frames are safe."""
        if self._now["frames"]:
            self._work.add({"next": self._next, "video": writer.cut(), "count": self._now, "led": led})
            self._before.append(self._now)
            self._fresh()

    def total(self) -> Rendered:
        """Sum up all segments."""
        frames, swapped, filled = (sum(count[key] for count in self._before) for key in ("frames", "swapped", "filled"))
        skipped = [index for count in self._before for index in count["skipped"]]
        return Rendered(frames, self._resumed, swapped, filled, tuple((k, self._plan.reason(k)) for k in skipped))


def _stages(
    target: Path,
    span: Span,
    analysis: Analysis,
    plan: Plan,
    swappers: Sequence[Swapper],
    settings: SwapSettings,
    work: Work,
    depth: int,
    clock: Clock,
    note: Note,
    *,
    layered: bool,
) -> Generator[Done, None, None]:
    """Join the stages from decoding to pasting, each a few frames ahead of the next in its own thread."""
    seen, coverage = swappers[0].size, swappers[0].coverage
    finer = settings.refine > 0 or any(isinstance(swapper, SwapsAt) for swapper in swappers)
    size = refined_size(plan, seen, finer=settings.super) if finer else seen
    first, led = work.frames, work.records[-1]["led"] if work.records else {}
    jobs = ahead(cut(target, span, plan, seen, size, max(0, first - 1), clock, note), depth)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Artist, swappers, size, settings, clock)
        front = Front(coverage) if settings.mask == "learned" else None
        artist = opening.result()
    if front is not None:
        jobs = ahead(look(jobs, front, clock), depth)
    drawn = ahead(draw(start_at(jobs, first), artist, settings.batch, settings.segment), depth)
    return ahead(join(drawn, front, settings, analysis, led, clock, layered=layered), depth)
