"""From an id to the bits that a watermark carries, and back from what is left of them.

id, 16 bits of CRC-CCITT, 6 zero bits, through the convolutional code of rate 1/3 and constraint length 7 with the generators 133,
165, 171 (octal); read by Viterbi, "Error bounds for convolutional codes", IEEE Trans. Inf. Theory 1967, from soft values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ID_BITS = 32
"""Bits of an id."""
_CHECK, _TAIL, _RATE = 16, 6, 3
_STATES = 1 << _TAIL
_GENERATORS = (0o133, 0o165, 0o171)
CODE_BITS = (ID_BITS + _CHECK + _TAIL) * _RATE
"""Bits of a codeword."""


def encode(number: int) -> NDArray[np.int8]:
    """Encode an id, 0 <= number < 2 ** ID_BITS -> (CODE_BITS,) int8 of -1 and 1."""
    if not 0 <= number < 1 << ID_BITS:
        raise ValueError(f"an id has {ID_BITS} bits, got {number}")
    word = (number << _CHECK | _crc(number)) << _TAIL
    state, out = 0, []
    for place in reversed(range(ID_BITS + _CHECK + _TAIL)):
        register = state | (word >> place & 1) << _TAIL
        out += [(register & g).bit_count() & 1 for g in _GENERATORS]
        state = register >> 1
    return (1 - 2 * np.array(out, np.int8)).astype(np.int8)


def decode(soft: NDArray[np.float64]) -> int | None:
    """Find the likeliest id -> it, or None when its check does not fit. soft: (CODE_BITS,), above 0 where a bit looks like 1."""
    number = 0
    for bit in _likeliest(soft.reshape(-1, _RATE)):
        number = number << 1 | bit
    number >>= _TAIL
    found, check = number >> _CHECK, number & ((1 << _CHECK) - 1)
    return found if _crc(found) == check else None


def _likeliest(soft: NDArray[np.float64]) -> list[int]:
    """Viterbi's algorithm over all states at once -> the bits that went in."""
    state = np.arange(_STATES)
    # A state is the last six bits, the newest on top; its two forerunners differ in their oldest bit.
    came = [(state << 1 & (_STATES - 1)) | oldest for oldest in (0, 1)]
    signs = [_signs(before | (state >> (_TAIL - 1)) << _TAIL) for before in came]
    score = np.where(state == 0, 0.0, -np.inf)
    choices = []
    for row in soft:
        options = np.stack([score[before] + sign @ row for before, sign in zip(came, signs, strict=True)])
        choices.append(options.argmax(0))
        score = options.max(0)
    bits, here = [], 0
    for choice in reversed(choices):
        bits.append(here >> (_TAIL - 1))
        here = int(came[int(choice[here])][here])
    return bits[::-1]


def _signs(register: NDArray[np.int_]) -> NDArray[np.float64]:
    """What the encoder gives for each register (N,) -> (N, 3) of -1 and 1."""
    return np.array([[1.0 - 2 * ((int(r) & g).bit_count() & 1) for g in _GENERATORS] for r in register])


def _crc(number: int) -> int:
    """CRC-16 with the polynomial 0x1021 and the start 0xFFFF over the bytes of an id."""
    value = 0xFFFF
    for byte in number.to_bytes(ID_BITS // 8, "big"):
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value
