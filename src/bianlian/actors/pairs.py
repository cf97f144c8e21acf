"""Pairs for ``bianlian bench quality``, all from one seed: who plays, whose face goes in, and how they move."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bianlian.actors.bank import Bank
from bianlian.actors.film import Look, film_pair
from bianlian.actors.performance import Script, random_performance
from bianlian.actors.renderer import Renderer
from bianlian.errors import ConfigError, InputError
from bianlian.types import Progress, silent


def render_pairs(
    renderer: Renderer, bank: Bank, folder: Path, count: int, seed: int, script: Script, look: Look, *, progress: Progress = silent
) -> list[Path]:
    """Write ``count`` pairs into a folder; those that are there already are kept -> their folders.

    Pair k is drawn of the seed and k alone: two people as they are, and a performance. Raises ConfigError, InputError for less than
    two people, and as ``film_pair``.
    """
    if count < 1 or seed < 0:
        raise ConfigError(f"wanted 1 pair or more and a seed of 0 or more, got {count} and {seed}")
    if len(bank.names) < 2:
        raise InputError(f"a pair wants two people, there is only {bank.names[0]}; add photos of others with `bianlian actors fit`")
    made = []
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        target, source = (bank.names[int(i)] for i in rng.choice(len(bank.names), 2, replace=False))
        out = folder / f"{k:02d}_{target}_from_{source}"
        if not out.exists():
            act = random_performance(int(rng.integers(1 << 31)), script)
            film_pair(renderer, bank.person(target), bank.person(source), act, out, look, progress=progress)
        made.append(out)
        progress("pairs", k + 1, count)
    return made
