"""What bianlian is made of: every package and every weights file has a licence, a hash and a place in the bill of materials."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bianlian.weights import CARDS, EXTRA_CARDS

ROOT = Path(__file__).parents[1]
OPEN = re.compile(
    r"(Apache-2\.0|MIT(-0|-CMU)?|BSD-[23]-Clause|0BSD|Zlib|BSL-1\.0|CC0-1\.0|PSF-2\.0|MPL-2\.0|LLVM-exception|AND|OR|WITH|[() ])+"
)


@pytest.fixture(name="tools")
def _tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a module of ``bench/tools`` by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "bench" / "tools"))
    yield import_module
    for name in ("dependencies", "licences", "lock", "sbom"):
        sys.modules.pop(name, None)


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """Cells of a table of the page, by the first one."""
    part = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")][2:]
    return {re.sub(r"\[(.*?)\]\(.*?\)", r"\1", row[0]): row[1:] for row in cells}


def test_the_licence_page_names_every_package_and_every_weights_file(tools: Any) -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    packages, needed = rows(text, "Packages of the default set"), tools("dependencies").default_set()
    assert set(packages) == set(needed), "run `make licences`"
    locked = tools("dependencies").locked_hashes()
    for name, package in needed.items():
        assert OPEN.fullmatch(packages[name][0]), f"{name}: {packages[name][0]!r} is no open licence that is known here"
        assert locked[name][0] != package.version or packages[name][0] == package.licence, f"{name}: run `make licences`"
        assert OPEN.fullmatch(package.licence), f"{name}: {package.licence!r} is no open licence that is known here"
    weights = rows(text, "Weights")
    assert set(weights) == {*CARDS, *EXTRA_CARDS}
    for card in (*CARDS.values(), *EXTRA_CARDS.values()):
        assert card.licence in weights[card.name][1]
        assert card.sha256[:16] in weights[card.name][4]
        assert weights[card.name][3].startswith("yes" if card.name in CARDS else "no")


def test_nothing_that_is_used_by_default_is_for_non_commercial_use_only() -> None:
    assert {card.licence for card in CARDS.values()} <= {"Apache-2.0", "MIT", "CC0-1.0"}


def test_the_lock_holds_every_package_with_hashes_and_the_pinned_torch(tools: Any) -> None:
    module = tools("dependencies")
    locked = module.locked_hashes()
    assert set(locked) == set(module.default_set()), "run `make lock`"
    assert all(hashes for _, hashes in locked.values())
    (torch,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert locked["torch"][0] == torch
    lines = [x for x in module.LOCK.read_text(encoding="utf-8").splitlines() if x and not x.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines)


def test_the_bill_of_materials_is_whole(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    module = tools("sbom")
    bill = module.bill()
    assert bill == module.bill()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", bill["serialNumber"])
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    refs = [c["bom-ref"] for c in bill["components"]]
    assert len(refs) == len(set(refs))
    assert {c["name"] for c in bill["components"]} == {*tools("dependencies").default_set(), *CARDS, *EXTRA_CARDS}
    known = {bill["metadata"]["component"]["bom-ref"], *refs}
    assert all({link["ref"], *link["dependsOn"]} <= known for link in bill["dependencies"])
    assert all(c.get("licenses") for c in bill["components"])
    reached, todo = set(), [bill["metadata"]["component"]["bom-ref"]]
    links = {link["ref"]: link["dependsOn"] for link in bill["dependencies"]}
    while todo:
        one = todo.pop()
        todo += [n for n in links.get(one, []) if n not in reached]
        reached.add(one)
    assert reached == known - {f"weights:{name}" for name in EXTRA_CARDS}
