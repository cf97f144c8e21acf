"""The compiler of the drawing loops, which only rendering needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from bianlian.errors import PluginError

try:
    from numba import njit
except ImportError as error:
    raise PluginError("rendering people wants numba, which is not installed: pip install 'bianlian[actors]'") from error

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop on its first call; the result is kept on disk where that can be written."""
    try:
        return cast(Function, njit(cache=True, fastmath=True, nogil=True)(function))
    except RuntimeError:  # no folder to keep it in
        return cast(Function, njit(fastmath=True, nogil=True)(function))
