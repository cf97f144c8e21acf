"""``bianlian models`` as a user runs it."""

from __future__ import annotations

import pytest

from bianlian import plugins
from bianlian.cli import main
from bianlian.commands.models import parameters, row
from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig
from bianlian.model.blocks import count_parameters


def test_every_model_is_in_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    assert main(["models", "--size", "64"]) == 0
    said = capsys.readouterr().out
    for name in plugins.TABLES["model"]:
        assert name in said
        assert plugins.load("model", name).card.licence in said


def test_parameters_are_those_of_the_networks() -> None:
    real = count_parameters(Autoencoder(DeepfakeConfig(size=64, width="light"), 3))
    assert parameters("deepfake", 64, "light", 3) == real
    full = parameters("deepfake", 64, "full", 2)
    assert row("deepfake", 64, 2)[2] == f"{full / 1e6:.1f} M\n{4 * full / 1e6:.0f} MB"


def test_sizes_that_do_not_exist_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--size", "96"]) == 2
    assert "96 px" in capsys.readouterr().err
    assert main(["models", "--people", "0"]) == 2
