"""Time things fairly: warm-up, several runs taken in turns, median and spread, ratio against a named baseline."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from time import perf_counter


def compare(title: str, cases: Mapping[str, Callable[[], object]], *, warm: int = 2, runs: int = 7) -> None:
    """Time each case and print a table; the first case is the baseline.

    The cases take turns, so that a change of the machine's load hits all of them.
    """
    for case in cases.values():
        for _ in range(warm):
            case()
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, case in cases.items():
            start = perf_counter()
            case()
            times[name].append(perf_counter() - start)
    base = statistics.median(next(iter(times.values())))
    print(f"{title} ({runs} runs in turns after {warm} warm-up runs)")
    for name, values in times.items():
        middle = statistics.median(values)
        low, high = 1e3 * min(values), 1e3 * max(values)
        print(f"  {name:<34}{1e3 * middle:9.1f} ms   min {low:8.1f}   max {high:8.1f}   {base / middle:5.2f}x")


if __name__ == "__main__":
    compare("an empty function, to see the cost of timing", {"empty": lambda: None})
