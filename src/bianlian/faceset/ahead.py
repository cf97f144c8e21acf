"""Run the stage before in its own thread, a few items ahead, so that stages overlap and memory stays flat."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event
from typing import Generic, TypeVar

T = TypeVar("T")
BUDGET = 1 << 29
"""Bytes of frames between two stages, where a frame is not larger itself."""
_BEAT = 0.2


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


def depth_for(width: int, height: int, most: int) -> int:
    """Choose how many frames of a size may wait between two stages: ``most``, fewer of large ones, at least one."""
    return max(1, min(most, BUDGET // (3 * width * height)))


def ahead(items: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """Run a generator in a thread of its own, at most ``depth`` items ahead; the items and their order stay the same.

    An error in the thread is raised here, after the items before it. Closing this generator (``contextlib.closing``), also on
    an error or Ctrl-C, stops the thread, closes ``items`` there, and waits for it.
    """
    queue: Queue[_Item[T] | None] = Queue(depth)
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        done = pool.submit(_fill, items, queue, stop)
        try:
            yield from _drain(queue)
        finally:
            stop.set()
        done.result()


def _fill(items: Generator[T, None, None], queue: Queue[_Item[T] | None], stop: Event) -> None:
    try:
        with closing(items):
            for item in items:
                if not _put(queue, _Item(item), stop):
                    return
    finally:
        _put(queue, None, stop)


def _put(queue: Queue[_Item[T] | None], item: _Item[T] | None, stop: Event) -> bool:
    while not stop.is_set():
        try:
            queue.put(item, timeout=_BEAT)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[_Item[T] | None]) -> Iterator[T]:
    while True:
        try:
            item = queue.get(timeout=_BEAT)  # a wait without end could not be interrupted by Ctrl-C everywhere
        except Empty:
            continue
        if item is None:
            return
        yield item.value
