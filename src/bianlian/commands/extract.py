"""``bianlian extract``: footage of one person -> their faceset."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian import plugins
from bianlian.commands._show import shown
from bianlian.faceset.extract import extract
from bianlian.faceset.header import CROP_SIZE, check_person, read_header
from bianlian.faceset.quality import KEEP_LARGEST, Rules
from bianlian.faceset.store import Faceset
from bianlian.faceset.who import Wanted
from bianlian.faceset.writer import is_free
from bianlian.identity.people import SURE


@dataclass(frozen=True)
class Extract:
    """Cut one person's faces out of videos and pictures into a faceset, for training.

    Give footage of ONE person who agreed to it. Where a frame shows several faces the largest is kept. A run that was
    interrupted goes on when the same command is given again; inputs that are done are not done twice.
    """

    inputs: Positional[tuple[Path, ...]]
    """Videos, pictures, or folders that hold them (with all that is below)."""

    person: Annotated[str, arg(aliases=["-p"])]
    """Name of the person, as training and swapping will call them: letters, digits, "-", "_", "."."""

    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Folder of the faceset; faces/PERSON when left out."""

    every: int = 6
    """Look at every n-th frame of a video (frames next to each other teach the same). Pictures are all looked at."""

    size: int = CROP_SIZE
    """Side of the crops in pixels. A model sees the inner 5/8: 256 serves models of up to 160 pixels."""

    format: Literal["jpg", "png"] = "jpg"
    """How crops are stored: jpg (quality 95, a quarter of the space, faster) or png (without loss)."""

    smallest: int = KEEP_LARGEST.smallest
    """Do not keep faces less wide than this, in pixels of the footage."""

    all_faces: bool = False
    """Keep every face of a frame, not only the largest: for footage in which all faces are this person's."""

    who: Path | None = None
    """Keep only the faces of this person, where the footage shows others too: a picture, or a folder of pictures (such as one of
    `bianlian people`)."""

    sure: float = SURE
    """Distance between descriptions up to which a face is that person's; lower is stricter."""

    consent: str | None = None
    """How the person agreed to this use, in your words ("release signed 2026-03-01"). Kept in the faceset and passed on."""

    detector: str = "duo"
    """What finds faces: duo, blazeface, mtcnn, hog, mmod, or a plug-in."""

    landmarker: str = "facemesh"
    """What marks their points: facemesh, facemesh478 (steadier, slower), five, dlib68 and fan68 (weights under other terms), or a
    plug-in."""

    force: Annotated[bool, arg(aliases=["-f"])] = False
    """Remove the faceset that is there and start again."""

    def run(self) -> None:
        """Extract, show progress, and say in one line what came of it. Raises as ``faceset.extract``, and PluginError."""
        out = self.out or Path("faces") / check_person(self.person)
        rules = Rules(all_faces=self.all_faces, smallest=self.smallest)
        new = self.force or is_free(out)
        before = 0 if new else len(Faceset.open(out))
        consent = self.consent
        if consent is None and (new or read_header(out).consent is None):
            consent = ask_consent(self.person)
        detector, landmarker = plugins.load("detector", self.detector)(), plugins.load("landmarker", self.landmarker)()
        start = perf_counter()
        with shown() as (progress, note):
            wanted = None
            if self.who is not None:
                wanted = Wanted.by_pictures(self.who, detector, landmarker, sure=self.sure, note=note)
            faceset = extract(
                self.inputs,
                self.person,
                out,
                detector=detector,
                landmarker=landmarker,
                every=self.every,
                size=self.size,
                format=self.format,
                rules=rules,
                wanted=wanted,
                consent=consent,
                force=self.force,
                progress=progress,
                note=note,
            )
            if faceset.header.consent is None:
                note(f"no consent is recorded for {faceset.person}; --consent TEXT records it")
        Console(highlight=False, markup=False, soft_wrap=True).print(summary(faceset, before, perf_counter() - start))


def ask_consent(person: str) -> str | None:
    """Ask the user how a person agreed, in one line on stderr -> their words; None without a terminal or an answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    question = f"How did {person} agree to this use? In your words, kept with the faceset; Enter to leave it open: "
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(question, end="")
    sys.stderr.flush()
    return sys.stdin.readline().strip() or None


def summary(faceset: Faceset, before: int, seconds: float) -> str:
    """Say in one line what a faceset holds, how many faces are new since it held ``before``, and how long they took."""
    parts = [f"{faceset.kept_count} faces kept", *(f"{count} dropped ({kind})" for kind, count in faceset.dropped.items())]
    new = len(faceset) - before
    return f"{faceset.path}: {', '.join(parts)}; {new} new in {seconds:.1f} s, {new / max(seconds, 1e-9):.1f} faces/s"
