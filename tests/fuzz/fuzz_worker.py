"""The process that reads bent inputs. It watches itself: what is raised, what is written where, how much memory is taken.

Each input is a function of kind, seed and number alone, so that it can be made again. The number of the input under way stands in
a file that the parent watches: a crash of the process or an input without end is the parent's to see.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import shutil
import stat
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzz_kinds import KINDS
from fuzz_mutate import bent
from fuzz_seeds import SEEDS, Files

MEMORY = 2 << 30
"""Bytes that reading one input may add to what the process held when it began: the bound that docs/security.md states."""
ADDRESSES = 8 << 30
"""Bytes of address space beyond the first ones: what would take more fails at once and leaves the machine alone."""
_WRITES = {
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "shutil.rmtree"),
    *("shutil.copyfile", "shutil.move"),
}
_NEVER = {
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "socket.connect", "pickle.find_class"),
    *("os.startfile", "pty.spawn", "urllib.Request", "ctypes.dlopen"),
}


class Guard:
    """Sees every write and every start of a program in this process (PEP 578), and remembers those that must not be."""

    def __init__(self, inside: Path) -> None:
        self.inside, self.on = os.path.realpath(inside), False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _NEVER:
            self.seen.append(f"{event} {arguments[:2]}")
        elif event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            if writes and not isinstance(path, int):
                self._check(event, path)
        elif event in _WRITES:
            for path in arguments[:2]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._check(event, path)

    def _check(self, event: str, path: Any) -> None:
        # What is opened follows links; what is removed or renamed is the link itself.
        name = Path(os.fsdecode(path))
        real = Path(os.path.realpath(name if event in ("open", "os.mkdir") else name.parent))
        if not real.is_relative_to(self.inside) and str(real) != os.devnull:
            self.seen.append(f"{event} {name} -> {real}")


def trick(path: Path, outside: Path, rng: Random) -> None:
    """Put something that is no plain file, or none at all, in a file's place."""
    path.unlink()
    what = rng.randrange(8)
    if what == 0:
        path.symlink_to(outside / "secret.txt")
    elif what == 1:
        path.symlink_to(rng.choice(("/dev/zero", "/dev/full", "/etc/passwd", "/proc/self/mem")))
    elif what == 2:
        path.symlink_to(path)
    elif what == 3:
        os.mkfifo(path)
    elif what == 4:
        path.mkdir()
    elif what == 5:
        path.touch()
    elif what == 6:
        path.symlink_to(outside)


def write(folder: Path, files: Files) -> None:
    """Make the folder hold exactly these files."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def feed(folder: Path, files: Files, outside: Path, rng: Random) -> str:
    """Bend one file of the folder -> its name."""
    name = rng.choice(list(files))
    if rng.random() < 0.02:
        trick(folder / name, outside, rng)
    else:
        (folder / name).write_bytes(bent(name, files[name], rng))
    return name


def restore(folder: Path, files: Files, name: str) -> None:
    """Undo ``feed``; what else has changed, too."""
    path = folder / name
    try:
        kept = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        kept = False
    same = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()} == set(files)
    if kept and same:
        path.write_bytes(files[name])
    else:
        write(folder, files)


def peak() -> int:
    """Largest resident memory of this process so far, bytes; that of getrusage is inherited from the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def work(stretches: Sequence[tuple[str, int, int]], seed: int, place: Path, counter: mmap.mmap) -> None:
    """Read stretches of inputs (kind, first number, how many); findings go to stdout, a JSON object a line."""
    box, outside = place / "box", place / "outside"
    write(outside, {"secret.txt": b"untouched\n"})
    guard = Guard(box)
    seeds: dict[str, Files] = {}
    for kind, _, _ in stretches:  # the code itself comes into memory before the bound is drawn
        (place / kind).mkdir()
        seeds[kind] = SEEDS[kind](place / kind)
        write(box, seeds[kind])
        for k, name in enumerate(seeds[kind]):
            KINDS[kind][0](box, name, Random(k))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESSES, used + ADDRESSES))
    for k, (kind, first, count) in enumerate(stretches):
        _stretch(kind, range(first, first + count), seed, seeds[kind], guard, outside, counter, k)
    counter[:] = struct.pack("<qq", len(stretches), 0)


def _stretch(
    kind: str, numbers: range, seed: int, files: Files, guard: Guard, outside: Path, counter: mmap.mmap, index: int
) -> None:
    read, box = KINDS[kind][0], Path(guard.inside)
    write(box, files)
    before, most, start = peak(), MEMORY, time.monotonic()
    for number in numbers:
        counter[:] = struct.pack("<qq", index, number)
        rng = Random(f"{kind} {seed} {number}")
        name = feed(box, files, outside, rng)
        found = ""
        guard.on = True
        try:
            read(box, name, rng)
        except Exception as error:  # noqa: BLE001 (whatever comes is what is looked for)
            last = traceback.extract_tb(error.__traceback__)[-1]
            ours = [t for t in traceback.extract_tb(error.__traceback__) if "bianlian" in t.filename] or [last]
            found = f"{type(error).__name__} in {ours[-1].filename}:{ours[-1].lineno} ({Path(last.filename).name}): {error}"[:600]
        guard.on = False
        if guard.seen:
            found, guard.seen = f"escape: {guard.seen[0]}", []
        elif peak() - before > most:
            found, most = f"memory: {(peak() - before) >> 20} MB", 2 * (peak() - before)
        if found:
            _say({"kind": kind, "number": number, "what": f"{name}: {found}"})
        untouched = [(p.name, p.read_text()) for p in outside.iterdir()] == [("secret.txt", "untouched\n")]
        if not untouched:
            _say({"kind": kind, "number": number, "what": f"{name}: escape: the folder beside was written"})
            write(outside, {"secret.txt": b"untouched\n"})
        restore(box, files, name)
    _say({"kind": kind, "done": len(numbers), "megabytes": (peak() - before) >> 20, "seconds": time.monotonic() - start})


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    plan, seed, place, counter_path = sys.argv[1:]
    with Path(counter_path).open("r+b") as file, mmap.mmap(file.fileno(), 16) as shared:
        work(json.loads(plan), int(seed), Path(place), shared)
