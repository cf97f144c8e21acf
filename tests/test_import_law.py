"""A file imports only from lines above its own in the order of the design, and nothing is done at import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bianlian

ORDER = """errors types geometry plugins files config weights runtime video detect landmark align identity track mask faceset
model train provenance swap score actors api commands cli studio __main__""".split()  # noqa: SIM905
ROOT = Path(bianlian.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def unit(module: str) -> str:
    """First name below the package: ``bianlian.video.read`` -> ``video``."""
    return module.split(".")[1] if "." in module else ""


def imported(tree: ast.AST) -> set[str]:
    """Names of the package's own units that a module imports, wherever in the file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bianlian":
            names = [node.module] if node.module != "bianlian" else [f"bianlian.{a.name}" for a in node.names]
            found |= {unit(name) for name in names}
        elif isinstance(node, ast.Import):
            found |= {unit(a.name) for a in node.names if a.name.split(".")[0] == "bianlian"}
    return found - {"", "__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_up(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert own in ORDER, f"{own} has no place in the order of the design"
    allowed = set(ORDER[: ORDER.index(own) + 1])
    assert imported(ast.parse(path.read_text(encoding="utf-8"))) <= allowed


def test_the_law_sees_a_breach() -> None:
    assert imported(ast.parse("from bianlian.swap.blend import overlay\nfrom bianlian import plugins")) == {"swap", "plugins"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_library_never_prints_exits_or_unpickles(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "dill", "joblib"}, f"line {node.lineno}: pickle"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "exit", "eval", "exec"}, f"line {node.lineno}: {node.func.id}"
