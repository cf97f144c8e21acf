from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tyro

from bianlian.commands import swap as command
from bianlian.commands.swap import Swap, default_out, summary
from bianlian.errors import ConfigError
from bianlian.provenance.consent import NO_CONSENT
from bianlian.swap.liken import MARGIN
from bianlian.swap.pipeline import Role
from bianlian.swap.report import Part, Skipped, SwapReport
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import STEPS


def report(**changes: Any) -> SwapReport:
    values: dict[str, Any] = {
        "target": "clip.mp4",
        "output": "out/clip.mp4",
        "cast": (Part(None, "anna", "signed"),),
        "model": "runs/1",
        "settings": SwapSettings(),
        "frames": 100,
        "swapped": 90,
        "filled": 2,
        "skipped": (Skipped("no face found", 10, ((0, 4), (7, 7), (20, 21), (30, 30), (50, 50))),),
        "seconds": {},
        "wall": 4.0,
    }
    return SwapReport(**{**values, **changes})


def test_flags_become_settings(tmp_path: Path) -> None:
    words = ["clip.mp4", "-m", "runs/1", "--to", "anna", "-o", "x.mkv", "--codec", "ffv1", "--blend", "poisson", "--faces", "all"]
    made = tyro.cli(Swap, args=[*words, "--feather", "20"])
    assert (made.target, made.model, made.to, made.out) == (Path("clip.mp4"), Path("runs/1"), "anna", Path("x.mkv"))
    settings = made.settings()
    assert (settings.blend, settings.faces, settings.feather, settings.encoding.codec) == ("poisson", "all", 20, "ffv1")


def test_defaults_are_those_of_the_library() -> None:
    assert Swap(Path("a.mp4"), Path("run"), "anna").settings() == SwapSettings()


@pytest.mark.parametrize("wrong", [{"blend": "glue"}, {"crf": 99}, {"batch": 0}, {"detector": "none"}])
def test_wrong_flags_are_config_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Swap(Path("a.mp4"), Path("run"), "anna", **wrong).run()


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("a/clip.mp4", "a/clip_as_anna.mp4"),
        ("clip.MKV", "clip_as_anna.mkv"),
        ("clip.mpg", "clip_as_anna.mp4"),
        ("p.png", "p_as_anna.png"),
    ],
)
def test_default_output(target: str, wanted: str) -> None:
    assert default_out(Path(target), "anna") == Path(wanted)


def test_default_output_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "v1.0").mkdir()
    assert default_out(tmp_path / "v1.0", "anna").name == "v1.0_as_anna"


def test_run_swaps_and_says_what_was_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {}

    def fake(target: Path, roles: list[Role], out: Path, settings: SwapSettings, **rest: Any) -> SwapReport:
        given.update(target=target, roles=[(r.swapper, r.who, r.consent) for r in roles], out=out, **rest)
        return report()

    monkeypatch.setattr(command, "swap", fake)
    monkeypatch.setattr(command, "open_person", lambda run, to, settings, likeness, note: (run, to, likeness))
    monkeypatch.setattr(command, "consent_of", lambda run, to: f"{to} signed")
    Swap(Path("clip.mp4"), Path("runs/1"), "anna").run()
    assert given["roles"] == [((Path("runs/1"), "anna", MARGIN), None, "anna signed")]
    assert (given["out"], given["model"]) == (Path("clip_as_anna.mp4"), "runs/1")
    tyro.cli(Swap, args=["c.mkv", "-m", "runs/1", "--map", "person1=anna", "--map", "a=b/face.png=ben", "--likeness", "-2"]).run()
    assert {s[2] for s, _, _ in given["roles"]} == {-2}
    assert [(s[1], who) for s, who, _ in given["roles"]] == [("anna", "person1"), ("ben", "a=b/face.png")]
    assert given["out"] == Path("c_as_anna_ben.mkv")
    assert "90 of 100 frames swapped to anna (25.0 frames/s)" in capsys.readouterr().out  # 100 frames / 4 s


def test_summary_names_what_was_skipped() -> None:
    text = summary(report())
    assert "10 frames left as they were, no face found: 0-4, 7, 20-21, 30, ..." in text
    assert text.endswith("clip.mp4 (report: clip.json)")
    assert "consent" not in text
    assert "no consent is recorded for anna" in summary(
        report(cast=(Part("person2", "ben", "signed"), Part("person1", "anna", NO_CONSENT)))
    )


@pytest.mark.parametrize("words", [[], ["--to", "anna", "--map", "person1=ben"], ["--map", "person1"], ["--map", "=ben"]])
def test_whose_face_goes_in_must_be_said_once(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="WHO=NAME"):
        tyro.cli(Swap, args=["clip.mp4", "-m", "runs/1", *words]).run()


def test_photos_say_whose_face_goes_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {}

    def fake(target: Path, roles: list[Role], out: Path, settings: SwapSettings, **rest: Any) -> SwapReport:
        given.update(roles=roles, out=out, **rest)
        return report(model=rest["model"], cast=(Part(None, "anna", NO_CONSENT),))

    def look(people: Any, settings: SwapSettings, *, progress: Any, note: Any, **how: Any) -> Any:
        given.update(how)
        return people

    monkeypatch.setattr(command, "swap", fake)
    monkeypatch.setattr(command, "photo_roles", look)
    tyro.cli(Swap, args=["clip.mp4", "--source", "a/anna.jpg", "b.jpg"]).run()
    assert given["roles"] == [(None, (Path("a/anna.jpg"), Path("b.jpg")))]
    assert (given["out"], given["weights"], given["steps"]) == (Path("clip_as_anna.mp4"), None, STEPS)
    assert given["likeness"] == MARGIN
    assert given["model"] == "one photo (oneshot-128): a/anna.jpg, b.jpg"
    assert "`bianlian consent PHOTO --add TEXT` records it" in capsys.readouterr().out
    tyro.cli(Swap, args=["c.mkv", "-m", "own.safetensors", "--map", "person1=anna.jpg", "--map", "x.png=ben.png"]).run()
    assert given["roles"] == [("person1", (Path("anna.jpg"),)), ("x.png", (Path("ben.png"),))]
    assert (given["out"], given["weights"]) == (Path("c_as_anna_ben.mkv"), Path("own.safetensors"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--to", "anna"],
        ["--source", "a.jpg", "--to", "anna"],
        ["--source", "a.jpg", "--map", "person1=b.jpg"],
        ["--source", "a.jpg", "-m", "runs/1"],
        ["-m", "own.safetensors"],
    ],
)
def test_who_goes_in_is_said_once(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="whose face goes in"):
        tyro.cli(Swap, args=["clip.mp4", *words]).run()
