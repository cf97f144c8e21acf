"""A stage that runs ahead gives the same items, stops when asked, and loses no error."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from bianlian.faceset.ahead import ahead, depth_for


def _count(to: int, log: list[str], fail_at: int | None = None) -> Generator[int, None, None]:
    try:
        for i in range(to):
            if i == fail_at:
                raise OSError("the disk is gone")
            log.append(f"made {i}")
            yield i
    finally:
        log.append(f"closed in {threading.current_thread().name.partition('_')[0]}")


def test_all_items_in_order() -> None:
    assert list(ahead(ahead(_count(50, []), 2), 3)) == list(range(50))


def test_an_error_comes_after_the_items_before_it() -> None:
    items = ahead(ahead(_count(9, [], fail_at=5), 2), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def _fail_at_three(log: list[str], error: type[BaseException]) -> None:
    with closing(ahead(ahead(_count(10**9, log), 2), 2)) as items:
        for item in items:
            if item == 3:
                raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_last_stage_stops_the_threads(error: type[BaseException]) -> None:
    log: list[str] = []
    before = threading.active_count()
    with pytest.raises(error):
        _fail_at_three(log, error)
    assert threading.active_count() == before
    assert log[-1] == "closed in ahead"
    # 4 were taken; 2 + 2 wait in the queues and each thread holds one or two more.
    assert len(log) < 4 + 4 + 2 * 2 + 1


def test_a_generator_that_was_never_started_may_be_closed() -> None:
    ahead(_count(3, []), 1).close()


@pytest.mark.parametrize(("width", "height", "depth"), [(1280, 720, 16), (3840, 2160, 16), (7680, 4320, 5), (30_000, 5_900, 1)])
def test_fewer_large_frames_wait_between_stages(width: int, height: int, depth: int) -> None:
    # 512 MiB over 3 bytes a pixel: 64 frames of 720p, 21 of 4K, 5 of 8K, 1 of the largest
    assert depth_for(width, height, 16) == depth
