"""Progress and notes: bars on a terminal, a few plain lines elsewhere, and no text that can break either."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bianlian.commands import _show
from bianlian.commands._show import shown


def test_plain_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(_show, "monotonic", lambda: clock[0])
    text = io.StringIO()
    with shown(Console(file=text)) as (progress, note):
        for done in range(11):
            progress("decode", done, 10)
            clock[0] += 1.0
        note("one thing [bold]to[/bold] know")
    # The first, one after each 5 seconds, and the last.
    assert text.getvalue().splitlines() == [
        "decode: 0/10 (0 %)",
        "decode: 5/10 (50 %)",
        "decode: 10/10 (100 %)",
        "one thing [bold]to[/bold] know",
    ]


def test_an_unknown_total() -> None:
    text = io.StringIO()
    with shown(Console(file=text)) as (progress, _):
        progress("decode", 7, None)
        progress("empty", 0, 0)
    assert text.getvalue() == "decode: 7\nempty: 0\n"


def test_a_bar_on_a_terminal() -> None:
    text = io.StringIO()
    with shown(Console(file=text, force_terminal=True, width=100)) as (progress, note):
        progress("decode", 1, None)
        progress("decode", 5, 10)
        progress("write [x]", 3, 4)
        note("a [red]note[/red]")
    out = text.getvalue()
    assert "5/10" in out
    assert "write [x]" in out
    assert "a [red]note[/red]" in out


def test_a_name_that_is_no_text() -> None:
    binary = io.BytesIO()
    text = io.TextIOWrapper(binary, encoding="ascii")
    with shown(Console(file=text)) as (_, note):
        note("bad \udcff name, 变脸")
    text.flush()
    assert binary.getvalue() == b"bad \\udcff name, \\u53d8\\u8138\n"


def test_it_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as (progress, note):
        progress("decode", 1, 1)
        note("hello " * 40)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1] == ("hello " * 40)
