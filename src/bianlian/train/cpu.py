"""What makes training fast on a CPU: arithmetic that the processor has, and memory that is not given back at every step."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def best_precision(cuda: bool, cpu_info: str | None = None) -> str:
    """Choose Fabric's precision: ``bf16-mixed`` where the device computes in bf16, else ``32-true``.

    A processor without bf16 instructions emulates them: a step took 2.0x as long there (and 0.6x where it has them).
    cpu_info: text of /proc/cpuinfo; read from the system when None.
    """
    if cuda:
        return "bf16-mixed"
    if cpu_info is None:
        path = Path("/proc/cpuinfo")
        cpu_info = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    flags = set(cpu_info.split())
    return "bf16-mixed" if flags & {"avx512_bf16", "amx_bf16"} else "32-true"


@contextmanager
def flushed() -> Iterator[None]:
    """Let numbers nearer to 0 than 1.2e-38 (float32's denormals) count as 0, where the processor can; afterwards as before.

    Holds for the calling thread, and for those that torch starts meanwhile as long as they live: have it on before anything is
    computed by several. Arithmetic on such numbers is many times slower, and the far ends of attention's softmax are made of
    them: a step of ``gan`` took up to 1.4 times as long.
    """
    before = bool(np.multiply(np.float32(1e-30), np.float32(1e-9)) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def keep_memory() -> bool:
    """Make glibc keep freed memory for the next step instead of giving it back to the system -> whether that was possible.

    Holds for the whole process. A step allocates and frees hundreds of megabytes; faulting them in again took a quarter of it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(option, value) for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 << 20)))
