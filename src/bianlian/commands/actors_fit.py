"""``bianlian actors fit``: photos of people -> a file of people who can be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from tyro.conf import Positional, arg

from bianlian.actors.atlas import Texture
from bianlian.actors.bank import Fitted, write_people
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.photos import Fitter, list_photos
from bianlian.commands._show import shown
from bianlian.errors import InputError


@dataclass(frozen=True)
class Fit:
    """Make people of photos: one frontal photo each, of people who agreed to it, with a calm face, shut mouth and even light.

    A person is called as the photo's file, or as its folder where file names repeat. Where NAME.tem or NAME_points189.csv with the
    189 points of webmorph lies beside a photo, these are used in place of the face mesh. Photos that cannot be used are told and
    left out.
    """

    photos: Positional[tuple[Path, ...]]
    """Photos, or folders of them with all that is below."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("people.npz")
    """File of people to write."""

    consent: str | None = None
    """How the people agreed to this use, in your words; kept with each of them."""

    detector: str = "duo"
    """What finds faces: duo, blazeface, mtcnn, hog, mmod, or a plug-in."""

    ict: str | None = None
    """The head model ICT-FaceKit, see `bianlian actors video --help`."""

    def run(self) -> None:
        """Fit and write. Raises InputError when no photo can be used, and as ``actors.photos``."""
        photos = list_photos(self.photos)
        head = Head(open_model(self.ict))
        fitter, made, refused = Fitter(head, self.detector), dict[str, tuple[Fitted, Texture]](), list[str]()
        with shown() as (progress, note):
            for k, (name, photo) in enumerate(photos.items()):
                try:
                    made[name] = fitter.fit(photo, note)
                except InputError as error:
                    refused.append(str(error))
                    note(f"left out: {error}")
                progress("fit", k + 1, len(photos))
            if self.consent is None:
                note("no consent is recorded; --consent TEXT records it")
        if not made:
            raise InputError(f"none of {len(photos)} photos can be used: {refused[0]}")
        fits, textures = zip(*made.values(), strict=True)
        write_people(self.out, list(made), fits, textures, [{"consent": self.consent} if self.consent else {} for _ in made])
        off = 100 * float(np.mean([f.error for f in fits]))
        Console(highlight=False, markup=False, soft_wrap=True).print(
            f"{self.out}: {len(made)} people, {len(refused)} photos left out; marks fit to {off:.1f} % of the eye distance"
        )
