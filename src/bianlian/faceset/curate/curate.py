"""Curate a faceset: measure every face, decide which ones training uses, write the decisions and a page that shows them.

Nothing is deleted: a decision is the ``kept`` flag and the reason of a record, and another run decides afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bianlian import plugins
from bianlian.errors import InputError
from bianlian.faceset.curate import ledger as ledgers
from bianlian.faceset.curate.decide import Verdict, decide
from bianlian.faceset.curate.gaps import gaps
from bianlian.faceset.curate.ledger import LEDGER, Ledger
from bianlian.faceset.curate.measure import Eyes, measure
from bianlian.faceset.curate.report import REPORT, write_report
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.curate.table import Entry
from bianlian.faceset.header import write_whole
from bianlian.faceset.record import reason_kind
from bianlian.faceset.rewrite import rewrite
from bianlian.faceset.store import Faceset
from bianlian.files import writing
from bianlian.types import Note, Progress, silent

_MANY = 0.5


@dataclass(frozen=True)
class Curation:
    """What a curation came to. faceset: as it is now. missing: what the kept faces lack, in words. report: the page."""

    faceset: Faceset
    missing: tuple[str, ...]
    report: Path


def open_eyes(settings: CurateSettings) -> Eyes:
    """Load what the filters that are on look with. Raises WeightsError."""
    # A crop is small and level, so neither pieces nor turned views of it are searched; a weak sight of a face counts, too.
    detector = plugins.load("detector", "blazeface")(threshold=0.3, tiles=False, rotate=False) if settings.on("face") else None
    return Eyes(detector, plugins.load("describer", "dlib")() if settings.on("person") else None)


def curate(
    path: Path,
    settings: CurateSettings | None = None,
    *,
    eyes: Eyes,
    keep: Collection[int] = (),
    drop: Collection[int] = (),
    progress: Progress = silent,
    note: Note = silent,
) -> Curation:
    """Decide which faces of a faceset are kept, and write ``curation.html`` into it.

    eyes: what looks for the face again and describes who it is; a filter without its eyes judges nothing that is not measured
    yet. keep, drop: ids of faces on which the user has the last word, also in later runs. Raises FacesetError for a faceset that
    is damaged, InputError for ids that are not in it, OutputError, and Interrupted on Ctrl-C.
    """
    settings = settings or CurateSettings()
    faceset = Faceset.open(path, note=note)
    ledger = ledgers.load(path)
    _check(keep, drop)
    entries, table = measure(faceset, eyes, progress, note)
    ledger = _told(ledger, entries, keep, drop)
    ids, stamps = [e.id for e in entries], [e.stamp for e in entries]
    before = ledger.before(ids, stamps, [e.reason for e in entries])
    verdict = decide(table, settings, before, ledger.said(ids, stamps))
    ledgers.save(path, _remembered(ledger, ids, stamps, before), settings)
    rewrite(path, dict(zip(ids, verdict.reasons, strict=True)))
    faceset = _now(faceset, verdict)
    write_whole(path / REPORT, write_report(faceset, table, verdict, settings).encode("utf-8", "backslashreplace"))
    _tell(faceset, verdict, settings, note)
    return Curation(faceset, tuple(gaps(table, verdict.kept)), path / REPORT)


def undo(path: Path) -> Faceset:
    """Take back all decisions of curation, the user's own too: each face is kept or not as extraction left it.

    The measures stay, so that the next curation is quick. Raises FacesetError, OutputError.
    """
    faceset, ledger = Faceset.open(path), ledgers.load(path)
    entries = [Entry.of(r, faceset.header, (path / r.crop).stat().st_size) for r in faceset.records()]
    ids = [e.id for e in entries]
    rewrite(path, dict(zip(ids, ledger.before(ids, [e.stamp for e in entries], [e.reason for e in entries]), strict=True)))
    with writing(path):
        for name in (LEDGER, REPORT):
            (path / name).unlink(missing_ok=True)
    return Faceset.open(path)


def _now(faceset: Faceset, verdict: Verdict) -> Faceset:
    kinds = Counter(reason_kind(reason) for reason in verdict.reasons if reason is not None)
    return replace(faceset, kept_count=int(verdict.kept.sum()), dropped=MappingProxyType(dict(kinds)))


def _check(keep: Collection[int], drop: Collection[int]) -> None:
    both = sorted(set(keep) & set(drop))
    if both:
        raise InputError(f"face {both[0]} cannot be both kept and dropped; name it once")


def _told(ledger: Ledger, entries: Sequence[Entry], keep: Collection[int], drop: Collection[int]) -> Ledger:
    """Add the user's new words to those of earlier runs. Raises InputError for ids of no face."""
    stamps = {e.id: e.stamp for e in entries}
    unknown = sorted({*keep, *drop} - stamps.keys())
    if unknown:
        raise InputError(f"no face has the id {unknown[0]}; ids are those below the pictures of {REPORT}")
    words = {n: (stamps[n], True) for n in keep} | {n: (stamps[n], False) for n in drop}
    return replace(ledger, hand={**ledger.hand, **words})


def _remembered(ledger: Ledger, ids: Sequence[int], stamps: Sequence[str], before: Sequence[str | None]) -> Ledger:
    rows = zip(ids, stamps, before, strict=True)
    extraction: Mapping[int, tuple[str, str]] = {n: (stamp, reason) for n, stamp, reason in rows if reason is not None}
    same = dict(zip(ids, stamps, strict=True))
    return Ledger({n: word for n, word in ledger.hand.items() if same.get(n) == word[0]}, extraction)


def _tell(faceset: Faceset, verdict: Verdict, settings: CurateSettings, note: Note) -> None:
    if settings.on("person") and verdict.share < _MANY:
        share = f"{100 * verdict.share:.0f} %"
        note(f"the largest group of like faces is only {share} of {faceset.path}; see in {REPORT} whether it is {faceset.person}")
    if faceset.kept_count == 0:
        note(f"no face is kept: {', '.join(faceset.dropped)}; loosen a threshold or turn a filter off")
