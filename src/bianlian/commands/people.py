"""``bianlian people``: footage -> who is in it, a folder of pictures each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian.commands._show import shown
from bianlian.swap.people import PICTURES, SHEET, TRACKS, Person, sort_people
from bianlian.swap.settings import SwapSettings

SHOWN_SPANS = 4


@dataclass(frozen=True)
class People:
    """Find out who is seen in footage, and in which frames.

    Writes a folder of pictures for each person (person1 is seen most), a sheet of them to look at, people.json with the frames, and
    tracks.jsonl. Rename a folder as you like. `bianlian swap TARGET --who people/person2` then replaces that person alone, and
    `--tracks people/tracks.jsonl` spares the search.
    """

    target: Positional[Path]
    """A video, a picture, or a folder of pictures."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("people")
    """Folder to write; it must not exist yet, or be empty."""

    pictures: int = PICTURES
    """Pictures of each person, at most."""

    detector: str = "duo"
    """What finds faces: duo, blazeface, mtcnn, hog, mmod, or a plug-in."""

    landmarker: str = "facemesh"
    """What marks their points: facemesh, or a plug-in that marks the face's outline."""

    def run(self) -> None:
        """Sort, show progress, and name the people. Raises as ``swap.people.sort_people``."""
        settings = SwapSettings(detector=self.detector, landmarker=self.landmarker)
        with shown() as (progress, note):
            people = sort_people(self.target, self.out, settings, pictures=max(1, self.pictures), progress=progress, note=note)
        lines = [line(p) for p in people]
        Console(highlight=False, markup=False, soft_wrap=True).print(
            "\n".join([*lines, f"{self.out}: look at *.{SHEET}; {TRACKS} serves `bianlian swap --tracks`"])
        )


def line(person: Person) -> str:
    """Say in one line who is seen where."""
    spans = [f"{a}-{b}" if a != b else f"{a}" for a, b in person.spans]
    more = ", ..." if len(spans) > SHOWN_SPANS else ""
    return f"{person.name}: {person.frames} frames ({', '.join(spans[:SHOWN_SPANS])}{more})"
