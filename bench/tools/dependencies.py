"""What bianlian needs to run, straight from the metadata of the installed packages: the default set, with all that it pulls in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "constraints-hashed.txt"
GPU = ("nvidia-", "cuda-", "triton")
"""What torch's GPU build pulls in, under its makers' own terms; the default set is that of a machine without one."""

_NAMES = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Boost Software License": "BSL-1.0",
}
"""SPDX names of what older metadata say in words; those of BSD were looked up in the packages' own licence files."""


@dataclass(frozen=True)
class Package:
    """One package of the default set. licence: SPDX expression. needs: names of the packages that it asks for itself."""

    name: str
    version: str
    licence: str
    home: str
    needs: tuple[str, ...]


def plain(name: str) -> str:
    """Write a package's name as indexes do."""
    return re.sub(r"[-_.]+", "-", name).lower()


def default_set(root: str = "bianlian") -> dict[str, Package]:
    """Follow the requirements of an installed package -> all packages of its default set, by name. The root is left out."""
    needs: dict[str, set[str]] = {}
    extras: dict[str, set[str]] = {}
    todo = [Requirement(line) for line in requires(root) or [] if "extra ==" not in line]
    while todo:
        wanted = todo.pop()
        name = plain(wanted.name)
        if name.startswith(GPU):
            continue
        if name in needs and wanted.extras <= extras[name]:
            continue
        extras[name] = extras.get(name, set()) | wanted.extras
        asked = [Requirement(line) for line in distribution(name).requires or []]
        asked = [r for r in asked if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in ("", *extras[name]))]
        needs[name] = {plain(r.name) for r in asked if not plain(r.name).startswith(GPU)}
        todo += asked
    return {name: _package(name, distribution(name), sorted(needs[name])) for name in sorted(needs)}


def _package(name: str, found: Distribution, needs: list[str]) -> Package:
    meta = found.metadata
    links = dict(link.split(", ", 1) for link in meta.get_all("Project-URL") or [])
    homes = [url for label, url in links.items() if label.lower() in ("homepage", "home", "source", "repository", "source code")]
    home = [*homes, *(meta.get_all("Home-page") or []), f"https://pypi.org/project/{name}/"][0]
    return Package(name, found.version.partition("+")[0], licence_of(meta), home, tuple(needs))


def licence_of(meta: PackageMetadata) -> str:
    """Name a package's licence by SPDX: its own expression, else its field or its classifier, translated."""
    if "License-Expression" in meta:
        return str(meta["License-Expression"])
    classes = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or [] if c.startswith("License ::")]
    said = "".join(meta.get_all("License") or []).strip().partition("\n")[0]
    for words in (said, *classes):
        if words:
            return str(_NAMES.get(words, words))
    return "not stated"


def locked_hashes() -> dict[str, tuple[str, list[str]]]:
    """Read ``constraints-hashed.txt`` -> version and sha256 of the files of each package."""
    found: dict[str, tuple[str, list[str]]] = {}
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        match = re.match(r"([a-z0-9-]+)==([^\s;]+)", line)
        if match:
            found[match[1]] = match[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
    return found
