"""Sign an output with C2PA, in the file where its kind can hold a manifest, else in a sidecar, and read such a manifest back.

C2PA specification 2.2: ``c2pa.opened`` with the target as parent, ``c2pa.edited`` with IPTC's source type, ``c2pa.watermarked``.
Files are read and written piece by piece, by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import c2pa

from bianlian import __version__
from bianlian.errors import ConfigError, OutputError, VideoError
from bianlian.files import discard, new_part, replacing, writing
from bianlian.provenance.signer import Identity, local_authority
from bianlian.provenance.statement import SOURCE_TYPE

HOLDERS: Mapping[str, str] = MappingProxyType(
    {
        ".mp4": "video/mp4",
        ".mov": "video/quicktime",
        ".avi": "video/avi",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".png": "image/png",
        ".webp": "image/webp",
        ".tif": "image/tiff",
        ".tiff": "image/tiff",
    }
)
"""Suffixes of files that hold a manifest, and their media types; all others get a sidecar."""
SIDECAR = ".c2pa"
_OTHER = "application/octet-stream"
_AGENT = {"name": "bianlian", "version": __version__}
MARK = "com.bianlian.mark"
"""Label of our own assertion: id, model, people and consent."""


@dataclass(frozen=True)
class Claim:
    """What is signed. title: the output's name; parent: the target's file, None where it is a folder; listing: names and hashes of
    a folder's pictures, in place of a parent; facts: plain values for ``MARK``, with ``id`` and ``consent``."""

    title: str
    parent: Path | None
    facts: Mapping[str, Any]
    listing: bytes = b""


@dataclass(frozen=True)
class Manifest:
    """What was read. state: ``Trusted`` (signed by this user), ``Valid`` (whole, by a signer who is not known here) or
    ``Invalid``; failures: C2PA's codes; signer: as the certificate names them; facts: of ``MARK``, empty for other makers'."""

    state: str
    signer: str
    failures: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Nothing was changed since it was signed."""
        return self.state in ("Trusted", "Valid")


def media_type(path: Path) -> str:
    """Media type of a file for C2PA, by its suffix."""
    return HOLDERS.get(path.suffix.lower(), _OTHER)


def sign(path: Path, claim: Claim, identity: Identity, sidecar: Path) -> None:
    """Sign a finished file that does not have its name yet. sidecar: where to, if the file cannot hold a manifest.

    kind: by the suffix of ``claim.title``. Raises OutputError; the file is then as it was.
    """
    kind = media_type(path)
    try:
        with _context() as context, _signer(identity) as signer, c2pa.Builder(_definition(claim), context) as builder:
            _add_parent(builder, claim)
            if kind == _OTHER:
                builder.set_no_embed()
                # What C2PA wants to copy goes nowhere: the file stays as it is.
                with path.open("rb") as source, Path(os.devnull).open("w+b") as nowhere:
                    store = builder.sign(signer, kind, source, nowhere)
                with replacing(sidecar) as part:
                    part.write_bytes(store)
                return
            signed = new_part(path)
            try:
                with writing(path), path.open("rb") as source, signed.open("w+b") as copy:
                    builder.sign(signer, kind, source, copy)
                with writing(path):
                    signed.replace(path)
            finally:
                discard(signed)
    except c2pa.C2paError as error:
        raise OutputError(f"cannot sign {claim.title} ({error}): check the certificate and the disk") from error


def check_identity(identity: Identity) -> None:
    """Sign a few bytes, to learn before the work whether C2PA takes a certificate. Raises ConfigError."""
    why = f"C2PA cannot sign with the certificate of {identity.name}"
    try:
        with _context() as context, _signer(identity) as signer, c2pa.Builder({"title": "trial"}, context) as builder:
            builder.set_intent(c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType.EMPTY)
            builder.set_no_embed()
            store = builder.sign(signer, _OTHER, BytesIO(b"trial"), BytesIO())
            with c2pa.Reader(_OTHER, BytesIO(b"trial"), store, context=context) as reader:
                codes = _manifest(json.loads(reader.json()), "").failures
    except c2pa.C2paError as error:
        raise ConfigError(f"{why} ({error}): it wants a certificate for signing e-mail or documents, with its chain") from error
    wrong = [
        code for code in codes if code.startswith(("signingCredential.invalid", "signingCredential.expired", "claimSignature"))
    ]
    if wrong:
        raise ConfigError(f"{why} ({', '.join(wrong)}): it wants a certificate for signing e-mail or documents, with its chain")


def read_manifest(path: Path, sidecar: Path | None = None) -> Manifest | None:
    """Read and check a file's manifest; None where there is none. sidecar: to use, where there is one. Raises VideoError."""
    kind = media_type(path)
    try:
        store = sidecar.read_bytes() if sidecar is not None and sidecar.is_file() else None
        if store is None and kind == _OTHER:
            return None
        with _context() as context, path.open("rb") as stream, c2pa.Reader(kind, stream, store, context=context) as reader:
            return _manifest(json.loads(reader.json()), reader.get_validation_state() or "Invalid")
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error) or "no JUMBF" in str(error):
            return None
        return Manifest("Invalid", "", (str(error)[:200],))
    except OSError as error:
        raise VideoError(f"cannot read {path}: {error.strerror}") from error


def _manifest(found: Mapping[str, Any], state: str) -> Manifest:
    active = found.get("manifests", {}).get(found.get("active_manifest"), {})
    results = found.get("validation_results", {}).get("activeManifest", {})
    facts = [a.get("data", {}) for a in active.get("assertions", ()) if a.get("label") == MARK]
    signature = active.get("signature_info", {})
    return Manifest(
        state,
        ", ".join(str(signature[k]) for k in ("common_name", "issuer") if signature.get(k)),
        tuple(str(f.get("code")) for f in results.get("failure", ())),
        facts[0] if facts and isinstance(facts[0], dict) else {},
        tuple(str(i.get("title", "")) for i in active.get("ingredients", ())),
    )


def _definition(claim: Claim) -> dict[str, Any]:
    facts = dict(claim.facts)
    parameters = {f"com.bianlian.{key}": facts[key] for key in ("model", "people", "consent", "target_consent") if key in facts}
    actions: list[dict[str, Any]] = [
        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["target"]}},
        {"action": "c2pa.edited", "digitalSourceType": SOURCE_TYPE, "softwareAgent": _AGENT, "parameters": parameters},
    ]
    if facts.get("watermark"):
        actions.append({"action": "c2pa.watermarked.unbound", "softwareAgent": _AGENT})
    return {
        "title": claim.title,
        "claim_generator_info": [_AGENT],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}, {"label": MARK, "data": facts}],
    }


def _add_parent(builder: c2pa.Builder, claim: Claim) -> None:
    about = {"relationship": "parentOf", "label": "target"}
    if claim.parent is None:
        builder.add_ingredient({"title": "pictures", **about}, _OTHER, BytesIO(claim.listing))
        return
    with claim.parent.open("rb") as stream:
        builder.add_ingredient({"title": claim.parent.name, **about}, media_type(claim.parent), stream)


def _context() -> c2pa.Context:
    settings: dict[str, Any] = {
        "verify": {"verify_trust": True, "verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    authority = local_authority()
    if authority:
        settings["trust"] = {"trust_anchors": authority.decode("ascii", "replace")}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def _signer(identity: Identity) -> c2pa.Signer:
    info = c2pa.C2paSignerInfo(identity.algorithm.encode(), identity.chain, identity.key, None)
    return c2pa.Signer.from_info(info)
