"""The reader of MTCNN's files: reads what joblib writes, runs nothing, refuses everything else by name."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.detect._mtcnn_weights import read_arrays, unpack_lz4
from bianlian.errors import WeightsError
from bianlian.weights import CARDS, locate


def frame(*blocks: bytes, packed: bool = False) -> bytes:
    """Wrap blocks into an LZ4 frame: version 1, independent blocks, no checksums (the header's own check byte is not read)."""
    body = b"".join(struct.pack("<I", len(b) | (0 if packed else 0x80000000)) + b for b in blocks)
    return b"\x04\x22\x4d\x18\x60\x40\x00" + body + struct.pack("<I", 0)


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def array(values: NDArray[np.float32], *, order: str = "C", kind: str = "f4") -> bytes:
    """Write one array record as joblib does: an object without arguments, its state, then padding and the raw bytes."""
    shape = b"(" + b"".join(b"K" + bytes([n]) for n in values.shape) + b"t"
    dtype = (
        text("numpy")
        + text("dtype")
        + b"\x93"
        + text(kind)
        + b"\x89\x88\x87R"
        + b"(K\x03"
        + text("<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    state = b"".join(
        [
            text("subclass") + text("numpy") + text("ndarray") + b"\x93",
            text("shape") + shape,
            text("order") + text(order),
            text("dtype") + dtype,
            text("allow_mmap") + b"\x88",
            text("numpy_array_alignment_bytes") + b"K\x10",
        ]
    )
    record = text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81}(" + state + b"ub"
    return record + b"\x03\xff\xff\xff" + values.tobytes(order="F" if order == "F" else "C")


def saved(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "x.lz4"
    path.write_bytes(frame(body))
    return path


def test_reads_arrays_in_order(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([0.5, -1.5], np.float32)
    got = read_arrays(saved(tmp_path, b"\x80\x04](" + array(a) + array(b, order="F") + b"e."))
    np.testing.assert_array_equal(got[0], a)
    np.testing.assert_array_equal(got[1], b)


def test_columns_first_arrays_keep_their_values(tmp_path: Path) -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    (got,) = read_arrays(saved(tmp_path, b"\x80\x04]" + array(a, order="F") + b"a."))
    np.testing.assert_array_equal(got, a)


class Bomb:
    """What a hostile file holds: unpickling it would call a function."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.flag,))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    with pytest.raises(WeightsError, match=r"not read|not a list"):
        read_arrays(saved(tmp_path, pickle.dumps([Bomb(tmp_path / "ran")], protocol)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\x80\x04cos\nsystem\n.", "GLOBAL"),
        (b"\x80\x04" + text("os") + text("system") + b"\x93.", "os.system"),
        (b"\x80\x04" + text("builtins") + text("eval") + b"\x93.", "builtins.eval"),
        (b"\x80\x04](" + array(np.zeros(1, np.float32), kind="O8") + b"e.", "float32"),
        (b"\x80\x04]K\x01a.", "list of arrays"),
        (b"\x80\x04K\x01.", "list of arrays"),
        (b"\x80\x04]" + array(np.zeros(4, np.float32))[:-3], "too early"),
        (b"\x80\x04]", "too early"),
        (b"\xff", "number 255"),
        (b"b.", "runs empty"),
        (b"e.", "not a list"),
    ],
)
def test_everything_else_is_refused_by_name(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read_arrays(saved(tmp_path, body))


def test_lz4_copies_what_came_before() -> None:
    """Token 0x35: 3 literal bytes, then 5 + 4 bytes copied from 3 back: abc abcabcabc; last token 0x10: one literal."""
    assert unpack_lz4(frame(b"\x35abc\x03\x00\x10z", packed=True)) == b"abcabcabcabcz"


def test_lz4_long_lengths_go_on_over_bytes() -> None:
    """Token 0xf0, then 255 and 5: 15 + 255 + 5 = 275 literal bytes."""
    assert unpack_lz4(frame(b"\xf0\xff\x05" + b"q" * 275, packed=True)) == b"q" * 275


def test_lz4_copies_reach_over_blocks() -> None:
    """The second block copies 4 bytes from 4 back, which lie in the first."""
    assert unpack_lz4(frame(b"\x40wxyz", b"\x00\x04\x00\x10!", packed=True)) == b"wxyzwxyz!"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x04\x22\x4d\x18", frame(b"\x00\x09\x00", packed=True)])
def test_other_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.lz4").write_bytes(data)
    with pytest.raises(WeightsError):
        read_arrays(tmp_path / "x.lz4")


@pytest.mark.weights
@pytest.mark.parametrize(("net", "last"), [("pnet", (2,)), ("rnet", (2,)), ("onet", (2,))])
def test_the_published_files_are_read(net: str, last: tuple[int, ...]) -> None:
    arrays = read_arrays(locate(CARDS[f"mtcnn_{net}"]))
    assert arrays[0].shape[:3] == (3, 3, 3)
    assert arrays[-1].shape == last
    assert all(np.isfinite(a).all() for a in arrays)
