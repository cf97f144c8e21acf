"""The main job in a few functions, with the defaults of the command line: extract, curate, train, swap, score.

    from pathlib import Path
    from bianlian import api

    api.extract([Path("ana.mp4")], "ana", Path("faces/ana"))
    api.extract([Path("ben.mp4")], "ben", Path("faces/ben"))
    api.curate(Path("faces/ana"))
    api.train([Path("faces/ana"), Path("faces/ben")], Path("runs/ab"), minutes=5)
    api.swap(Path("ben.mp4"), Path("runs/ab"), "ana", Path("out.mp4"))
    api.score(Path("out.mp4"), Path("ben.mp4"), Path("faces/ana"), report=Path("report"))

Each does in one call what a command does; the modules behind them take every part of it separately.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bianlian import plugins
from bianlian.faceset import extract as extraction
from bianlian.faceset.curate import curate as curation
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.store import Faceset
from bianlian.faceset.who import Wanted
from bianlian.provenance.consent import NO_CONSENT
from bianlian.provenance.signer import open_identity
from bianlian.provenance.verify import Verdict
from bianlian.provenance.verify import verify as verifying
from bianlian.score import Score, ScoreSettings, write_report
from bianlian.score import score as scoring
from bianlian.swap import pipeline
from bianlian.swap.liken import MARGIN
from bianlian.swap.oneshot import FINISH, ONE_PHOTO, open_person, photo_roles
from bianlian.swap.report import SwapReport
from bianlian.swap.settings import SwapSettings
from bianlian.train import loop, start
from bianlian.train.loop import Limits, TrainResult, Watcher
from bianlian.train.run import open_run
from bianlian.train.start import Choices
from bianlian.types import Note, Progress, silent

__all__ = [
    "Choices",
    "CurateSettings",
    "Faceset",
    "Score",
    "ScoreSettings",
    "SwapReport",
    "SwapSettings",
    "TrainResult",
    "Verdict",
    "curate",
    "extract",
    "score",
    "swap",
    "swap_from_photos",
    "train",
    "verify",
]


def extract(
    inputs: Sequence[Path],
    person: str,
    out: Path,
    *,
    every: int = 6,
    detector: str = "duo",
    landmarker: str = "facemesh",
    who: Path | None = None,
    consent: str | None = None,
    force: bool = False,
    progress: Progress = silent,
    note: Note = silent,
) -> Faceset:
    """Cut one person's faces out of videos, pictures and folders into the faceset ``out``. See ``faceset.extract.extract``.

    who: a picture or a folder of pictures of that person, where the footage shows others too.
    """
    finder, marker = plugins.load("detector", detector)(), plugins.load("landmarker", landmarker)()
    return extraction.extract(
        inputs,
        person,
        out,
        detector=finder,
        landmarker=marker,
        every=every,
        wanted=None if who is None else Wanted.by_pictures(who, finder, marker, note=note),
        consent=consent,
        force=force,
        progress=progress,
        note=note,
    )


def curate(
    path: Path,
    settings: CurateSettings | None = None,
    *,
    keep: Collection[int] = (),
    drop: Collection[int] = (),
    progress: Progress = silent,
    note: Note = silent,
) -> Faceset:
    """Choose which faces of a faceset training uses, and write ``curation.html`` into it. See ``faceset.curate.curate.curate``."""
    eyes = curation.open_eyes(settings or CurateSettings())
    return curation.curate(path, settings, eyes=eyes, keep=keep, drop=drop, progress=progress, note=note).faceset


def train(
    facesets: Sequence[Path],
    out: Path,
    *,
    iterations: int | None = None,
    minutes: float | None = None,
    choices: Choices | None = None,
    resume: bool = False,
    watch: Watcher | None = None,
    note: Note = silent,
) -> TrainResult:
    """Train a model for the people of some facesets in the folder ``out``. See ``train.loop.train``."""
    chosen = choices or Choices()
    if chosen.iterations is None:
        chosen = replace(chosen, iterations=iterations)
    begun = start.resume(out, facesets) if resume else start.begin(out, facesets, chosen, note=note)
    return loop.train(begun, out, Limits(iterations, minutes), watch=watch, note=note)


def swap(
    target: Path,
    run: Path,
    to: str | Mapping[str, str],
    out: Path,
    *,
    settings: SwapSettings | None = None,
    likeness: float = MARGIN,
    sign_with: tuple[Path, Path] | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> SwapReport:
    """Put the face of ``to``, a person of a trained run, into a target. See ``swap.pipeline.swap``.

    to: a name, or for several people in one pass whose face is replaced (see ``SwapSettings.who``) -> the name.
    likeness: margin by which a recogniser shall find new faces nearer to the source, see ``swap.liken``.
    sign_with: certificate chain and key of who signs, this user's own identity when None.
    """
    consents = {p.name: p.consent or NO_CONSENT for p in open_run(run).people}
    parts: list[tuple[str | None, str]] = [(None, to)] if isinstance(to, str) else list(to.items())
    people = [open_person(run, name, settings, likeness=likeness, note=note) for _, name in parts]
    roles = [pipeline.Role(person, who, consents[name]) for person, (who, name) in zip(people, parts, strict=True)]
    signer = None if sign_with is None else open_identity(*sign_with)
    return pipeline.swap(target, roles, out, settings, model=str(run), signer=signer, progress=progress, note=note)


def swap_from_photos(
    target: Path,
    photos: Sequence[Path] | Mapping[str, Sequence[Path]],
    out: Path,
    *,
    settings: SwapSettings | None = None,
    weights: Path | None = None,
    likeness: float = MARGIN,
    sign_with: tuple[Path, Path] | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> SwapReport:
    """Put the face of a person who is known from photos alone into a target. See ``swap.oneshot`` and ``swap.pipeline.swap``.

    photos: pictures, folders of them or facesets of one person, or for several people in one pass whose face is replaced -> theirs.
    weights: a run of `bianlian train --model faceshifter`, or its weights; None for those that ship. likeness, sign_with: as for
    ``swap``.
    """
    settings = settings or SwapSettings()
    people = list(photos.items()) if isinstance(photos, Mapping) else [(None, photos)]
    roles = photo_roles(people, settings, weights=weights, likeness=likeness, progress=progress, note=note)
    signer = None if sign_with is None else open_identity(*sign_with)
    return pipeline.swap(
        target, roles, out, settings, model=f"{ONE_PHOTO} ({weights or FINISH})", signer=signer, progress=progress, note=note
    )


def score(
    out: Path,
    target: Path,
    source: Path,
    *,
    truth: Path | None = None,
    people: Path | None = None,
    settings: ScoreSettings | None = None,
    report: Path | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Score:
    """Score a swap against its target; ``report``: folder for ``score.json`` and ``report.html``. See ``score.score.score``."""
    found = scoring(out, target, source, truth=truth, people=people, settings=settings, progress=progress, note=note)
    if report is not None:
        write_report(found, report)
    return found


def verify(path: Path, *, reports: Path | None = None) -> Verdict:
    """Read the marks of an output back. See ``provenance.verify.verify``."""
    return verifying(path, reports)
