"""Settings: round trips, and one clear line for every kind of mistake."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.config import from_mapping, read_toml, to_mapping, to_toml
from bianlian.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    sigma: float = 1.5
    names: tuple[str, ...] = ("a",)


@dataclass(frozen=True)
class Outer:
    count: int
    kind: Literal["x", "y"] = "x"
    path: Path | None = None
    inner: Inner = field(default_factory=Inner)
    people: tuple[Inner, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


FULL = Outer(3, "y", Path("a b"), Inner(2.0, ("p", 'q"\\')), (Inner(), Inner(0.1, ())), {"lr": 1e-5, "betas": [0.5, 0.9]})


def test_toml_round_trip() -> None:
    assert from_mapping(Outer, tomllib.loads(to_toml(to_mapping(FULL)))) == FULL


@given(st.text())
def test_any_text_survives_toml(text: str) -> None:
    assert tomllib.loads(to_toml({"text": text})) == {"text": text}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1, "cuont": 2}, "unknown setting 'cuont'; known: count, kind"),
        ({}, "'count' is missing"),
        ({"count": "3"}, "count: a whole number was wanted, got '3'"),
        ({"count": True}, "a whole number was wanted"),
        ({"count": 1, "kind": "z"}, "one of x, y"),
        ({"count": 1, "inner": {"sigma": "big"}}, r"inner\.sigma: a number"),
        ({"count": 1, "inner": {"sgima": 1}}, "settings.inner: unknown setting 'sgima'"),
        ({"count": 1, "people": [{"names": [1]}]}, r"people\[0\]\.names\[0\]: text"),
        ({"count": 1, "inner": 4}, "a table of settings"),
        ({"count": 1, "extra": 4}, "a table was wanted"),
    ],
)
def test_mistakes_are_named_with_their_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(Outer, values)


def test_whole_numbers_pass_for_numbers() -> None:
    assert from_mapping(Inner, {"sigma": 2}) == Inner(2.0)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_toml(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"a = \xff")
    with pytest.raises(ConfigError, match=r"bad\.toml: not a readable TOML"):
        read_toml(bad)
