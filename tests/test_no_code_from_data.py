"""What enters cannot run: no unpickling, no shell, no evaluation, no guessable temporary file, anywhere in the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bianlian

ROOT = Path(bianlian.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "pty", "telnetlib"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.spawnv", "tempfile.mktemp", "mktemp"),
    *(
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "tempfile.mkstemp",
        "torch.hub.load",
        "torch.jit.load",
        "builtins.eval",
    ),
}
PROGRAMS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}


def dotted(node: ast.expr) -> str:
    """Write a call's name as in the source: ``np.load``; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before or '?'}.{node.attr}"
    return ""


def is_literally(call: ast.Call, name: str, value: object) -> bool:
    """Tell whether a call says ``name=value`` in so many words."""
    return any(k.arg == name and isinstance(k.value, ast.Constant) and k.value.value is value for k in call.keywords)


def breaches(tree: ast.AST) -> Iterator[str]:
    """Name what a file must not do, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"line {node.lineno}: imports {name}" for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from _of_call(node, dotted(node.func))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(("/tmp/", "/var/tmp/")):
            yield f"line {node.lineno}: a temporary folder that others can guess"


def _of_call(call: ast.Call, name: str) -> Iterator[str]:
    where = f"line {call.lineno}"
    if name in CALLS:
        yield f"{where}: calls {name}"
    if name == "torch.load" and not is_literally(call, "weights_only", True):
        yield f"{where}: torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and not is_literally(call, "allow_pickle", False):
        yield f"{where}: np.load without allow_pickle=False"
    if any(k.arg == "shell" for k in call.keywords):
        yield f"{where}: a shell"
    if name in PROGRAMS and (not call.args or isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)):
        yield f"{where}: a program's arguments as one text, not as a list"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_runs_what_it_reads(path: Path) -> None:
    assert list(breaches(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run('ls ' + name)",
        "subprocess.run(['ls'], shell=True)",
        "os.system('ls')",
        "eval(text)",
        "tempfile.mktemp()",
        "open('/tmp/x')",
    ],
)
def test_the_law_sees_a_breach(line: str) -> None:
    assert len(list(breaches(ast.parse(line)))) == 1


def test_programs_are_started_in_one_place_only() -> None:
    # pip, which fetches weights: everything else happens in this process.
    found = [p.relative_to(ROOT).as_posix() for p in FILES if "import subprocess" in p.read_text(encoding="utf-8")]
    assert found == ["weights/sources.py"]
