"""Rank agreement: does the summary without a truth order swaps as their distances to the truth do?

usage: python bench/quality/rank.py QUALITY.json...

Each file is what `bianlian bench quality` wrote for one method; all are of the same pairs. For each pair: Spearman's correlation of
each figure that needs no truth with each distance to the truth, signed so that 1 is full agreement. No swap and the truth are left
out. Below: the same for the methods' means over all pairs, and over all pairs but one, each left out in turn, to see whether the
agreement hangs on a single pair; and the least and the greatest of these.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.score.benchmark import NO_SWAP, TRUTH

TRUTHS = {"truth_perceptual": -1, "truth_l1": -1, "truth_landmarks": -1, "truth_ssim": 1, "truth_psnr": 1}
"""Figures against the truth, and which way is better."""
PLAIN = {
    "score_without_truth": 1, "id_margin": 1, "pose_error": -1, "expression_missed": -1, "sharpness_ratio": 1, "jitter_excess": -1,
}  # fmt: skip
"""Figures without one."""
Figures = Mapping[str, Mapping[str, float]]
"""By method."""


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank from 0; equal values share the mean of their ranks."""
    return np.array([(np.sum(values < v) + np.sum(values <= v) - 1) / 2 for v in values])


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Correlate ranks; NaN for fewer than three methods or where all are alike."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return float("nan")
    return float(np.corrcoef(ranks(a[known]), ranks(b[known]))[0, 1])


def line(name: str, methods: Figures) -> str:
    """Write one pair's agreement."""
    cells = []
    for plain, sign in PLAIN.items():
        mine = _row(methods, plain, sign)
        each = [spearman(mine, _row(methods, truth, way)) for truth, way in TRUTHS.items()]
        cells.append(" ".join(f"{x:5.2f}" for x in each))
    return f"| {name} | {len(methods)} | " + " | ".join(cells) + " |"


def mean_over(pairs: Mapping[str, Figures]) -> Figures:
    """Average each figure of each method over some pairs; methods and figures that one of the pairs lacks are left out."""
    shared = sorted(set.intersection(*(set(methods) for methods in pairs.values()))) if pairs else []
    return {m: {f: _mean([methods[m].get(f) for methods in pairs.values()]) for f in (*PLAIN, *TRUTHS)} for m in shared}


def left_out(pairs: Mapping[str, Figures]) -> dict[str, Figures]:
    """Average over all pairs but one -> by the pair that was left out."""
    return {name: mean_over({n: methods for n, methods in pairs.items() if n != name}) for name in pairs}


def spread(tables: Mapping[str, Figures]) -> str:
    """Write the least and the greatest agreement of several tables, for each figure with each truth."""
    cells = []
    for plain, sign in PLAIN.items():
        ends = []
        for truth, way in TRUTHS.items():
            each = [spearman(_row(m, plain, sign), _row(m, truth, way)) for m in tables.values()]
            known = [x for x in each if np.isfinite(x)]
            ends.append(f"{min(known):.2f}..{max(known):.2f}" if known else "–")
        cells.append(" ".join(ends))
    return "| least..greatest | | " + " | ".join(cells) + " |"


def _row(methods: Figures, name: str, sign: int) -> NDArray[np.float64]:
    """Give one figure of all methods, more being better; NaN where it was not measured."""
    return np.array([sign * value if (value := m.get(name)) is not None else np.nan for m in methods.values()], float)


def _mean(values: list[float | None]) -> float:
    known = [np.nan if v is None else v for v in values]
    return float(np.mean(known))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    pairs: dict[str, dict[str, dict[str, float]]] = {}
    for path in parser.parse_args().files:
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            if row["method"] not in (NO_SWAP, TRUTH):
                pairs.setdefault(row["pair"], {})[row["method"]] = row
    print(f"each cell: agreement with {', '.join(TRUTHS)}\n")
    print("| pair | methods | " + " | ".join(PLAIN) + " |\n|" + " --- |" * (2 + len(PLAIN)))
    for name, methods in pairs.items():
        print(line(name, methods))
    if len(pairs) > 1:
        print(line("**all**", mean_over(pairs)))
        tables = left_out(pairs)
        for name, methods in tables.items():
            print(line(f"without {name}", methods))
        print(spread(tables))


if __name__ == "__main__":
    main()
