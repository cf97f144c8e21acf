"""Measures and thresholds -> why each face is not kept. Pure: the same table and settings give the same reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.faceset.curate.diverse import duplicates, farthest_first, features
from bianlian.faceset.curate.person import Belonging, belong
from bianlian.faceset.curate.settings import CurateSettings, Filter
from bianlian.faceset.curate.table import Table
from bianlian.faceset.record import reason_kind

BY_HAND = "by hand"
_CRISP = 0.5  # a face no blurrier than this is never blurred, however crisp the others are
_ALIKE = 0.05  # blur that differs less tells nothing: noise makes a copy look sharper than its original
KINDS = (
    "dark",
    "burnt out",
    "no face",
    "flat",
    "cut off",
    "another person",
    "few pixels",
    "blurred",
    "duplicate",
    "surplus",
    BY_HAND,
)
"""Kinds of reason that curation gives; any other is somebody else's decision, which it leaves alone."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of the faces: reasons, one a row, None where kept; how near each belongs to the person; and of how many of the
    described faces the person is."""

    reasons: tuple[str | None, ...]
    distance: NDArray[np.float64]
    share: float

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which rows are kept, (N,)."""
        return np.array([reason is None for reason in self.reasons], np.bool_)


@dataclass(frozen=True, eq=False)
class _Fault:
    """What one filter finds: which rows fail, and how to say why a row does."""

    filter: Filter
    rows: NDArray[np.bool_]
    text: Callable[[int], str]


def is_ours(reason: str) -> bool:
    """Tell whether curation gave this reason."""
    return reason_kind(reason) in KINDS


def decide(
    table: Table,
    settings: CurateSettings,
    before: Sequence[str | None],
    hand: Mapping[int, bool] | None = None,
) -> Verdict:
    """Judge every face.

    before: reasons that are not curation's own, a row each; they stand unless ``settings.reconsider``. hand: id -> kept, the
    user's own word, which stands over all else.
    """
    reasons: list[str | None] = [None if settings.reconsider else reason for reason in before]
    said = [(hand or {}).get(int(number)) for number in table.ids]
    judged = np.array([r is None and s is None for r, s in zip(reasons, said, strict=True)], np.bool_)
    trusted = np.array([s is not False and (s or r is None) for r, s in zip(reasons, said, strict=True)], np.bool_)
    person = belong(np.where((trusted & _found(table, settings))[:, None], table.who, np.nan), settings.person)
    _give(reasons, judged, _faults(table, settings, person))
    sound = np.array([reason is None for reason in reasons], np.bool_)
    _give(reasons, judged, _blurred(table, settings, sound))
    reasons = [BY_HAND if s is False else None if s else r for s, r in zip(said, reasons, strict=True)]
    _thin(reasons, np.array([s is None for s in said], np.bool_), table, settings)
    return Verdict(tuple(reasons), person.distance, person.share)


def _found(table: Table, settings: CurateSettings) -> NDArray[np.bool_]:
    """Tell which rows show a face; unknown counts as one."""
    shown: NDArray[np.bool_] = ~(table.face < settings.face) if settings.on("face") else np.ones(len(table), np.bool_)
    return shown


def _faults(table: Table, s: CurateSettings, person: Belonging) -> list[_Fault]:
    """List what all filters but blur find, the one that judges first in front."""
    distance = person.distance
    found = [
        _Fault("light", table.level < s.dark, lambda k: f"dark: {table.level[k]:.0f} of 255"),
        _Fault("light", table.burnt > s.burnt, lambda k: f"burnt out: {100 * table.burnt[k]:.0f} % of the face is white"),
        _Fault("face", ~_found(table, s), lambda k: f"no face: {table.face[k]:.2f} when looked at again"),
        _Fault("light", table.contrast < s.flat, lambda k: f"flat: {table.contrast[k]:.0f} grey levels of contrast"),
        _Fault("whole", table.whole < s.whole, lambda k: f"cut off: {100 * table.whole[k]:.0f} % of the face is in the picture"),
        _Fault("person", distance > s.person, lambda k: f"another person: {distance[k]:.2f} from the others"),
        _Fault("size", table.width < s.size, lambda k: f"few pixels: {table.width[k]:.0f} wide"),
    ]
    return [fault for fault in found if s.on(fault.filter)]


def _blurred(table: Table, s: CurateSettings, sound: NDArray[np.bool_]) -> list[_Fault]:
    """Find blurred faces: beside the sharper quarter of those that nothing else is wrong with, so that soft footage may stay."""
    if not s.on("blur") or not sound.any():
        return []
    sharp = float(np.percentile(table.blur[sound], 25))
    blurred = table.blur > max(_CRISP, sharp + s.blur)
    return [_Fault("blur", blurred, lambda k: f"blurred: {table.blur[k]:.2f}, the sharper have {sharp:.2f}")]


def _give(reasons: list[str | None], judged: NDArray[np.bool_], faults: Sequence[_Fault]) -> None:
    for fault in faults:
        for row in np.flatnonzero(fault.rows & judged).tolist():
            if reasons[row] is None:
                reasons[row] = fault.text(row)


def _thin(reasons: list[str | None], judged: NDArray[np.bool_], table: Table, s: CurateSettings) -> None:
    """Give reasons to near-duplicates and to what exceeds the wanted count; faces kept by hand come first and always stay."""
    rows = np.array([k for k, reason in enumerate(reasons) if reason is None], np.intp)
    if not len(rows):
        return
    places = features(table)
    if s.on("duplicates"):
        order = np.lexsort(((table.blur[rows] / _ALIKE).round(), judged[rows]))
        repeats = duplicates(places[rows], table.hash[rows], s.duplicates, order)
        for k in np.flatnonzero((repeats >= 0) & judged[rows]):
            reasons[rows[k]] = f"duplicate: of {table.ids[rows[repeats[k]]]}"
        rows = rows[(repeats < 0) | ~judged[rows]]
    free = rows[judged[rows]]
    count = max(0, s.count - (len(rows) - len(free)))
    if s.on("count") and len(free) > count:
        ranks = table.blur[free].argsort().argsort()
        chosen = farthest_first(places[free], 1 - ranks / max(1, len(free) - 1), count)
        for row in np.setdiff1d(free, free[chosen]).tolist():
            reasons[row] = f"surplus: {s.count} that differ more are kept"
