"""Nothing turns the marks off: no option, no setting, no variable of the environment."""

from __future__ import annotations

import dataclasses
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import bianlian
from bianlian import api
from bianlian.cli import COMMANDS
from bianlian.provenance.mark import Marker
from bianlian.swap import pipeline, render
from bianlian.swap.settings import SwapSettings
from bianlian.video import Encoding

ABOUT_MARKS = re.compile(r"(?<!land)mark|c2pa|manifest|sign|provenance|stamp|aigc|xmp|metadata|trace|seal|consent")
KNOWN = {
    "extract": {"consent"},  # what is recorded
    "swap": {"sign_with"},  # who signs, not whether
}
VARIABLES = {"BIANLIAN_CACHE", "BIANLIAN_DATA", "BIANLIAN_ICT", "BIANLIAN_OFFLINE", "XDG_CACHE_HOME", "XDG_DATA_HOME"}
"""Every variable that the program reads: folders, and whether it may use the network."""


@pytest.mark.parametrize("command", list(COMMANDS))
def test_no_command_has_an_option_about_the_marks(command: str) -> None:
    module, _, name = COMMANDS[command][0].partition(":")
    fields = {f.name for f in dataclasses.fields(getattr(import_module(module), name))}
    assert {f for f in fields if ABOUT_MARKS.search(f)} == KNOWN.get(command, set())


def test_no_setting_and_no_parameter_is_about_the_marks() -> None:
    for settings in (SwapSettings, Encoding):
        assert not [f.name for f in dataclasses.fields(settings) if ABOUT_MARKS.search(f.name)]
    found = {name for f in (api.swap, pipeline.swap) for name in inspect.signature(f).parameters if ABOUT_MARKS.search(name)}
    assert found == {"sign_with", "signer", "consent"}
    assert inspect.signature(render.render).parameters["marker"].default is inspect.Parameter.empty
    assert set(inspect.signature(Marker).parameters) == {"out", "origin", "size", "span", "language", "number"}


def test_no_variable_of_the_environment_is_about_the_marks() -> None:
    found = set()
    for path in Path(bianlian.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"""(?:environ(?:\.get)?[\[(]|getenv\()\s*["'](\w+)""", text))
    assert found <= VARIABLES | {"KMP_DUPLICATE_LIB_OK", "WORLD_SIZE", "LOCAL_RANK"}  # the last two are those of `torchrun`
    assert found >= VARIABLES


def test_the_pattern_would_find_a_switch() -> None:
    for name in ("watermark", "no_mark", "sign", "c2pa", "with_metadata", "unsigned"):
        assert ABOUT_MARKS.search(name)
