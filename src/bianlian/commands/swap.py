"""``bianlian swap``: footage and a person, trained or on a photo -> the footage with that person's face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, UseAppendAction, arg

from bianlian.commands._show import shown
from bianlian.errors import ConfigError, RunError
from bianlian.provenance.consent import NO_CONSENT
from bianlian.provenance.signer import open_identity
from bianlian.swap.liken import MARGIN
from bianlian.swap.oneshot import FINISH, ONE_PHOTO, open_person, photo_roles
from bianlian.swap.paste import ERODE, FEATHER
from bianlian.swap.pipeline import Role, swap
from bianlian.swap.refine import SHARE as REFINED
from bianlian.swap.report import SwapReport, report_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.shade import SHARE
from bianlian.swap.sharpen import GRAIN, LIMIT
from bianlian.swap.study import STEPS
from bianlian.train.faceshifter import has_recipe
from bianlian.train.run import open_run
from bianlian.types import Note, Progress
from bianlian.video import PICTURE_SUFFIXES, VIDEO_SUFFIXES, Encoding

WEIGHTS = ".safetensors"
"""Ending of the weights of a network from one photo."""
SHOWN_RANGES = 4
"""Runs of skipped frames that the summary names; the report names all."""


@dataclass(frozen=True)
class Swap:
    """Put a person's face into footage; everything but the face stays as it is. The person is one that was trained (--model), or is
    known from a photo or a few (--source).

    Writes the output with the target's times, sound and subtitles, and beside it OUT.json (what was done) and OUT.tracks.jsonl
    (who is where; the next swap of the same target uses it again; it may be edited: a face whose lines are deleted is left alone).
    A swap that was interrupted goes on where it stopped when the same command is given again; with --layers or --matte it keeps
    the tracks only.
    Use it with the consent of the people in the footage and of the person whose face is put in.
    """

    target: Positional[Path]
    """Footage to put the face into: a video, a picture, or a folder of pictures."""

    model: Annotated[Path | None, arg(aliases=["-m"])] = None
    """Folder of the trained run (what `bianlian train` wrote). With --source it may be left out, or be a network from one photo: a
    run of `bianlian train --model faceshifter`, or weights (.safetensors)."""

    to: str | None = None
    """Name of the person whose face goes in, as it was trained; with --map it is left out."""

    source: tuple[Path, ...] = ()
    """Instead of a trained person: a photo of the person whose face goes in, or several, folders of photos, or a faceset. The
    likeness is less than a trained model's."""

    study: int = STEPS
    """Steps in which the photos are studied before the swap, some seconds; 0 turns it off. With many more the face takes over the
    photo's own expression."""

    likeness: float = MARGIN
    """How much nearer to the source than to the target a recogniser shall find nine new faces in ten (distances of descriptions,
    of which 0.6 tells people apart; at most a third of what lies between the two people). The swap is fitted to the footage until
    it is, some seconds, none where it is already; a trained person's faceset must lie where training found it. -2 does
    without."""

    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Output; its ending chooses the kind (.mp4 .mkv .mov .webm .avi, a picture for a picture, none for a folder of pictures).
    TARGET_as_PERSON beside the target when left out."""

    faces: str = "main"
    """Whose faces are replaced: main (those of the most prominent person), all, or track numbers such as 0,3 (a run says which
    there are)."""

    who: str | None = None
    """Replace the face of this person only: a picture, a folder of pictures (such as one of `bianlian people`), or a name from the
    tracks (person1). Frames in which somebody else, or nobody surely this person, is seen are left as they are and counted."""

    map: Annotated[tuple[str, ...], UseAppendAction] = ()
    """Several people in one pass: WHO=NAME puts the trained NAME, or without a trained model the person on the photo NAME, in place
    of WHO (as for --who); give it once a person. Nobody else is touched."""

    sure: float | None = None
    """Distance between descriptions up to which a face is that person's; lower is stricter. 0.5 when left out."""

    mask: Literal["hull", "face", "learned"] = "learned"
    """What is replaced: hull (the inner face), face (the forehead too), learned (the inner face less what is in front of it: hands,
    hair, rims of glasses)."""

    blend: str = "mask"
    """How the face is joined to the frame: mask (soft edge), overlay (hard edge), poisson (the face's detail in the colours around
    it), pyramid (detail changes over fast, colour widely), or a plug-in."""

    color: str = "lab"
    """How the face's colour is matched to the frame: lab (mean and spread of lightness and hues), reinhard (the same of what the
    eye's cones see), mkl (a linear map of R, G, B together), histogram (a curve each for R, G, B), idt (the whole distribution),
    none, or a plug-in."""

    erode: float = ERODE
    """Shrink the mask by this % of the face's size; a negative value widens it."""

    feather: float = FEATHER
    """Width of the mask's soft edge, inward, in % of the face's size."""

    refine: float = REFINED
    """Share of the refiner's correction, which lends the new face the light and fine detail of the face under it; 0 turns it
    off."""

    super: bool = False
    """Refine faces that are much larger than the model's pictures at three or four times their resolution: more detail, nearer to
    the truth, in about twice the time."""

    shade: float = SHARE
    """Share of the light and shade on the target's face that the new face takes over; 0 turns it off."""

    sharpen: float = LIMIT
    """Highest gain of the finest detail while the face's sharpness is matched to the frame's; 0 turns it off."""

    grain: float = GRAIN
    """Grey levels of the frame's own fine texture and noise laid over the face; 0 turns it off."""

    steady: float = 0.2
    """Seconds over which the colour match follows the light; 0 matches each frame by itself."""

    smooth: float = 0.06
    """Smoothing of the face's place over time, in seconds (sigma); it has no lag. 0 turns it off."""

    fade: float = 0.16
    """Seconds over which a face that comes, goes or is lost fades in and out; 0 turns it off."""

    detector: str = "duo"
    """What finds faces: duo, blazeface, mtcnn, hog, mmod, or a plug-in."""

    landmarker: str = "facemesh"
    """What marks their points: facemesh, facemesh478 (steadier, slower), dlib68 and fan68 (weights under other terms), or a plug-in
    that marks the face's outline."""

    tracks: Path | None = None
    """Tracks file to use, or to write when it is not there; OUT.tracks.jsonl when left out."""

    layers: Path | None = None
    """New folder for what a compositor needs to finish by hand: for each frame the face as it lies over the target, its mask, the
    network's own face, and where it belongs (layers.jsonl)."""

    matte: Path | None = None
    """Write how much of each pixel was replaced, as a grey video or, without an ending, a folder of PNGs."""

    start: str | None = None
    """Where the part that is swapped and written begins, counted from the first frame: 62.5 (seconds), 1:02.5, or 120f (a frame).
    The output begins at 0, with its sound and subtitles."""

    end: str | None = None
    """Where it ends, as --start; this frame is the first one left out."""

    codec: Literal["auto", "h264", "hevc", "prores", "vp9", "av1", "ffv1"] = "auto"
    """Codec of a video: auto (h264; hevc with 10 bits for a target of more than 8, prores for ProRes in .mov, vp9 in .webm), or one
    of the others; prores takes a .mov, ffv1 is lossless."""

    crf: int = 18
    """Quality of the video: lower is better and larger."""

    preset: str = "veryfast"
    """Speed of the encoder, ultrafast to veryslow: slower makes smaller files of the same quality."""

    label: Literal["none", "start", "all"] = "none"
    """Say in the picture that it was made by a machine: start (the first three seconds) or all (all the time). The marks that do
    not show are in every output."""

    label_lang: Literal["zh", "en"] = "en"
    """Language of the label: zh (AI合成) or en (AI-generated)."""

    sign_with: tuple[Path, Path] | None = None
    """Certificate chain and private key, both PEM, of the one who signs the output; an identity of this user's own, made on first
    use, when left out."""

    batch: int = 8
    """Faces a call of the network."""

    def run(self) -> None:
        """Swap, show progress, and say in a few lines what was done. Raises as ``swap.pipeline.swap``, and RunError."""
        settings = self.settings()
        with shown() as (progress, note):
            report = self._swap(settings, progress, note)
        Console(highlight=False, markup=False, soft_wrap=True).print(summary(report))

    def settings(self) -> SwapSettings:
        """Check the flags. Raises ConfigError."""
        return SwapSettings(
            detector=self.detector,
            landmarker=self.landmarker,
            mask=self.mask,
            blend=self.blend,
            color=self.color,
            erode=self.erode,
            feather=self.feather,
            refine=self.refine,
            super=self.super,
            shade=self.shade,
            sharpen=self.sharpen,
            grain=self.grain,
            faces=self.faces,
            who=self.who,
            sure=self.sure,
            smooth=self.smooth,
            fade=self.fade,
            steady=self.steady,
            batch=self.batch,
            start=self.start,
            end=self.end,
            encoding=Encoding(codec=self.codec, crf=self.crf, preset=self.preset),
            label=self.label,
            label_lang=self.label_lang,
        )

    def _swap(self, settings: SwapSettings, progress: Progress, note: Note) -> SwapReport:
        roles = self.roles(settings, progress, note)
        return swap(
            self.target,
            roles,
            self.out or default_out(self.target, self.named()),
            settings,
            model=self.drawn_by(),
            tracks=self.tracks,
            layers=self.layers,
            matte=self.matte,
            signer=None if self.sign_with is None else open_identity(*self.sign_with),
            progress=progress,
            note=note,
        )

    def roles(self, settings: SwapSettings, progress: Progress, note: Note) -> list[Role]:
        """Open the trained people, or look at the photos. Raises ConfigError, and as ``open_person`` and ``photo_roles``."""
        parts = self.parts()
        if self.model is not None and not self.from_photos:
            run = self.model
            drawn = [open_person(run, name, settings, likeness=self.likeness, note=note) for _, name in parts]
            return [Role(person, who, consent_of(run, name)) for person, (who, name) in zip(drawn, parts, strict=True)]
        people = [(who, self.source or (Path(name),)) for who, name in parts]
        return photo_roles(
            people,
            settings,
            weights=self.model,
            steps=self.study,
            likeness=self.likeness,
            progress=progress,
            note=note,
        )

    @property
    def from_photos(self) -> bool:
        """Whether photos say whose face goes in."""
        return self.model is None or self.model.suffix == WEIGHTS or has_recipe(self.model)

    def named(self) -> str:
        """Name whose faces go in, for the output."""
        names = [name for _, name in self.parts()]
        return "_".join(dict.fromkeys(Path(name).stem if self.from_photos else name for name in names))

    def drawn_by(self) -> str:
        """Name what draws the faces, for the report."""
        shown = ", ".join([*map(str, self.source), *self.map])
        return f"{ONE_PHOTO} ({self.model or FINISH}): {shown}" if self.from_photos else str(self.model)

    def parts(self) -> list[tuple[str | None, str]]:
        """Read --to, --source and --map -> (who, name) of each part. Raises ConfigError."""
        if self.from_photos and (self.to is not None or bool(self.source) == bool(self.map)):
            wanted = "--model RUN --to NAME, --source PHOTO, or --map WHO=PHOTO for each of several people"
            raise ConfigError(f"say whose face goes in: {wanted}")
        if self.source and not self.from_photos:
            raise ConfigError(f"{self.model} and --source both say whose face goes in; give one of them")
        if self.source:
            return [(None, str(self.source[0]))]
        if (self.to is None) == (not self.map):
            raise ConfigError("say whose face goes in: --to NAME, or --map WHO=NAME for each of several people")
        if self.to is not None:
            return [(None, self.to)]
        found: list[tuple[str | None, str]] = []
        for word in self.map:
            who, _, name = word.rpartition("=")
            if not who or not name:
                raise ConfigError(f"--map wants WHO=NAME, such as person1=ana or photo.jpg=ana, got {word!r}")
            found.append((who, name))
        return found


def default_out(target: Path, person: str) -> Path:
    """Name an output: ``clip.mp4``, ``anna`` -> ``clip_as_anna.mp4`` in the same folder; mp4 for formats that cannot be written."""
    suffix = target.suffix.lower()
    if target.is_dir():
        suffix = ""
    elif suffix not in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES):
        suffix = ".mp4"
    return target.with_name(f"{target.name if target.is_dir() else target.stem}_as_{person}{suffix}")


def consent_of(run: Path, person: str) -> str:
    """Read the consent that a run carries for a person. Raises RunError."""
    config = open_run(run)
    for entry in config.people:
        if entry.name == person:
            return entry.consent or NO_CONSENT
    raise RunError(f"{run} draws nobody called {person!r}; it knows: {', '.join(config.names)}")


def summary(report: SwapReport) -> str:
    """Say in a few lines what a swap did: frames swapped, frames skipped and why, speed, where it is."""
    lines = [f"{report.swapped} of {report.frames} frames swapped to {report.person} ({report.fps:.1f} frames/s)"]
    for skipped in report.skipped:
        runs = [f"{a}" if a == b else f"{a}-{b}" for a, b in skipped.ranges[:SHOWN_RANGES]]
        more = ", ..." if len(skipped.ranges) > SHOWN_RANGES else ""
        lines.append(f"{skipped.frames} frames left as they were, {skipped.reason}: {', '.join(runs)}{more}")
    for person in dict.fromkeys(part.person for part in report.cast if part.consent == NO_CONSENT):
        where = "PHOTO" if report.model.startswith(ONE_PHOTO) else f"RUN --person {person}"
        lines.append(f"no consent is recorded for {person}; `bianlian consent {where} --add TEXT` records it")
    output = Path(report.output)
    return "\n".join([*lines, f"{output} (report: {report_path(output).name})"])
