"""Read the arrays of MTCNN's ``.lz4`` files without running anything that stands in them.

Such a file is an LZ4 frame around a pickle of a list of float32 arrays, as joblib writes it: after the record of each array its
bytes follow in the stream, behind a count of padding bytes. A pickle can name any function to be called, so none is unpickled
here: ``_Walk`` knows the few opcodes and the three names that such a list needs, builds no object but lists, tuples and arrays,
and refuses everything else by name.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import WeightsError

_MAGIC = b"\x04\x22\x4d\x18"
_MARK = object()
_WRAPPER, _NDARRAY, _DTYPE = "joblib.numpy_pickle NumpyArrayWrapper", "numpy ndarray", "numpy dtype"
_MOST = 64 * 2**20


def read_arrays(path: Path) -> list[NDArray[np.float32]]:
    """Read the arrays of one file, in order. Raises WeightsError when the file holds anything but float32 arrays in a list."""
    try:
        return _Walk(unpack_lz4(path.read_bytes())).run()
    except (IndexError, struct.error, UnicodeDecodeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is not a list of float32 arrays in an LZ4 frame ({error}); fetch it again") from error


def unpack_lz4(data: bytes) -> bytes:
    """Decompress one LZ4 frame (no dictionary; checksums are skipped, the file's sha256 stands for them).

    Raises WeightsError for anything else, and above 64 MiB.
    """
    if data[:4] != _MAGIC or data[4] >> 6 != 1 or data[4] & 1:
        raise WeightsError("an LZ4 frame of version 1 without a dictionary was wanted, other bytes came")
    flags = data[4]
    at, out = 7 + (8 if flags & 8 else 0), bytearray()
    while True:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if size == 0:
            return bytes(out)
        block = data[at : at + (size & 0x7FFFFFFF)]
        at += len(block) + (4 if flags & 16 else 0)
        if size >> 31:
            out += block
        else:
            _unpack_block(block, out)
        if len(out) > _MOST:
            raise WeightsError(f"an LZ4 frame of at most {_MOST} bytes was wanted, this one is larger")


def _unpack_block(block: bytes, out: bytearray) -> None:
    """Append one compressed block: runs of literal bytes, each followed by a copy of bytes that came before."""
    at = 0
    while True:
        token = block[at]
        literals, at = _length(block, at + 1, token >> 4)
        out += block[at : at + literals]
        at += literals
        if at >= len(block):
            return
        back = block[at] | block[at + 1] << 8
        count, at = _length(block, at + 2, token & 15)
        count += 4
        if not 0 < back <= len(out):
            raise WeightsError("the LZ4 block copies from before its beginning; fetch the file again")
        start = len(out) - back
        piece = bytes(out[start : start + count])
        out += (piece * (count // len(piece) + 1))[:count]


def _length(block: bytes, at: int, nibble: int) -> tuple[int, int]:
    """Read a length whose first part is ``nibble`` -> length, next position; a part of 15, then 255s, goes on."""
    part = 255 if nibble == 15 else 0
    while part == 255:
        part = block[at]
        nibble, at = nibble + part, at + 1
    return nibble, at


class _Array(dict[str, Any]):
    """The record of an array whose bytes follow."""


class _Walk:
    """Walks over a pickle's opcodes with a stack and a memo of plain values."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._stack: list[Any] = []
        self._memo: list[Any] = []
        self._steps: dict[str, Callable[[], None]] = {
            "PROTO": lambda: self._skip(1),
            "FRAME": lambda: self._skip(8),
            "MARK": lambda: self._stack.append(_MARK),
            "NONE": lambda: self._stack.append(None),
            "NEWTRUE": lambda: self._stack.append(True),
            "NEWFALSE": lambda: self._stack.append(False),
            "EMPTY_LIST": lambda: self._stack.append([]),
            "EMPTY_DICT": lambda: self._stack.append({}),
            "EMPTY_TUPLE": lambda: self._stack.append(()),
            "BININT": lambda: self._stack.append(self._number("<i")),
            "BININT1": lambda: self._stack.append(self._number("<B")),
            "BININT2": lambda: self._stack.append(self._number("<H")),
            "SHORT_BINUNICODE": lambda: self._stack.append(self._take(self._number("<B")).decode()),
            "MEMOIZE": lambda: self._memo.append(self._stack[-1]),
            "BINGET": lambda: self._stack.append(self._memo[self._number("<B")]),
            "LONG_BINGET": lambda: self._stack.append(self._memo[self._number("<I")]),
            "TUPLE": lambda: self._stack.append(tuple(self._until_mark())),
            "TUPLE1": lambda: self._stack.append(tuple(self._pop(1))),
            "TUPLE2": lambda: self._stack.append(tuple(self._pop(2))),
            "TUPLE3": lambda: self._stack.append(tuple(self._pop(3))),
            "SETITEMS": self._set_items,
            "APPEND": lambda: self._extend(self._pop(1)),
            "APPENDS": lambda: self._extend(self._until_mark()),
            "STACK_GLOBAL": self._name,
            "NEWOBJ": self._new,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }

    def run(self) -> list[NDArray[np.float32]]:
        """Walk to the end -> the arrays."""
        while True:
            code = self._take(1).decode("latin-1")
            name = next((op.name for op in pickletools.opcodes if op.code == code), f"of number {ord(code)}")
            if name == "STOP":
                break
            if name not in self._steps:
                raise WeightsError(f"the file holds the pickle opcode {name}, which no list of arrays needs; it is not read")
            self._steps[name]()
        (result,) = self._stack
        if not isinstance(result, list) or not all(isinstance(a, np.ndarray) for a in result):
            raise WeightsError(f"the file holds a {type(result).__name__}, not a list of arrays alone; it is not read")
        return result

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise ValueError("it ends too early")
        self._at += count
        return taken

    def _skip(self, count: int) -> None:
        self._take(count)

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError("its stack runs empty")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _until_mark(self) -> list[Any]:
        place = max(k for k, value in enumerate(self._stack) if value is _MARK)
        taken = self._stack[place + 1 :]
        del self._stack[place:]
        return taken

    def _set_items(self) -> None:
        items = self._until_mark()
        if not isinstance(self._stack[-1], dict):
            raise ValueError("it sets items of what is no dictionary")
        self._stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise ValueError("it appends to what is no list")
        self._stack[-1].extend(items)

    def _name(self) -> None:
        name = " ".join(str(part) for part in self._pop(2))
        if name not in (_WRAPPER, _NDARRAY, _DTYPE):
            raise WeightsError(f"the file names {name.replace(' ', '.')}, which no list of arrays needs; it is not read")
        self._stack.append(name)

    def _new(self) -> None:
        if self._pop(2) != [_WRAPPER, ()]:
            raise WeightsError("the file makes an object that is no array record; it is not read")
        self._stack.append(_Array())

    def _reduce(self) -> None:
        if self._pop(2) != [_DTYPE, ("f4", False, True)]:
            raise WeightsError("the file calls something that is not float32's numpy.dtype; it is not read")
        self._stack.append("<f4")

    def _build(self) -> None:
        """Set the state of a dtype (only little-endian) or of an array record, which makes it the array that follows."""
        thing, state = self._pop(2)
        if thing == "<f4" and isinstance(state, tuple) and state[:2] == (3, "<"):
            self._stack.append(thing)
        elif isinstance(thing, _Array) and isinstance(state, dict) and (state["subclass"], state["dtype"]) == (_NDARRAY, "<f4"):
            self._stack.append(self._array(state))
        else:
            raise WeightsError("the file sets the state of something that is no float32 array; it is not read")

    def _array(self, state: dict[str, Any]) -> NDArray[np.float32]:
        shape, order = state["shape"], state["order"]
        if order not in ("C", "F") or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError(f"an array of shape {shape} and order {order}")
        if state.get("numpy_array_alignment_bytes") is not None:
            self._skip(self._number("<B"))
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self._take(4 * count), "<f4").reshape(shape, order=order).astype(np.float32)
