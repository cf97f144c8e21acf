"""What a score means, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bianlian.score.metric import Card, Part
from bianlian.score.result import Result
from bianlian.score.score import Score

PART_NAMES: Mapping[Part, str] = {
    "identity": "likeness",
    "expression": "pose and expression",
    "sharpness": "sharpness",
    "seam": "the join of face and frame",
    "steadiness": "steadiness",
    "truth": "closeness to the truth",
}
"""Parts of the summary, for people."""
_GRADES = ((0.9, "good"), (0.6, "fair"), (0.3, "weak"), (-1.0, "poor"))
LOSS = 3.0
"""Decibels that the background may lose beyond the codec."""


@dataclass(frozen=True)
class Said:
    """One sentence; warns: it should be seen (red in the report)."""

    text: str
    warns: bool = False


def grade(value: float) -> str:
    """Name how good a part is, 0 to 1."""
    return next(name for least, name in _GRADES if value >= least)


def number(card: Card, value: float) -> str:
    """Write a value with its unit; a dash where there is none."""
    return "–" if not np.isfinite(value) else f"{value:.{card.digits}f}{_unit(card)}"


def _unit(card: Card) -> str:
    return card.unit if card.unit in ("", "%", "°") else f" {card.unit}"


def summary(score: Score) -> list[Said]:
    """Say in a few sentences how good the swap is, and what to make of it."""
    total = score.total
    if total.score is None:
        said = [Said("Nothing could be scored: every metric failed its controls or had nothing to measure.", True)]
    else:
        held = "nothing holds it down" if total.held_by is None else f"{PART_NAMES[total.held_by]} holds it down most"
        said = [Said(f"{total.score:.0f} of 100; {held}.")]
    said += [Said(text) for part in total.parts if (text := _part(score, part))]
    said += _background(score.results["background_psnr"])
    said += [Said(f"{r.card.title} does not count: {r.invalid}.", True) for r in score.results.values() if r.invalid]
    return [*said, recogniser(score)]


def recogniser(score: Score) -> Said:
    """Say which recogniser scores, and whether it was used in training."""
    name = score.settings.describer
    if score.made.fitted:
        return Said(
            f"Identity is scored by the describer '{name}'. This swap was fitted until dlib's found the faces "
            "like enough: the identity figures are too good if that is the one.",
            True,
        )
    if score.made.by_us:
        return Said(
            f"Identity is scored by the describer '{name}'. A swap uses it only to choose whose face is swapped, and no network of "
            "this project was trained with it, but for runs with the setting perceptual=dlib, whose figures are too good."
        )
    return Said(
        f"Identity is scored by the describer '{name}'. Nothing says how the output was made: if its maker was trained with that "
        "network, the identity figures are too good.",
        True,
    )


def _part(score: Score, part: Part) -> str:
    value = score.total.parts[part]
    results = score.results
    name = PART_NAMES[part]
    named = f"{name[0].upper()}{name[1:]}: {grade(value)}"
    if part == "identity":
        return f"{named}. {_identity(score)}"
    if part == "truth":
        off, psnr = results["truth_perceptual"], results["truth_psnr"]
        return (
            f"{named}. {100 * off.gain / off.noop:.0f} % of the target's perceptual distance from the truth is gone; PSNR "
            f"{number(psnr.card, psnr.value)} against {number(psnr.card, psnr.noop)} without a swap."
        )
    figures = [r for r in results.values() if r.card.part == part and r.invalid is None and np.isfinite(r.value)]
    return f"{named}. " + ", ".join(f"{r.card.title.lower()} {number(r.card, r.value)}" for r in figures) + "."


def _identity(score: Score) -> str:
    margin, taken = score.results["id_margin"], score.results["id_retrieval"]
    people = f"source, target and {len(score.people.others)} other people"
    c = margin.controls
    top = c.held_out if np.isfinite(c.held_out) else -c.itself
    way = 100 * (margin.value - c.itself) / max(top - c.itself, 1e-6)
    return (
        f"The face goes {way:.0f} % of the way from the target's person to the source's, and is taken for the source in "
        f"{number(taken.card, taken.value)} of the frames (of {people})."
    )


def _background(result: Result) -> list[Said]:
    codec, value = result.controls.codec, result.value
    if not (np.isfinite(codec) and np.isfinite(value)):
        return []
    if value < codec - LOSS:
        return [Said(f"The picture around the face changed too: {value:.1f} dB, where the codec alone costs {codec:.1f} dB.", True)]
    return [Said(f"The picture around the face is the target's ({value:.1f} dB, the codec alone: {codec:.1f} dB).")]
