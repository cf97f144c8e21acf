from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from swap_scene import landmarks_at

from bianlian.errors import TracksError
from bianlian.swap.tracks import Analysis, read_tracks, write_tracks
from bianlian.types import Face, Track, TrackPoint

BOX = np.array([10.0, 20.0, 40.123, 60.0])
LOOKS = np.array([0.25, -0.5])


def analysis() -> Analysis:
    points = tuple(
        TrackPoint(k, Face(BOX + k, 0.5, landmarks_at(BOX + k)), filled=k == 3, description=LOOKS if k == 2 else None)
        for k in (2, 3, 4)
    )
    tracks = (Track(0, points, "bob"), Track(1, (TrackPoint(0, Face(BOX, 1.0)),)))
    return Analysis("clip é.mp4", "ab12", 160, 120, 9, Fraction(30000, 1001), "red", "red", "hue", (4,), tracks)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_tracks(tmp_path / "t.jsonl", analysis())
    old, new = analysis(), read_tracks(tmp_path / "t.jsonl")
    assert (new.target, new.fingerprint, new.rate, new.cuts, new.frames) == ("clip é.mp4", "ab12", Fraction(30000, 1001), (4,), 9)
    for a, b in zip(old.tracks, new.tracks, strict=True):
        assert (a.id, a.person) == (b.id, b.person)
        assert [(p.frame, p.filled) for p in a.points] == [(p.frame, p.filled) for p in b.points]
        for p, q in zip(a.points, b.points, strict=True):
            np.testing.assert_allclose(p.face.box, q.face.box, atol=0.005)
            assert (p.face.landmarks is None) == (q.face.landmarks is None)
            np.testing.assert_array_equal(p.description, q.description)
            if p.face.landmarks and q.face.landmarks:
                np.testing.assert_allclose(p.face.landmarks.points, q.face.landmarks.points, atol=0.005)
    assert [p.name for p in tmp_path.iterdir()] == ["t.jsonl"]


def damaged(path: Path, line: int, change: dict[str, Any] | str) -> Path:
    """Write good tracks with one line changed; lines count from 1."""
    write_tracks(path, analysis())
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[line - 1] = change if isinstance(change, str) else json.dumps({**json.loads(lines[line - 1]), **change})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "change", "says"),
    [
        (1, {"schema": 1}, "line 1: schema must be 3"),
        (1, {"width": -1}, "width"),
        (1, {"rate": "25/0"}, "rate"),
        (1, {"rate": "soon"}, "rate"),
        (1, {"cuts": [1.5]}, "cuts"),
        (1, {"span": None}, "span must hold two times"),
        (1, {"span": ["1/0", None]}, "span must hold two times"),
        (1, {"more": 1}, "exactly the keys"),
        (2, "{", "line 2: not JSON"),
        (2, "[1]", "exactly the keys"),
        (2, "[" * 100_000, "line 2: not JSON"),
        (2, {"frame": 9}, "frame must be below 9"),
        (2, {"frame": True}, "frame must be a whole number"),
        (2, {"track": -1}, "track must be a whole number"),
        (2, {"box": [1, 2, 3]}, "line 2: Face.box"),
        (2, {"box": [5, 5, 1, 9]}, "x1 < x2"),
        (2, {"box": [1, 2, "3", 4]}, "box must hold finite numbers"),
        (2, {"box": 7}, "box must hold finite numbers"),
        (2, {"landmarks": [[1, 2], [3]]}, "regular list"),
        (2, {"landmarks": [[1, 2]]}, "shape"),
        (2, {"landmarks": None}, "landmarks must hold finite numbers"),
        (2, {"scheme": "mine"}, "scheme"),
        (2, {"score": 1.5}, "score"),
        (2, {"score": float("nan")}, "no finite number"),
        (2, {"filled": 1}, "filled"),
        (2, {"person": 5}, "person"),
        (2, {"description": 5}, "description must hold finite numbers"),
        (2, {"description": [[1], [2]]}, "description must be a list"),
        (2, {"description": ["a"]}, "description must hold finite numbers"),
        (3, {"person": "carl"}, "track 0 is 'bob' in earlier lines"),
        (3, {"frame": 2}, "frame comes twice"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, line: int, change: dict[str, Any] | str, says: str) -> None:
    with pytest.raises(TracksError, match=says):
        read_tracks(damaged(tmp_path / "t.jsonl", line, change))


def test_missing_empty_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="cannot read"):
        read_tracks(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(TracksError, match="empty"):
        read_tracks(tmp_path / "empty.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"\x80\x04\x95\xff\n")
    with pytest.raises(TracksError, match="line 1: not JSON"):
        read_tracks(tmp_path / "b.jsonl")
