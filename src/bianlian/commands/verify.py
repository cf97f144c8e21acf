"""``bianlian verify``: what files say about how they were made, and whether they were changed since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from bianlian.commands._show import shown
from bianlian.errors import ConfigError
from bianlian.provenance.verify import EXIT_CODES, Verdict, verify
from bianlian.provenance.watermark import id_text

_STATES = {"intact": "marked and intact", "altered": "marked, but altered", "none": "no mark of bianlian"}


@dataclass(frozen=True)
class Verify:
    """Look for the marks of bianlian in videos, pictures and folders: manifest and signature, watermark, metadata.

    Exit code: 0 all are marked and intact, 1 one is marked but was altered, 3 one has no mark, 2 one cannot be read.
    """

    files: Positional[tuple[Path, ...]]
    """Files, or folders of pictures, to look at."""

    reports: Path | None = None
    """Folder with OUT.json reports to look through for the id that a watermark carries; the file's own folder always is."""

    json: bool = False
    """Print JSON in place of a table."""

    def run(self) -> int:
        """Verify, print, and give the exit code. Raises as ``provenance.verify.verify``."""
        if not self.files:
            raise ConfigError("name the files to verify")
        found = []
        with shown() as (progress, _):
            for k, path in enumerate(self.files):
                found.append(verify(path, self.reports))
                progress("verify", k + 1, len(self.files))
        console = Console(highlight=False, markup=False, soft_wrap=True)
        if self.json:
            console.print(json.dumps([as_values(verdict) for verdict in found], ensure_ascii=False, indent=2))
        else:
            show(found, console)
        return max(EXIT_CODES[verdict.state] for verdict in found)


def show(found: list[Verdict], console: Console) -> None:
    """Print a table, and below it what is wrong."""
    table = Table(box=None, pad_edge=False)
    for title in ("file", "verdict", "id", "manifest", "signed by", "watermark", "metadata"):
        table.add_column(title, no_wrap=True)
    for verdict in found:
        manifest, mark = verdict.manifest, verdict.watermark
        table.add_row(
            verdict.path.name,
            _STATES[verdict.state],
            verdict.id or "–",
            "–" if manifest is None else _trust(manifest.state),
            (manifest.signer if manifest else "") or "–",
            "–" if mark is None else f"{id_text(mark.number)} ({mark.peak:.0f} sigma)",
            "–" if verdict.metadata is None else verdict.metadata.produce_id,
        )
    Console(file=console.file, highlight=False, markup=False, width=max(console.width, 160)).print(table)
    for verdict in found:
        for line in lines(verdict):
            console.print(line)


def lines(verdict: Verdict) -> list[str]:
    """Say what is wrong with a file, who agreed, and where its report is."""
    said = [f"{verdict.path.name}: {reason}" for reason in verdict.reasons]
    if verdict.manifest is not None and verdict.manifest.facts:
        facts = verdict.manifest.facts
        consents = [*facts.get("consent", ()), f"target: {facts.get('target_consent', '')}"]
        said.append(f"{verdict.path.name}: consent: " + "; ".join(map(str, consents)))
    if verdict.report is not None:
        said.append(f"{verdict.path.name}: report: {verdict.report}")
    return said


def as_values(verdict: Verdict) -> dict[str, Any]:
    """Turn a verdict into what JSON can hold."""
    manifest, mark, metadata = verdict.manifest, verdict.watermark, verdict.metadata
    return {
        "file": str(verdict.path),
        "state": verdict.state,
        "id": verdict.id,
        "reasons": list(verdict.reasons),
        "report": None if verdict.report is None else str(verdict.report),
        "manifest": None
        if manifest is None
        else {
            "state": manifest.state,
            "signer": manifest.signer,
            "failures": list(manifest.failures),
            "facts": dict(manifest.facts),
            "parents": list(manifest.parents),
        },
        "watermark": None
        if mark is None
        else {"id": id_text(mark.number), "sigma": round(mark.peak, 2), "bits_right": round(mark.agree, 4)},
        "metadata": None if metadata is None else {"produce_id": metadata.produce_id, "source_type": metadata.source_type},
    }


def _trust(state: str) -> str:
    return {"Trusted": "trusted", "Valid": "valid, signer not known here"}.get(state, "invalid")
