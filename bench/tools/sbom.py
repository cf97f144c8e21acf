"""Write a software bill of materials, CycloneDX 1.6 as JSON: packages with hashes, and weights (``make sbom``).

    python bench/tools/sbom.py sbom.cdx.json

The same input gives the same file but for its time and serial number; SOURCE_DATE_EPOCH fixes the one, a hash of the content the
other.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from dependencies import Package, default_set, locked_hashes

from bianlian import __version__
from bianlian.weights import CARDS, EXTRA_CARDS, WeightsCard

ROOT_REF = f"pkg:pypi/bianlian@{__version__}"


def bill() -> dict[str, Any]:
    """Gather packages, weights and who needs whom."""
    packages, hashes = default_set(), locked_hashes()
    cards = [*CARDS.values(), *EXTRA_CARDS.values()]
    components = [_package(p, hashes.get(p.name)) for p in packages.values()] + [_weights(c) for c in cards]
    refs = {name: _purl(p) for name, p in packages.items()}
    tops = sorted(set(refs) - {n for p in packages.values() for n in p.needs})
    links = [{"ref": ROOT_REF, "dependsOn": [refs[n] for n in tops] + [f"weights:{c.name}" for c in CARDS.values()]}]
    links += [{"ref": refs[n], "dependsOn": [refs[need] for need in p.needs if need in refs]} for n, p in packages.items()]
    content = {"components": components, "dependencies": links}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    when = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", datetime.now(UTC).timestamp())), UTC)
    root = {"type": "application", "bom-ref": ROOT_REF, "name": "bianlian", "version": __version__, "purl": ROOT_REF}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"timestamp": when.isoformat(timespec="seconds"), "component": root | {"licenses": [_licence("Apache-2.0")]}},
        **content,
    }


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def _package(package: Package, locked: tuple[str, list[str]] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "licenses": [_licence(package.licence)],
        "purl": _purl(package),
        "externalReferences": [{"type": "website", "url": package.home}],
    }
    if locked is not None and locked[0] == package.version:
        found["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in locked[1]]
    return found


def _weights(card: WeightsCard) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights:{card.name}",
        "name": card.name,
        "version": card.sha256[:12],
        "description": f"{card.origin}; input {card.input}",
        "scope": "required" if card.name in CARDS else "optional",
        "hashes": [{"alg": "SHA-256", "content": card.sha256}],
        "licenses": [{"license": {"name": card.licence, "url": card.licence_url}}],
    }


def _licence(text: str) -> dict[str, Any]:
    """An SPDX expression where it is one, else a name."""
    return {"license": {"name": text}} if " " in text and not {"AND", "OR", "WITH"} & set(text.split()) else {"expression": text}


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "sbom.cdx.json")
    out.write_text(json.dumps(bill(), indent=1) + "\n", encoding="utf-8")
    print(f"{out}: {len(bill()['components'])} components")
