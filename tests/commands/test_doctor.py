"""``bianlian doctor`` reports and, when asked, fetches. The package index is not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bianlian.commands import doctor
from bianlian.commands.doctor import Doctor
from bianlian.errors import WeightsError
from bianlian.weights import CARDS, EXTRA_CARDS, WeightsCard, cache_dir


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("BIANLIAN_OFFLINE", raising=False)


def test_report_names_versions_weights_states_and_licences(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / CARDS["facemesh"].file).write_bytes(b"not the mesh")
    Doctor().run()
    said = capsys.readouterr().out
    for part in (
        "torch",
        "openvino",
        "cores",
        "memory",
        "GPU",
        "missing",
        "altered",
        "Apache-2.0",
        "MIT",
        str(tmp_path),
        *CARDS,
        *EXTRA_CARDS,
    ):
        assert part in said
    assert said.count("only when asked for") == len(EXTRA_CARDS)
    assert "doctor --fetch" in said


def test_fetch_asks_for_what_is_not_present(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []

    def obtain(card: WeightsCard) -> Path:
        asked.append(card.name)
        return cache_dir() / card.file

    monkeypatch.setattr(doctor, "obtain", obtain)
    monkeypatch.setattr(doctor, "find", lambda card: (cache_dir(), "present" if card.name == "iris" else "missing"))
    Doctor(fetch=True).run()
    assert asked == [name for name in CARDS if name != "iris"]
    assert "Fetched facemesh" in capsys.readouterr().out


def test_fetch_offline_is_an_error_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_OFFLINE", "1")
    with pytest.raises(WeightsError, match="BIANLIAN_OFFLINE"):
        Doctor(fetch=True).run()
