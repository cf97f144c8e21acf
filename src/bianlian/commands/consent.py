"""``bianlian consent``: who agreed to what, shown or added to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from tyro.conf import Positional

from bianlian.errors import ConfigError
from bianlian.provenance.consent import NO_CONSENT, Consent, add_consent, read_consents
from bianlian.provenance.manifest import Manifest, read_manifest
from bianlian.provenance.mark import LISTING, sidecar_path


@dataclass(frozen=True)
class ConsentCommand:
    """Show who agreed to the use of a faceset, a run, footage or an output, and how; or add to the record.

    Facesets and runs carry the record inside; footage has NAME.consent.json beside it, which `bianlian swap` reads. An output's
    record is signed: it is shown, and nothing can be added to it.
    """

    path: Positional[Path]
    """A faceset, a run, a video, a picture, a folder of pictures, or an output."""

    add: str | None = None
    """One line, in your words, that says how they agreed ("release signed 2026-03-01")."""

    person: str | None = None
    """Whose record of a run is added to."""

    def run(self) -> None:
        """Add what is to be added, and show the record. Raises as ``provenance.consent``, and ConfigError for an output."""
        manifest = _output(self.path)
        if manifest is not None and self.add is not None:
            raise ConfigError(f"{self.path} is a signed output, nothing can be added: add to its target or run, and swap again")
        if manifest is not None:
            said = [*map(str, manifest.facts.get("consent", ())), f"target: {manifest.facts.get('target_consent', NO_CONSENT)}"]
        elif self.add is not None:
            said = [_line(one) for one in add_consent(self.path, self.add, self.person)]
        else:
            said = [_line(one) for one in read_consents(self.path)]
        Console(highlight=False, markup=False, soft_wrap=True).print("\n".join(said))


def _output(path: Path) -> Manifest | None:
    """Read the manifest of an output of bianlian; None for anything else."""
    file = path.with_name(path.name + LISTING) if path.is_dir() else path
    if not file.is_file():
        return None
    manifest = read_manifest(file, sidecar_path(path))
    return manifest if manifest is not None and manifest.facts else None


def _line(consent: Consent) -> str:
    return f"{consent.who}: {consent.text}"
