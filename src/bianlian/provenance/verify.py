"""Read an output's marks back: manifest and signature, watermark, metadata, and the report that the id leads to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bianlian.errors import VideoError
from bianlian.files import sha256_of
from bianlian.provenance.glimpse import glimpses, scenes
from bianlian.provenance.manifest import Manifest, read_manifest
from bianlian.provenance.mark import LISTING, listing, sidecar_path
from bianlian.provenance.search import Found, find
from bianlian.provenance.statement import Metadata, read_metadata
from bianlian.provenance.watermark import id_text
from bianlian.video import list_pictures

State = Literal["intact", "altered", "none"]
EXIT_CODES: Mapping[State, int] = {"intact": 0, "altered": 1, "none": 3}
_LONGEST, _MOST_REPORTS = 1 << 24, 1000


@dataclass(frozen=True)
class Verdict:
    """What was found.

    state: ``intact`` (all is as it was signed), ``altered`` (a mark is there, but the file was changed, or lost a part of its
    marks) or ``none``. id: of the output, by the surest mark that says it. report: of the swap, where one was found. reasons: what
    is wrong, in words.
    """

    path: Path
    state: State
    id: str | None
    manifest: Manifest | None
    watermark: Found | None
    metadata: Metadata | None
    report: Path | None
    reasons: tuple[str, ...] = ()


def verify(path: Path, reports: Path | None = None) -> Verdict:
    """Look for all marks of an output: a video, a picture, or a folder of pictures.

    reports: a folder of reports to look through for the id, beside the output's own. Raises VideoError for what cannot be read.
    """
    if not path.exists():
        raise VideoError(f"wanted a video, picture or folder, {path} does not exist: check the name")
    manifest = _manifest(path)
    metadata = read_metadata(list_pictures(path)[0] if path.is_dir() else path)
    watermark = find(glimpses(path)) or next(filter(None, map(find, scenes(path))), None)
    ids = _ids(manifest, metadata, watermark)
    report = _report_of(path, set(ids.values()), reports)
    reasons = [*_wrong_with(manifest, ids, watermark, metadata), *_changed(path, report)]
    if not ids:
        return Verdict(path, "none", None, manifest, watermark, metadata, None)
    state: State = "altered" if reasons else "intact"
    return Verdict(path, state, next(iter(ids.values())), manifest, watermark, metadata, report, tuple(reasons))


def _manifest(path: Path) -> Manifest | None:
    if not path.is_dir():
        return read_manifest(path, sidecar_path(path))
    listed = path.with_name(path.name + LISTING)
    found = read_manifest(listed, sidecar_path(path)) if listed.is_file() else None
    if found is None or not found.whole or listed.read_bytes() == listing(path):
        return found
    return Manifest("Invalid", found.signer, ("pictures changed, added or removed",), found.facts, found.parents)


def _ids(manifest: Manifest | None, metadata: Metadata | None, watermark: Found | None) -> dict[str, str]:
    """Id by the mark that says it, the surest first."""
    ids = {}
    if manifest is not None and isinstance(manifest.facts.get("id"), str):
        ids["manifest"] = manifest.facts["id"]
    if watermark is not None:
        ids["watermark"] = id_text(watermark.number)
    if metadata is not None:
        ids["metadata"] = metadata.produce_id
    return ids


def _wrong_with(
    manifest: Manifest | None, ids: Mapping[str, str], watermark: Found | None, metadata: Metadata | None
) -> Iterable[str]:
    if manifest is None or "manifest" not in ids:
        yield "the manifest is gone"
    elif not manifest.whole:
        yield f"the manifest does not fit the file ({', '.join(manifest.failures) or 'unreadable'})"
    if manifest is not None and manifest.facts.get("watermark") and watermark is None:
        yield "the watermark is gone"
    if metadata is None and (manifest is None or not manifest.whole):
        yield "the metadata is gone"
    if len(set(ids.values())) > 1:
        yield "the marks carry different ids: " + ", ".join(f"{value} ({name})" for name, value in ids.items())


def _changed(path: Path, report: Path | None) -> Iterable[str]:
    """Compare with the hash in the output's own report: it sees bytes that C2PA leaves out."""
    hashes = _mark_of(report).get("sha256") if report is not None else None
    if isinstance(hashes, dict) and path.is_file() and path.name in hashes and sha256_of(path) != hashes[path.name]:
        yield f"the file is not the one that {report.name if report else ''} was written for (sha256)"


def _report_of(path: Path, ids: set[str], reports: Path | None) -> Path | None:
    """Find the report that names one of the ids: beside the file, by its name first."""
    own = path.with_suffix(".json") if path.suffix else path.with_name(path.name + ".json")
    folders = [path.parent, *([reports] if reports is not None else [])]
    others = (p for folder in folders for p in sorted(folder.glob("*.json"))[:_MOST_REPORTS])
    for candidate in (own, *others):
        if ids and candidate.is_file() and _mark_of(candidate).get("id") in ids:
            return candidate
    return None


def _mark_of(report: Path) -> dict[str, Any]:
    """Read how a report says that its output was marked; empty for other files."""
    try:
        if report.stat().st_size > _LONGEST:
            return {}
        found = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    mark = found.get("mark") if isinstance(found, dict) else None
    return mark if isinstance(mark, dict) else {}
