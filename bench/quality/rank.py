"""Rank agreement: does the summary without a truth order swaps as their distances to the truth do?

usage: python bench/quality/rank.py QUALITY.json...

Each file is what `bianlian bench quality` wrote for one method; all are of the same pairs. For each pair: Spearman's correlation of
each figure that needs no truth with each distance to the truth, signed so that 1 is full agreement. No swap and the truth are left
out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.score.benchmark import NO_SWAP, TRUTH

TRUTHS = {"truth_perceptual": -1, "truth_landmarks": -1, "truth_ssim": 1, "truth_psnr": 1}
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
        mine = np.array([sign * (m[plain] if m[plain] is not None else np.nan) for m in methods.values()])
        each = [spearman(mine, np.array([way * m[truth] for m in methods.values()])) for truth, way in TRUTHS.items()]
        cells.append(" ".join(f"{x:5.2f}" for x in each))
    return f"| {name} | {len(methods)} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
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


if __name__ == "__main__":
    main()
