"""Swap a face in a target: analyse or re-use its tracks, render, report."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.errors import ConfigError, NoFaceError, OutputError, TracksError
from bianlian.files import check_output
from bianlian.model import Swapper
from bianlian.provenance.consent import NO_CONSENT, footage_consent
from bianlian.provenance.mark import Marker, Origin
from bianlian.provenance.signer import Identity
from bianlian.provenance.watermark import id_of
from bianlian.swap.analyse import analyse, fingerprint
from bianlian.swap.layers import LayersWriter, MatteWriter, SideWriter
from bianlian.swap.meet import introduced
from bianlian.swap.partial import Partial
from bianlian.swap.plan import Plan, describe, make_plan
from bianlian.swap.render import render
from bianlian.swap.report import Clock, Part, SwapReport, beside, report_path, summarise, versions, write_report
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis, read_tracks, write_tracks
from bianlian.swap.who import divide, looks_of, tell
from bianlian.swap.work import Work, label_of, open_work
from bianlian.types import Note, Progress, silent
from bianlian.video import Span, VideoInfo, find_span, open_writer, probe


@dataclass(frozen=True, eq=False)
class Role:
    """Whose face goes in, and in whose place.

    who: of the target, as ``SwapSettings.who``, which stands for None. consent: of the person whose face goes in.
    """

    swapper: Swapper
    who: str | None = None
    consent: str = NO_CONSENT


def swap(
    target: Path,
    swapper: Swapper | Sequence[Role],
    out: Path,
    settings: SwapSettings | None = None,
    *,
    model: str = "",
    consent: str = NO_CONSENT,
    tracks: Path | None = None,
    layers: Path | None = None,
    matte: Path | None = None,
    signer: Identity | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> SwapReport:
    """Put a person's face into a target and write the output, its tracks and its report (``OUT.json``).

    target: video, picture or folder of pictures. swapper: of the person, or the roles of several people, each with its ``who``;
    a face that two of them claim goes to the nearer one. out: name of the output, see ``video.open_writer``. model, consent: for
    the report. tracks: a tracks file to use, or to write when it is not there; by default ``OUT.tracks.jsonl``, used again while
    target, detector and landmarker stay the same. layers, matte: what else to write, see ``swap.layers``. signer: who signs the
    output, this user's own identity when None. Frames without a face to swap go through untouched and are counted with the reason.
    Raises NoFaceError when no frame has a face to swap (no output is written); VideoError, OutputError, TracksError, ConfigError,
    PluginError, WeightsError; any exception of a stage stops all stages, and the output appears whole or not at all. What was
    finished until then is kept beside the output (``swap.work``): the same call goes on from there, and ends with the output that
    it would have made at once. With layers or a matte only the tracks are kept: those appear when the whole run ends.
    """
    settings = settings or SwapSettings()
    cast = _cast(list(swapper) if isinstance(swapper, Sequence) else [Role(swapper, None, consent)], settings)
    start, clock = perf_counter(), Clock()
    notes: list[str] = []

    def tell_user(line: str) -> None:
        if line not in notes:  # both passes read the target
            notes.append(line)
            note(line)

    info = probe(target)
    span = find_span(info, settings.start, settings.end)
    target_consent = footage_consent(target)
    if target_consent == NO_CONSENT:
        tell_user(f"no consent record for {target.name}; `bianlian consent {target} --add TEXT` makes one")
    for path in (out, report_path(out), tracks or tracks_path(out)):
        check_output(path, target)
    open_writer(out, info, settings.encoding)  # refuses an impossible output before the work rather than after it
    _check_names(out, layers, matte)
    sides = _sides(target, info, span, settings, layers, matte)
    people = [looks_of(replace(settings, who=role.who), note=tell_user) for role in cast]
    origin = _origin(target, cast, model, target_consent, signer)
    with open_work(out, tell_user, keeps=not sides) as work:
        analysis = _analysis(target, info, span, tracks, tracks_path(out), settings, work, clock, progress, tell_user)
        plan = _plan(analysis, cast, people, settings, tell_user)
        if not plan.places:
            raise NoFaceError(_no_face(target, analysis, plan))
        swappers = [role.swapper for role in cast]
        swappers = introduced(swappers, plan, analysis, target, span, settings, progress=progress, note=tell_user)
        parts = list(zip([role.who for role in cast], swappers, strict=True))
        label = label_of(analysis.fingerprint, plan, parts, settings, out.suffix)
        work.claim(label)
        marker = Marker(out, origin, (info.width, info.height), settings.label, settings.label_lang, number=id_of(label))
        done = render(
            target,
            info,
            analysis,
            plan,
            swappers,
            out,
            settings,
            work=work,
            marker=marker,
            span=span,
            sides=sides,
            clock=clock,
            progress=progress,
            note=tell_user,
        )
    report = SwapReport(
        target=str(target),
        output=str(out),
        cast=tuple(Part(role.who, role.swapper.person, role.consent) for role in cast),
        model=model,
        settings=settings,
        frames=done.frames,
        resumed=done.resumed,
        swapped=done.swapped,
        filled=done.filled,
        skipped=summarise(done.reasons),
        seconds=clock.seconds,
        wall=round(perf_counter() - start, 3),
        notes=tuple(notes),
        versions=versions(),
        target_consent=target_consent,
        mark=marker.marked,
        fitted=any(drawing is not role.swapper for drawing, role in zip(swappers, cast, strict=True)),
    )
    write_report(report, report_path(out))
    return report


def _plan(
    analysis: Analysis, cast: Sequence[Role], people: Sequence[NDArray[np.float64] | None], settings: SwapSettings, note: Note
) -> Plan:
    """Choose the faces that are replaced, and by whom. people: description (D,) of each role's ``who``, None for a name."""
    if len(analysis.tracks) > 1:
        note(describe(analysis))
    chosen = None
    if cast[0].who is not None and analysis.tracks:
        told = [tell(analysis, replace(settings, who=role.who), looks) for role, looks in zip(cast, people, strict=True)]
        chosen = divide(told)
        for role, one in zip(cast, told, strict=True):
            for line in one.lines():
                note(line if len(cast) == 1 else f"{role.who}: {line}")
    first = cast[0].swapper
    return make_plan(analysis, settings, size=first.size, coverage=first.coverage, chosen=chosen)


def _origin(target: Path, cast: Sequence[Role], model: str, target_consent: str, signer: Identity | None) -> Origin:
    """Say what the output is made from."""
    people = tuple(role.swapper.person for role in cast)
    consents = tuple(f"{role.swapper.person}: {role.consent}" for role in cast)
    return Origin(target, model, people, consents, target_consent, signer)


def _cast(roles: Sequence[Role], settings: SwapSettings) -> list[Role]:
    """Check roles, and let the only one be ``settings.who``. Raises ConfigError."""
    if len(roles) == 1 and roles[0].who is None:
        return [replace(roles[0], who=settings.who)]
    if not roles or settings.who is not None or settings.faces != "main":
        raise ConfigError("with roles, each of them says whose face is replaced: leave who and faces out")
    names = [role.who for role in roles]
    if None in names or len(set(names)) < len(names):
        raise ConfigError(f"each role must name another person of the target, got {', '.join(map(str, names))}")
    if len({(role.swapper.size, role.swapper.coverage) for role in roles}) > 1:
        raise ConfigError("models of different sizes cannot be used in one pass; swap one after the other")
    return list(roles)


def _check_names(*paths: Path | None) -> None:
    """Raise OutputError when two outputs have one name."""
    names = [path.resolve() for path in paths if path is not None]
    if len(set(names)) < len(names):
        raise OutputError(f"output, layers and matte must have different names, got {', '.join(map(str, names))}")


def _sides(
    target: Path, info: VideoInfo, span: Span, settings: SwapSettings, layers: Path | None, matte: Path | None
) -> list[SideWriter]:
    """Open what is written beside the output, so that what cannot be is refused before the work."""
    sides: list[SideWriter] = []
    if layers is not None:
        sides.append(LayersWriter(layers, target))
    if matte is not None:
        sides.append(MatteWriter(matte, info, settings.encoding, span))
    return sides


def tracks_path(out: Path) -> Path:
    """Name the tracks file of an output: ``clip.mp4`` -> ``clip.tracks.jsonl``, in the same folder."""
    return beside(out, ".tracks.jsonl")


def _analysis(
    target: Path,
    info: VideoInfo,
    span: Span,
    given: Path | None,
    default: Path,
    settings: SwapSettings,
    work: Work,
    clock: Clock,
    progress: Progress,
    note: Note,
) -> Analysis:
    """Read the tracks that fit, or make and write them."""
    path = given or default
    if path.exists():
        old = _usable(path, target, info, span, given is not None, settings, note)
        if old is not None:
            return old
    names = (settings.detector, settings.landmarker, settings.describer)
    with ThreadPoolExecutor(len(names)) as pool:
        finders = list(pool.map(lambda kind, name: plugins.load(kind, name)(), ("detector", "landmarker", "describer"), names))
    part = [None if time is None else str(time) for time in (span.start, span.stop)]
    label = {"target": fingerprint(target), "span": part, "finders": names, "gap": settings.gap}
    partial = Partial(work.analysis, label)
    analysis = analyse(
        target, info, *finders, names=names, gap=settings.gap, span=span, partial=partial, clock=clock, progress=progress, note=note
    )
    if analysis.tracks:
        write_tracks(path, analysis)
    work.analysis.unlink()
    return analysis


def _usable(
    path: Path, target: Path, info: VideoInfo, span: Span, given: bool, settings: SwapSettings, note: Note
) -> Analysis | None:
    """Read a tracks file; None when it is the default one and was made for something else."""
    old = read_tracks(path)
    same = old.fingerprint == fingerprint(target) and (old.width, old.height) == (info.width, info.height)
    if given and not same:
        raise TracksError(f"{path} was made for {old.target}, not for {target.name} as it is now; name another tracks file")
    covers = old.span.whole or old.span == span
    if given and not covers:
        raise TracksError(f"{path} was made for another part of {target.name}: name another tracks file, or the same start and end")
    finders = (settings.detector, settings.landmarker, settings.describer)
    if given or (same and covers and (old.detector, old.landmarker, old.describer) == finders):
        note(f"faces taken from {path}")
        return old
    return None


def _no_face(target: Path, analysis: Analysis, plan: Plan) -> str:
    """Say in one line why nothing can be swapped."""
    if not plan.reasons:
        return f"no face was found in the {analysis.frames} frames of {target}; try another detector"
    skipped = ", ".join(f"{s.reason} ({s.frames})" for s in summarise(sorted(plan.reasons.items())))
    return f"no face of {target} can be swapped; frames left as they are: {skipped}"
