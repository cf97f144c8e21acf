"""``bianlian doctor``: what this machine has, which weights are in the cache, and a way to fill it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import psutil
import torch
from rich.console import Console
from rich.table import Table

from bianlian.runtime import import_openvino
from bianlian.weights import CARDS, EXTRA_CARDS, WeightsCard, cache_dir, find, obtain, offline

_PACKAGES = ("bianlian", "torch", "av", "openvino", "opencv-python-headless", "numpy", "dlib-bin", "lightning-fabric")
_GIB = 2**30


@dataclass(frozen=True)
class Doctor:
    """Show versions, the processor, the GPU, and the state and licence of each weights file.

    fetch: download the weights that are missing or altered.
    """

    fetch: bool = False

    def run(self) -> None:
        """Print the report; with ``fetch`` fill the cache first. Raises WeightsError when a file cannot be fetched."""
        console = Console()
        if self.fetch:
            _fill(console)
        console.print(_machine())
        console.print(_weights())
        console.print(
            f"Cache: {cache_dir()}" + (" (BIANLIAN_OFFLINE is set: nothing is fetched)" if offline() else ""), soft_wrap=True
        )
        if any(find(card)[1] != "present" for card in CARDS.values()):
            console.print("Missing files are fetched when first used; `bianlian doctor --fetch` does it now.", soft_wrap=True)


def _fill(console: Console) -> None:
    """Fetch what is not present, one card after another (a wheel that comes fills all of its cards)."""
    for card in CARDS.values():
        if find(card)[1] == "present":
            continue
        with console.status(f"Fetching {card.name} ({card.origin}, {card.licence})"):
            obtain(card)
        console.print(f"Fetched {card.name}: {_size(card)}, {card.licence}")


def _machine() -> Table:
    table = Table("This machine", "", title_justify="left")
    table.add_row("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    table.add_row("python", platform.python_version())
    for name in _PACKAGES:
        table.add_row(name, _version(name))
    memory = psutil.virtual_memory()
    table.add_row("cores", f"{psutil.cpu_count(logical=False) or '?'} physical, {os.cpu_count()} logical")
    table.add_row("memory", f"{memory.total / _GIB:.1f} GiB, {memory.available / _GIB:.1f} free")
    table.add_row("vector units", torch.backends.cpu.get_cpu_capability())
    table.add_row("bf16 arithmetic", "yes" if _has_bf16() else "no (bf16 is emulated, f32 is used)")
    table.add_row("GPU", ", ".join(_gpus()) or "none that torch can use")
    return table


def _weights() -> Table:
    table = Table("Weights", "State", "Size", "Licence", "From")
    colours = {"present": "green", "missing": "yellow", "altered": "red"}
    for card in CARDS.values():
        state = find(card)[1]
        table.add_row(card.name, f"[{colours[state]}]{state}[/]", _size(card), card.licence, card.origin)
    for card in EXTRA_CARDS.values():
        state = find(card)[1]
        shown = "only when asked for" if state == "missing" else state
        table.add_row(card.name, f"[{colours[state]}]{shown}[/]", _size(card), card.licence, card.origin)
    return table


def _size(card: WeightsCard) -> str:
    return f"{card.size / 1e6:.1f} MB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _has_bf16() -> bool:
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
