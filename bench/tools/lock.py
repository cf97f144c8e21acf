"""Write ``constraints-hashed.txt``: the default set, each package with its version and the sha256 of its wheels.

    python bench/tools/lock.py                     Linux on x86-64, Python 3.11, torch as pip's own settings find it
    python bench/tools/lock.py --python 3.12       another Python; options after -- go to pip, such as -- --index-url ADDRESS

pip resolves and says what it would install; nothing is installed. A file made where pip finds torch's CPU build holds that build's
hash, and is refused where pip finds another: make it where it is used, or give the same index. Used as
``pip install --require-hashes -r constraints-hashed.txt && pip install --no-deps .``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from dependencies import LOCK, ROOT, plain

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64")


def resolve(python: str, more: list[str]) -> list[dict[str, Any]]:
    """Let pip resolve the default set -> its report of what it would install."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", str(report)]
        command += ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", "--target", folder]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run([*command, "-c", str(ROOT / "constraints.txt"), *more, *wanted], check=True)
        found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return found


def locked(found: list[dict[str, Any]], python: str) -> str:
    """Write pip's report as a requirements file with hashes."""
    lines = [
        f"# Default set of bianlian for Python {python} on Linux (x86-64), with torch's CPU build; made by `make lock`.",
        "# pip install --require-hashes -r constraints-hashed.txt && pip install --no-deps .",
    ]
    rows = []
    for one in found:
        meta, archive = one["metadata"], one["download_info"]["archive_info"]
        hashes = archive.get("hashes") or dict([archive["hash"].split("=", 1)])
        rows.append(f"{plain(meta['name'])}=={meta['version'].partition('+')[0]} \\\n    --hash=sha256:{hashes['sha256']}")
    return "\n".join([*lines, *sorted(rows)]) + "\n"


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description="Write constraints-hashed.txt.")
    parser.add_argument("--python", default="3.11")
    parser.add_argument("more", nargs="*", help="options of pip, after --")
    chosen = parser.parse_args()
    LOCK.write_text(locked(resolve(chosen.python, chosen.more), chosen.python), encoding="utf-8")
    print(f"{LOCK}: {LOCK.read_text().count('--hash')} packages")


if __name__ == "__main__":
    main()
