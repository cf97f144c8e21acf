"""A record comes back from its line exactly, and nothing else comes in."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from faceset_fakes import some_record
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bianlian.errors import FacesetError
from bianlian.faceset.record import LONGEST_LINE, FaceRecord, from_line, reason_kind, to_line
from bianlian.types import SCHEMES, Landmarks

numbers = st.floats(-1e6, 1e6)
whole = st.integers(0, 2**53)


@st.composite
def records(draw: st.DrawFn) -> FaceRecord:
    """Any valid record."""
    scheme = draw(st.sampled_from(sorted(SCHEMES)))
    x, y, w, h = (draw(st.integers(-(10**6), 10**6)) / 64 for _ in range(4))
    scale = draw(st.floats(0.01, 100))
    video, kept = draw(st.booleans()), draw(st.booleans())
    return FaceRecord(
        id=draw(whole),
        file=draw(st.text(min_size=1, max_size=80)),
        frame=draw(whole),
        pts=draw(st.integers(-(2**53), 2**53)) if video else None,
        time_base=draw(st.fractions(Fraction(1, 10**9), 10**3, max_denominator=10**9)) if video else None,
        box=np.array([x, y, x + abs(w) + 1, y + abs(h) + 1]),
        score=draw(st.floats(0, 1)),
        landmarks=Landmarks(draw(arrays(np.float64, (SCHEMES[scheme], 2), elements=numbers)), scheme),
        crop_from_frame=np.array([[scale, draw(numbers), draw(numbers)], [0.0, scale, draw(numbers)]]),
        crop=f"crops/{draw(st.from_regex('[0-9A-Za-z_-]{1,64}', fullmatch=True))}.{draw(st.sampled_from(['png', 'jpg']))}",
        sharpness=draw(st.floats(0, 1e9)),
        pose=(draw(numbers), draw(numbers), draw(numbers)),
        kept=kept,
        reason=None if kept else draw(st.text(max_size=80)),
    )


@settings(max_examples=40, deadline=None)
@given(records())
def test_a_record_comes_back_exactly(record: FaceRecord) -> None:
    line = to_line(record)
    back = from_line(line, "here")
    assert to_line(back) == line
    assert "\n" not in line
    assert line.isascii()
    assert len(line) < LONGEST_LINE
    np.testing.assert_array_equal(back.landmarks.points, record.landmarks.points)
    np.testing.assert_array_equal(back.crop_from_frame, record.crop_from_frame)
    assert (back.time_base, back.scheme, back.file, back.pose) == (record.time_base, record.scheme, record.file, record.pose)


def test_the_line_has_the_keys_of_the_design_in_its_order() -> None:
    keys = "id file frame pts time_base box score landmarks scheme crop_from_frame crop sharpness pose kept reason"
    fields = json.loads(to_line(some_record(17)))
    assert list(fields) == keys.split()
    assert fields["time_base"] == "1/12800"


_BAD = [
    ({"id": -1}, "id"),
    ({"id": True}, "id"),
    ({"id": 1.0}, "id"),
    ({"id": 10**40}, "id"),
    ({"file": ""}, "file"),
    ({"file": 3}, "file"),
    ({"frame": None}, "frame"),
    ({"pts": None}, "pts"),
    ({"pts": "1"}, "pts"),
    ({"time_base": 0.04}, "time_base"),
    ({"time_base": "1/0"}, "time_base"),
    ({"time_base": "0/5"}, "time_base"),
    ({"time_base": "1/" + "9" * 40}, "time_base"),
    ({"box": [1, 2, 3]}, "box"),
    ({"box": [9, 2, 3, 4]}, "box"),
    ({"box": "1234"}, "box"),
    ({"score": 1.01}, "score"),
    ({"score": "0.9"}, "score"),
    ({"scheme": "ibug69"}, "scheme"),
    ({"scheme": "ibug68"}, "landmarks"),
    ({"landmarks": [[1, 2]] * 4}, "landmarks"),
    ({"landmarks": [[1, 2, 3]] * 5}, "landmarks"),
    ({"landmarks": [[1, None]] * 5}, "landmarks"),
    ({"landmarks": {"a": 1}}, "landmarks"),
    ({"crop_from_frame": [[1, 0, 0]]}, "crop_from_frame"),
    ({"crop_from_frame": [[1, 0, 0], [2, 0, 0]]}, "crop_from_frame"),
    ({"crop": "/etc/passwd"}, "crop"),
    ({"crop": "crops/../../secret.png"}, "crop"),
    ({"crop": "../crops/1.png"}, "crop"),
    ({"crop": "crops\\1.png"}, "crop"),
    ({"crop": "C:/crops/1.png"}, "crop"),
    ({"crop": "crops/1.png\n"}, "crop"),
    ({"crop": "crops/1.exe"}, "crop"),
    ({"sharpness": -1}, "sharpness"),
    ({"pose": [0, 0]}, "pose"),
    ({"kept": 1}, "kept"),
    ({"kept": False}, "reason"),
    ({"reason": "blurred"}, "reason"),
    ({"note": "hello"}, "unknown note"),
]


@pytest.mark.parametrize(("change", "named"), _BAD)
def test_a_wrong_value_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    line = json.dumps(json.loads(to_line(some_record(1))) | change)
    with pytest.raises(FacesetError, match=rf"^faces.jsonl, line 3: .*{named}"):
        from_line(line, "faces.jsonl, line 3")


_DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    '"text"',
    "\x00\x01",
    b"\xff\xfe",
    "[" * 100_000,
    to_line(some_record())[:-20],
    to_line(some_record()).replace("0.98", "NaN"),
    to_line(some_record()).replace("0.98", "Infinity"),
    to_line(some_record()).replace("0.98", "1e999"),
    to_line(some_record()).replace("0.98", "9" * 5000),
    to_line(some_record()).replace('"frame"', '"id"'),
    to_line(some_record()) + to_line(some_record()),
]


@pytest.mark.parametrize("line", _DAMAGED, ids=range(len(_DAMAGED)))
def test_a_damaged_line_is_refused(line: str | bytes) -> None:
    with pytest.raises(FacesetError, match=r"^there: "):
        from_line(line, "there")


def test_a_missing_key_is_named() -> None:
    fields = json.loads(to_line(some_record()))
    del fields["pose"]
    with pytest.raises(FacesetError, match="missing pose"):
        from_line(json.dumps(fields), "there")


@pytest.mark.parametrize(("reason", "kind"), [("partial: 63 %", "partial"), ("not the largest face", "not the largest face")])
def test_reason_kind(reason: str, kind: str) -> None:
    assert reason_kind(reason) == kind
