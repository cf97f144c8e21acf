"""Does favouring who is drawn worse help the weaker direction? The same training with equal batches and with balanced ones.

usage: python bench/quality/balance.py FACESET FACESET [--strengths 0,1,2] [--iterations 800] [--size 64] [--batch 6] [--keep 0.1]
       [--from scratch] [--every 250]

Every run sees as many faces a step, the same number of steps, the same held-out faces. Printed for each strength and direction, on
held-out frames: what is not drawn of the source, what is lost of the target, likeness, error of the expression (see
``train.evaluate``), and the mean and the worse one of the two directions. --keep leaves that share of the first person's faces to
train on, spread over the footage: asymmetry made to order, for a person of whom there is little footage.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from bianlian.faceset.store import FACES, Faceset
from bianlian.train.evaluate import evaluate, open_eyes
from bianlian.train.loop import Limits, train
from bianlian.train.settings import TrainSettings
from bianlian.train.start import Choices, begin


def thinned(path: Path, share: float, out: Path) -> Path:
    """Copy a faceset with only a share of its faces."""
    shutil.copytree(path, out)
    lines = (path / FACES).read_text(encoding="utf-8").splitlines()
    step = max(1, round(1 / share))
    (out / FACES).write_text("".join(line + "\n" for line in lines[::step]), encoding="utf-8")
    return out


def main() -> None:
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facesets", nargs=2, type=Path)
    parser.add_argument("--strengths", default="0,1,2")
    parser.add_argument("--iterations", type=int, default=800)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", default="light")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--keep", type=float, default=1.0)
    parser.add_argument("--from", dest="start", default="scratch")
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    eyes = open_eyes(fetch=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        paths = [thinned(given.facesets[0], given.keep, work / "few"), given.facesets[1]]
        for strength in map(float, given.strengths.split(",")):
            settings = TrainSettings(balance=strength, balance_every=given.every)
            choices = Choices(
                size=given.size, width=given.width, batch=given.batch, start=given.start, seed=given.seed, training=settings
            )
            run = work / f"run{strength:g}"
            quiet = Limits(iterations=given.iterations, preview_every=10**6, save_every=10**6)
            result = train(begin(run, paths, choices), run, quiet)
            found = evaluate(run, [Faceset.open(p) for p in paths], eyes=eyes)
            print(f"balance {strength:g}: {result.iteration} iterations in {result.seconds:.0f} s")
            for d in found:
                seen = f"likeness {d.likeness or 0:.3f}, expression off {100 * (d.expression or 0):.2f} %"
                print(f"  {d.source:>10} on {d.faces} of {d.target:<10} undrawn {d.undrawn:.4f}  lost {d.lost:.4f}  {seen}")
            undrawn = [d.undrawn for d in found]
            print(f"  undrawn: mean {sum(undrawn) / len(undrawn):.4f}, worse one {max(undrawn):.4f}", flush=True)


if __name__ == "__main__":
    main()
