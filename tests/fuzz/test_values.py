"""Any value under any key: what hypothesis thinks of, in faces, tracks and settings."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fuzz_seeds import SEEDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bianlian.config import from_mapping, to_mapping
from bianlian.errors import ConfigError, FacesetError, TracksError
from bianlian.faceset.record import FaceRecord, from_line, to_line
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import read_tracks

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8), inner, max_size=4))
QUICK = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Objects of a sound ``faces.jsonl`` and a sound tracks file."""
    faces = SEEDS["faceset"](tmp_path_factory.mktemp("faces"))["faces.jsonl"]
    tracks = SEEDS["tracks"](tmp_path_factory.mktemp("tracks"))["o.tracks.jsonl"]
    return {"faces": [json.loads(x) for x in faces.splitlines()], "tracks": [json.loads(x) for x in tracks.splitlines()]}


@QUICK
@given(st.data())
def test_a_face_is_read_exactly_or_refused(lines: dict[str, list[dict[str, Any]]], data: st.DataObject) -> None:
    found = {**lines["faces"][0], data.draw(st.sampled_from([f.name for f in fields(FaceRecord)])): data.draw(VALUES)}
    with suppress(FacesetError):
        record = from_line(json.dumps(found), "here")
        assert to_line(from_line(to_line(record), "again")) == to_line(record)


@QUICK
@given(st.data())
def test_tracks_are_read_or_refused(lines: dict[str, list[dict[str, Any]]], data: st.DataObject) -> None:
    found = [dict(line) for line in lines["tracks"]]
    k = data.draw(st.integers(0, len(found) - 1))
    found[k][data.draw(st.sampled_from(list(found[k])))] = data.draw(VALUES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
        with suppress(TracksError):
            assert len(read_tracks(path).tracks) >= 1


@QUICK
@given(st.sampled_from([f.name for f in fields(SwapSettings)]), VALUES)
def test_settings_are_taken_as_they_are_or_refused(name: str, value: Any) -> None:
    with suppress(ConfigError):
        made = from_mapping(SwapSettings, {name: value})
        assert from_mapping(SwapSettings, to_mapping(made)) == made
