"""Swap a face in a target: analyse or re-use its tracks, render, report."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from bianlian import plugins
from bianlian.errors import NoFaceError, TracksError
from bianlian.files import check_output
from bianlian.model import Swapper
from bianlian.swap.analyse import analyse, fingerprint
from bianlian.swap.plan import Plan, describe, make_plan
from bianlian.swap.render import render
from bianlian.swap.report import NO_CONSENT, Clock, SwapReport, beside, report_path, summarise, versions, write_report
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis, read_tracks, write_tracks
from bianlian.swap.who import looks_of, tell
from bianlian.types import Note, Progress, silent
from bianlian.video import VideoInfo, open_writer, probe


def swap(
    target: Path,
    swapper: Swapper,
    out: Path,
    settings: SwapSettings | None = None,
    *,
    model: str = "",
    consent: str = NO_CONSENT,
    tracks: Path | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> SwapReport:
    """Put a person's face into a target and write the output, its tracks and its report (``OUT.json``).

    target: video, picture or folder of pictures. out: name of the output, see ``video.open_writer``. model, consent: for the
    report. tracks: a tracks file to use, or to write when it is not there; by default ``OUT.tracks.jsonl``, used again while
    target, detector and landmarker stay the same. Frames without a face to swap go through untouched and are counted with the
    reason.
    Raises NoFaceError when no frame has a face to swap (no output is written); VideoError, OutputError, TracksError, ConfigError,
    PluginError, WeightsError; any exception of a stage stops all stages, and the output appears whole or not at all.
    """
    settings = settings or SwapSettings()
    start, clock = perf_counter(), Clock()
    notes: list[str] = []

    def tell_user(line: str) -> None:
        notes.append(line)
        note(line)

    info = probe(target)
    for path in (out, report_path(out), tracks or tracks_path(out)):
        check_output(path, target)
    open_writer(out, info, settings.encoding)  # refuses an impossible output before the work rather than after it
    person = looks_of(settings, note=tell_user)
    analysis = _analysis(target, info, tracks, tracks_path(out), settings, clock, progress, tell_user)
    if len(analysis.tracks) > 1:
        tell_user(describe(analysis))
    chosen = None
    if settings.who is not None and analysis.tracks:
        told = tell(analysis, settings, person)
        chosen = told.tracks
        for line in told.lines():
            tell_user(line)
    plan = make_plan(analysis, settings, size=swapper.size, coverage=swapper.coverage, chosen=chosen)
    if not plan.places:
        raise NoFaceError(_no_face(target, analysis, plan))
    done = render(target, info, analysis, plan, swapper, out, settings, clock=clock, progress=progress, note=tell_user)
    report = SwapReport(
        target=str(target),
        output=str(out),
        person=swapper.person,
        model=model,
        consent=consent,
        settings=settings,
        frames=done.frames,
        swapped=done.swapped,
        filled=done.filled,
        skipped=summarise(done.reasons),
        seconds=clock.seconds,
        wall=round(perf_counter() - start, 3),
        notes=tuple(notes),
        versions=versions(),
    )
    write_report(report, report_path(out))
    return report


def tracks_path(out: Path) -> Path:
    """Name the tracks file of an output: ``clip.mp4`` -> ``clip.tracks.jsonl``, in the same folder."""
    return beside(out, ".tracks.jsonl")


def _analysis(
    target: Path,
    info: VideoInfo,
    given: Path | None,
    default: Path,
    settings: SwapSettings,
    clock: Clock,
    progress: Progress,
    note: Note,
) -> Analysis:
    """Read the tracks that fit, or make and write them."""
    path = given or default
    if path.exists():
        old = _usable(path, target, info, given is not None, settings, note)
        if old is not None:
            return old
    analysis = analyse(
        target,
        info,
        plugins.load("detector", settings.detector)(),
        plugins.load("landmarker", settings.landmarker)(),
        plugins.load("describer", settings.describer)(),
        names=(settings.detector, settings.landmarker, settings.describer),
        gap=settings.gap,
        clock=clock,
        progress=progress,
        note=note,
    )
    if analysis.tracks:
        write_tracks(path, analysis)
    return analysis


def _usable(path: Path, target: Path, info: VideoInfo, given: bool, settings: SwapSettings, note: Note) -> Analysis | None:
    """Read a tracks file; None when it is the default one and was made for something else."""
    old = read_tracks(path)
    same = old.fingerprint == fingerprint(target) and (old.width, old.height) == (info.width, info.height)
    if given and not same:
        raise TracksError(f"{path} was made for {old.target}, not for {target.name} as it is now; name another tracks file")
    finders = (settings.detector, settings.landmarker, settings.describer)
    if given or (same and (old.detector, old.landmarker, old.describer) == finders):
        note(f"faces taken from {path}")
        return old
    return None


def _no_face(target: Path, analysis: Analysis, plan: Plan) -> str:
    """Say in one line why nothing can be swapped."""
    if not plan.reasons:
        return f"no face was found in the {analysis.frames} frames of {target}; try another detector"
    skipped = ", ".join(f"{s.reason} ({s.frames})" for s in summarise(sorted(plan.reasons.items())))
    return f"no face of {target} can be swapped; frames left as they are: {skipped}"
