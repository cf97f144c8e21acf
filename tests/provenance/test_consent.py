"""The record of consent: shown, added to, carried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bianlian.cli import main
from bianlian.errors import ConfigError, InputError
from bianlian.faceset.header import read_header
from bianlian.provenance.consent import NO_CONSENT, Consent, add_consent, footage_consent, read_consents, record_path
from bianlian.train.run import open_run
from made_faces import make_faceset


def test_footage_has_its_record_beside_it(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"film")
    assert read_consents(clip) == [Consent("clip.mp4", NO_CONSENT)]
    assert add_consent(clip, " release signed 2026-03-01 ") == [Consent("clip.mp4", "release signed 2026-03-01")]
    add_consent(clip, "同意")
    assert footage_consent(clip) == "release signed 2026-03-01; 同意"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.consent.json"]
    assert clip.read_bytes() == b"film"


def test_a_faceset_carries_it_inside(tmp_path: Path) -> None:
    path = make_faceset(tmp_path / "ana", "ana", hue=0, seed=0).path
    before = read_header(path)
    assert add_consent(path, "by mail")[0].text.endswith("by mail")
    after = read_header(path)
    assert after.consent is not None
    assert after.consent.endswith("by mail")
    assert (after.person, after.size, after.coverage) == (before.person, before.size, before.coverage)


def test_a_run_carries_one_a_person(run_copy: Path) -> None:
    with pytest.raises(ConfigError, match="--person"):
        add_consent(run_copy, "yes")
    add_consent(run_copy, "signed", "ben")
    add_consent(run_copy, "and by mail", "ben")
    people = {p.name: p.consent for p in open_run(run_copy).people}
    assert people["ben"].endswith("signed; and by mail")
    assert "signed" not in people["ana"]


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 2001, "\x07"])
def test_it_is_one_line_of_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="one line"):
        add_consent(tmp_path, text)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"consent": 5}', b'{"consent": ""}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_record_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    record_path(clip).write_bytes(content)
    with pytest.raises(InputError, match="no consent record"):
        footage_consent(clip)


def test_the_command_shows_and_adds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"film")
    assert main(["consent", str(clip)]) == 0
    assert "no consent record" in capsys.readouterr().out
    assert main(["consent", str(clip), "--add", "release signed"]) == 0
    assert capsys.readouterr().out == "clip.mp4: release signed\n"
    assert main(["consent", str(tmp_path / "none.mp4")]) == 2
