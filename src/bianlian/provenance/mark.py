"""Mark one output on its way out: label and watermark on the frames, metadata in the container, the signature on the whole file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, final

from bianlian.files import replacing, sha256_of
from bianlian.provenance.label import Label, Language, Span
from bianlian.provenance.manifest import HOLDERS, SIDECAR, Claim, check_identity, sign
from bianlian.provenance.signer import Identity, local_identity
from bianlian.provenance.statement import append_xmp, tags, xmp
from bianlian.provenance.watermark import Stamp, carries, id_text
from bianlian.types import Frame, Image
from bianlian.video import Marks, list_pictures

LISTING = ".files.json"
"""Ending of the list of a folder's pictures with their hashes; it is what the folder's sidecar signs."""


@dataclass(frozen=True)
class Origin:
    """What an output was made from, for its manifest. model: where the faces came from; people: whose faces went in, consent: of
    each; target_consent: of the footage's owner or people; signer: None for this user's own identity."""

    target: Path
    model: str = ""
    people: Sequence[str] = ()
    consent: Sequence[str] = ()
    target_consent: str = ""
    signer: Identity | None = None


@dataclass(frozen=True)
class Marked:
    """How an output was marked. id: that the watermark and the metadata carry; watermark: whether the frames were large enough for
    one; manifest: name of the file that holds it; signer: as its certificate says; sha256: of each file, by name."""

    id: str
    watermark: bool
    manifest: str
    signer: str
    sha256: Mapping[str, str] = field(default_factory=dict)


@final
class Marker:
    """Marks one output; a folder's pictures may differ in size. Not safe from several threads."""

    def __init__(
        self,
        out: Path,
        origin: Origin,
        size: tuple[int, int],
        span: Span = "none",
        language: Language = "en",
        *,
        number: int,
    ) -> None:
        """Open the signer's identity, which is made on first use. size: of the frames; number: the id, see ``watermark.id_of``.

        Raises OutputError, ConfigError.
        """
        self._out, self._origin, self._label = out, origin, (span, language)
        self._signer = origin.signer or local_identity()
        check_identity(self._signer)
        self._number = number
        self._watermark = carries(*size)
        self._stamps: dict[tuple[int, int], Stamp] = {}
        self._labels: dict[tuple[int, int], Label] = {}
        self._sha256: dict[str, str] = {}
        self._first: Fraction | None = None

    def go_on(self, first: Fraction | None) -> None:
        """Mark the rest of an output that was begun earlier. first: time of its first frame."""
        self._first = first

    def frame(self, frame: Frame, *, swapped: bool) -> Frame:
        """Draw the label where it is due, and the watermark if anything was swapped. Frames come in the order of time."""
        height, width = frame.image.shape[:2]
        size = (width, height)
        if size not in self._labels:
            self._labels[size] = Label(width, height, *self._label, self._first)
        image: Image = frame.image
        if self._labels[size].shows(frame):
            image = self._labels[size].draw(image)
        if swapped:
            image = self.stamp(image)
        return frame if image is frame.image else replace(frame, image=image)

    def stamp(self, image: Image) -> Image:
        """Lay the watermark over a picture (H, W, 3) -> a new one; one too small for it comes back as it is."""
        height, width = image.shape[:2]
        if (width, height) not in self._stamps:
            self._stamps[width, height] = Stamp(self._number, width, height)
        return self._stamps[width, height](image)

    @property
    def marks(self) -> Marks:
        """What the writer needs."""
        produce_id = id_text(self._number)
        suffix = self._out.suffix.lower()
        named = tags(produce_id)
        return Marks({"comment": " ".join(named.values())} if suffix == ".avi" else named, xmp(produce_id), self._seal)

    @property
    def marked(self) -> Marked:
        """What was done; complete once the output is there."""
        held = self._out.suffix.lower() in HOLDERS
        return Marked(
            id_text(self._number),
            self._watermark,
            self._out.name if held else sidecar_path(self._out).name,
            self._signer.name,
            dict(self._sha256),
        )

    def _seal(self, part: Path) -> None:
        """Sign the finished file or folder. Raises OutputError."""
        claim = Claim(self._out.name, None, self._facts())
        target = self._origin.target
        claim = replace(claim, listing=listing(target)) if target.is_dir() else replace(claim, parent=target)
        sidecar = sidecar_path(self._out)
        if part.is_dir():
            listed = sidecar.with_name(self._out.name + LISTING)
            with replacing(listed) as path:
                path.write_bytes(listing(part))
            sign(listed, claim, self._signer, sidecar)
            self._sha256 = {listed.name: sha256_of(listed)}
            return
        if part.suffix.lower() in (".mp4", ".mov"):
            append_xmp(part, self.marks.xmp)
        sign(part, claim, self._signer, sidecar)
        self._sha256 = {self._out.name: sha256_of(part)}

    def _facts(self) -> dict[str, Any]:
        origin = self._origin
        return {
            "id": id_text(self._number),
            "watermark": self._watermark,
            "model": origin.model,
            "people": list(origin.people),
            "consent": list(origin.consent),
            "target_consent": origin.target_consent,
        }


def sidecar_path(out: Path) -> Path:
    """Name the sidecar of an output that cannot hold its manifest: ``clip.mkv`` -> ``clip.c2pa``, in the same folder."""
    return out.with_suffix(SIDECAR) if out.suffix else out.with_name(out.name + SIDECAR)


def listing(folder: Path) -> bytes:
    """List a folder's pictures with their hashes, as JSON. Raises VideoError for a folder without pictures, OSError."""
    files = {path.name: sha256_of(path) for path in list_pictures(folder)}
    return (json.dumps({"schema": 1, "files": files}, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "backslashreplace")
