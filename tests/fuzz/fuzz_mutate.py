"""Bend sound files: bytes at random, numbers and keys of JSON lines and TOML where it hurts."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

RAW = "@raw@"
"""Stands in a JSON text for a token that no JSON value gives; see ``TOKENS``."""
TOKENS = ("1e999", "-1e999", "NaN", "Infinity", "9" * 5000, "[" * 5000, '{"a":' * 3000, "1e-999", "0x10", "\\ud800", '"\x00"')
VALUES: tuple[Any, ...] = (
    *(-1, 0, 1, 2, 255, 65536, 100_000, 2**31 - 1, 2**31, 2**32, 2**53, 2**53 + 1, 2**63, 10**30, 10**400),
    *(-0.0, 0.5, 1e-320, 1e15, 1e200, 1e308, -1e308, True, False, None, "", [], {}, [[]], [None], "x" * 5000),
    *("../../escape", "/etc/passwd", "crops/../../x.png", "crops/.png", "C:\\x", "a\x00b", "\ud800", "\x1b[2J", "a\nb", "1/0"),
    *("1e9999", "1/12800", "five", "mesh478", "nan", "-1", RAW),
)
TOML = (
    *("nan", "inf", "-inf", "-1", "0", "1e400", "0x" + "f" * 5000, "9" * 5000, "true", '""', '"../../x"', '"\\u001b[2J"'),
    *(
        "[]",
        "{}",
        "[" * 3000,
        "1979-05-27",
        "99999-99-99",
        "[[1, 2], [3]]",
        "{ a = 1 }",
        '"""',
        "'''",
        '"\\ud800"',
        "1_000_000",
        '["a", 1]',
    ),
    *('"' + "x" * 5000 + '"', "[" + "0," * 5000 + "]", "18446744073709551616", "4294967296"),
)
_WORDS = tuple(struct.pack(form, value) for form, value in (
    *((">I", v) for v in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 100_000, 32_767, 65_500)),
    *(("<I", v) for v in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 100_000, 32_767)),
    *((">H", v) for v in (0, 1, 0x7FFF, 0xFFFF)),
    *(("<H", v) for v in (0, 0x7FFF, 0xFFFF)),
    *((">Q", v) for v in (0, 2**63 - 1, 2**64 - 1)),
))  # fmt: skip


def bent(name: str, data: bytes, rng: Random) -> bytes:
    """Bend a file by its kind. name: its name, of which the suffix counts."""
    if name.endswith((".json", ".jsonl")) and rng.random() < 0.7:
        return bent_json(data, rng)
    if name.endswith(".toml") and rng.random() < 0.8:
        return bent_toml(data, rng)
    out = bent_bytes(data, rng)
    return with_checksums(out) if name.endswith(".png") and rng.random() < 0.5 else out


def bent_bytes(data: bytes, rng: Random) -> bytes:
    """Flip, cut, double, insert and overwrite, one to six times."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not out:
            break
        # Half of the hits go to the head, where the sizes stand.
        at = rng.randrange(min(len(out), 200)) if rng.random() < 0.5 else rng.randrange(len(out))
        rng.choice(_OPERATIONS)(out, at, rng)
    return bytes(out)


def _flip(out: bytearray, at: int, rng: Random) -> None:
    out[at] ^= 1 << rng.randrange(8)


def _byte(out: bytearray, at: int, rng: Random) -> None:
    out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _word(out: bytearray, at: int, rng: Random) -> None:
    word = rng.choice(_WORDS)
    out[at : at + len(word)] = word


def _cut(out: bytearray, at: int, rng: Random) -> None:
    del out[at:]


def _drop(out: bytearray, at: int, rng: Random) -> None:
    del out[at : at + rng.choice((1, 2, 4, 16, 100))]


def _double(out: bytearray, at: int, rng: Random) -> None:
    out[at:at] = out[at : at + rng.choice((1, 4, 16, 200))] * rng.choice((1, 2, 50))


def _insert(out: bytearray, at: int, rng: Random) -> None:
    out[at:at] = rng.randbytes(rng.choice((1, 4, 50)))


def _random(out: bytearray, at: int, rng: Random) -> None:
    out[at : at + 8] = rng.randbytes(8)


_OPERATIONS: tuple[Callable[[bytearray, int, Random], None], ...] = (
    *(_flip, _flip, _byte, _byte, _word, _word, _word),
    *(_cut, _drop, _double, _insert, _random),
)


def bent_json(data: bytes, rng: Random) -> bytes:
    """Change a value, a key or a line of a JSON text or of JSON lines."""
    text = data.decode()
    lines = text.splitlines() if text.count("\n{") else [text]
    k = rng.randrange(len(lines))
    if len(lines) > 1 and rng.random() < 0.1:
        return "\n".join(rng.choice((lines[:k], lines[:k] + lines, lines[::-1], [*lines, ""], lines[k:]))).encode()
    values = json.loads(lines[k])
    for _ in range(rng.choice((1, 1, 2))):
        _change(values, rng)
    written = json.dumps(values).replace(f'"{RAW}"', rng.choice(TOKENS))
    if rng.random() < 0.05:
        written = written.replace("{", '{"id": 1, ', 1)  # a key that stands twice
    lines[k] = written
    return ("\n".join(lines) + rng.choice(("\n", "\n", "\n", ""))).encode("utf-8", "surrogatepass")


def _change(values: Any, rng: Random) -> None:
    """Change something in a nested value, in place."""
    while True:
        keys: Sequence[Any] = list(values) if isinstance(values, dict) else range(len(values))
        if not keys:
            return
        key = rng.choice(keys)
        inner = values[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.6:
            values = inner
            continue
        what = rng.random()
        if what < 0.7:
            values[key] = deepcopy(rng.choice(VALUES))
        elif what < 0.8:
            del values[key]
        elif isinstance(values, list):
            values.extend([inner] * rng.choice((1, 2, 1000)))
        else:
            values[rng.choice(("extra", "schema", "__class__", "", "x" * 3000))] = deepcopy(rng.choice(VALUES))
        return


def bent_toml(data: bytes, rng: Random) -> bytes:
    """Change a value, double or drop a line, or add a table."""
    lines = data.decode().splitlines()
    k = rng.randrange(len(lines))
    what = rng.random()
    if what < 0.75 and "=" in lines[k]:
        lines[k] = re.sub(r"=.*", lambda _: f"= {rng.choice(TOML)}", lines[k])
    elif what < 0.85:
        del lines[k]
    elif what < 0.95:
        lines[k:k] = [lines[k]] * rng.choice((1, 2, 300))
    else:
        lines.append(rng.choice(("[a.b.c]", "[[people]]", "x = 1", "[" + "a." * 2000 + "b]", "a" + ".a" * 2000 + " = 1")))
    return "\n".join(lines).encode()


def with_checksums(png: bytes) -> bytes:
    """Make the checksums of a PNG's chunks right, so that what was bent gets past them."""
    out, at = bytearray(png[:8]), 8
    while at + 12 <= len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + size]
        out += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out + png[at:])
