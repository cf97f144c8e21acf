"""``bianlian curate``: choose which faces of a faceset training uses, and show why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from tyro.conf import Positional

from bianlian.commands._show import shown
from bianlian.errors import ConfigError
from bianlian.faceset.curate.curate import Curation, curate, open_eyes, undo
from bianlian.faceset.curate.settings import CurateSettings, Filter
from bianlian.faceset.store import Faceset

_USUAL = CurateSettings()


@dataclass(frozen=True)
class Curate:
    """Choose which faces of a faceset training uses: blurred, badly lit, cut off, doubled and foreign ones are left out.

    Nothing is deleted, and each run decides afresh: try other thresholds and look at curation.html in the faceset. The first run
    measures every face; later ones take seconds.
    """

    faceset: Positional[Path]
    """Folder of the faceset."""

    keep: tuple[int, ...] = ()
    """Ids of faces to keep whatever the filters say, now and in later runs. Ids stand below the pictures of curation.html."""

    drop: tuple[int, ...] = ()
    """Ids of faces to leave out whatever the filters say, now and in later runs."""

    count: int = _USUAL.count
    """Faces wanted at most; those that differ most in pose, expression and light are kept (500 to 5000 are usual)."""

    face: float = _USUAL.face
    """Least score, 0 to 1, of finding the face again in its crop."""

    whole: float = _USUAL.whole
    """Least share, 0 to 1, of the face that the picture holds."""

    person: float = _USUAL.person
    """Farthest distance from the faceset's person; strangers lie beyond 0.5, a person's own faces within 0.4."""

    size: float = _USUAL.size
    """Least width of a face in pixels of the footage."""

    blur: float = _USUAL.blur
    """How much blurrier than the sharper quarter of the faceset a face may be; blur goes from 0 to 1."""

    dark: float = _USUAL.dark
    """Least brightness, 0 to 255, of the brighter quarter of a face."""

    burnt: float = _USUAL.burnt
    """Largest share, 0 to 1, of a face that may be white."""

    flat: float = _USUAL.flat
    """Least contrast within a face, in grey levels."""

    duplicates: int = _USUAL.duplicates
    """Bits of 64 in which the hashes of two near-duplicates may differ; more finds more of them."""

    off: tuple[Filter, ...] = ()
    """Filters to turn off."""

    reconsider: bool = False
    """Judge faces that extraction left out, too."""

    undo: bool = False
    """Take back all decisions of earlier runs, --keep and --drop too, and do nothing else."""

    def run(self) -> None:
        """Curate, show progress, and say in a few lines what came of it. Raises as ``curate.curate``, and WeightsError."""
        out = Console(highlight=False, markup=False, soft_wrap=True)
        if self.undo:
            if self.keep or self.drop:
                raise ConfigError(
                    "--undo takes everything back and goes with no --keep or --drop; give those in a run of their own"
                )
            out.print(_counts(undo(self.faceset)))
            return
        start = perf_counter()
        settings = self.settings()
        with shown() as (progress, note):
            result = curate(
                self.faceset, settings, eyes=open_eyes(settings), keep=self.keep, drop=self.drop, progress=progress, note=note
            )
        out.print(summary(result, perf_counter() - start))

    def settings(self) -> CurateSettings:
        """Gather the thresholds. Raises ConfigError."""
        return CurateSettings(
            face=self.face,
            whole=self.whole,
            person=self.person,
            size=self.size,
            blur=self.blur,
            dark=self.dark,
            burnt=self.burnt,
            flat=self.flat,
            duplicates=self.duplicates,
            count=self.count,
            off=self.off,
            reconsider=self.reconsider,
        )


def summary(result: Curation, seconds: float) -> str:
    """Say what a curation kept and dropped, what the faces lack, and where to look."""
    lines = [f"{_counts(result.faceset)}; {seconds:.1f} s", *(f"  {line}" for line in result.missing)]
    return "\n".join([*lines, f"look: {result.report}"])


def _counts(faceset: Faceset) -> str:
    parts = [f"{faceset.kept_count} faces kept", *(f"{count} dropped ({kind})" for kind, count in faceset.dropped.items())]
    return f"{faceset.path}: {', '.join(parts)}"
