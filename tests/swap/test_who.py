"""Swap one person only, told by a picture or a name; sort people into folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from swap_scene import Tint, decoded, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.errors import ConfigError, InputError, NoFaceError, OutputError
from bianlian.provenance.consent import NO_CONSENT
from bianlian.swap.people import sort_people
from bianlian.swap.pipeline import Role, swap
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import read_tracks
from bianlian.types import Image
from bianlian.video import Encoding

pytestmark = pytest.mark.usefixtures("red_world")
OTHER = (210, 150, 90)
"""A disc with more green, and more blue: to the describer of ``swap_scene`` another person."""


def settings(who: str | None = None, sure: float | None = None) -> SwapSettings:
    return SwapSettings(
        fade=0,
        encoding=Encoding(codec="ffv1"),
        color="none",
        mask="hull",
        refine=0,
        shade=0,
        sharpen=0,
        grain=0,
        who=who,
        sure=sure,
    )


def both(seed: int, other: bool = True) -> Image:
    image = picture((40, 60), seed=seed)
    if other:
        cv2.circle(image, (120, 60), 28, OTHER, -1)
    return image


def portrait(path: Path, colour: tuple[int, int, int]) -> Path:
    image = np.full((120, 160, 3), 70, np.uint8)
    cv2.circle(image, (80, 60), 30, colour, -1)
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def changed(target: Path, out: Path, x: slice) -> list[bool]:
    """Whether the middle of the columns ``x`` differs, for each frame."""
    pairs = zip(decoded(target)[0], decoded(out)[0], strict=True)
    return [bool(np.abs(a[50:70, x].astype(int) - b[50:70, x]).mean() > 20) for a, b in pairs]


LEFT, RIGHT = slice(30, 50), slice(110, 130)


@pytest.mark.parametrize(("other", "left", "right"), [(False, True, False), (True, False, True)])
def test_the_person_of_a_picture_is_swapped_and_nobody_else(tmp_path: Path, other: bool, left: bool, right: bool) -> None:
    target = movie(tmp_path / "in.mkv", [both(k) for k in range(4)])
    shown = portrait(tmp_path / "who.png", OTHER if other else (210, 60, 40))
    report = swap(target, Tint(), tmp_path / "out.mkv", settings(str(shown)))
    assert changed(target, tmp_path / "out.mkv", LEFT) == [left] * 4
    assert changed(target, tmp_path / "out.mkv", RIGHT) == [right] * 4
    assert any("1.00 away" in line for line in report.notes)  # (90 - 40) / 50


def test_frames_with_somebody_else_are_left_and_counted(tmp_path: Path) -> None:
    alone = [both(k)[:, ::-1].copy() for k in range(3)]
    for image in alone:
        image[:, 80:] = 70  # the left disc of the mirrored picture is the other person
    target = movie(tmp_path / "in.mkv", [*[both(k, other=False) for k in range(3)], *alone])
    report = swap(target, Tint(), tmp_path / "out.mkv", settings(str(portrait(tmp_path / "who.png", (210, 60, 40)))))
    assert report.swapped == 3
    assert [(s.reason, s.ranges) for s in report.skipped] == [("another person's face", ((3, 5),))]


def test_nobody_near_enough_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k, other=False) for k in range(2)])
    shown = str(portrait(tmp_path / "who.png", OTHER))
    with pytest.raises(NoFaceError, match=r"nearest face is 1\.00 away, 0\.50 is the limit"):
        swap(target, Tint(), tmp_path / "out.mkv", settings(shown))
    assert not (tmp_path / "out.mkv").exists()
    assert swap(target, Tint(), tmp_path / "out.mkv", settings(shown, sure=1.2)).swapped == 2


def test_bad_references_are_named(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k) for k in range(2)])
    (tmp_path / "empty").mkdir()
    blank = portrait(tmp_path / "blank.png", (70, 70, 70))
    with pytest.raises(ConfigError, match="person1, person2, got 'carl'"):
        swap(target, Tint(), tmp_path / "out.mkv", settings("carl"))
    with pytest.raises(InputError, match="holds no picture"):
        swap(target, Tint(), tmp_path / "out.mkv", settings(str(tmp_path / "empty")))
    with pytest.raises(NoFaceError, match=r"no face was found in .*blank"):
        swap(target, Tint(), tmp_path / "out.mkv", settings(str(blank)))
    with pytest.raises(ConfigError, match="give one of them"):
        SwapSettings(who="x.png", faces="all")


def test_people_get_folders_that_serve_as_references(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k, other=k > 2) for k in range(9)])
    people = sort_people(target, tmp_path / "people", settings(), pictures=4)
    # The other disc is larger (radius 28 against 24) but is seen in 6 of 9 frames: 6 * 28**2 < 9 * 24**2.
    assert [(p.name, p.frames, p.spans) for p in people] == [("person1", 9, ((0, 8),)), ("person2", 6, ((3, 8),))]
    assert len(list((tmp_path / "people" / "person2").glob("*.jpg"))) == 4
    listed = json.loads((tmp_path / "people" / "people.json").read_text(encoding="utf-8"))
    assert [p["spans"] for p in listed["people"]] == [[[0, 8]], [[3, 8]]]
    assert {t.person for t in read_tracks(tmp_path / "people" / "tracks.jsonl").tracks} == {"person1", "person2"}
    renamed = (tmp_path / "people" / "person2").rename(tmp_path / "people" / "ben")
    swap(target, Tint(), tmp_path / "out.mkv", settings(str(renamed)), tracks=tmp_path / "people" / "tracks.jsonl")
    assert changed(target, tmp_path / "out.mkv", LEFT) == [False] * 9
    assert changed(target, tmp_path / "out.mkv", RIGHT) == [False] * 3 + [True] * 6
    swap(target, Tint(), tmp_path / "again.mkv", settings("person2"))
    assert changed(target, tmp_path / "again.mkv", RIGHT) == [False] * 3 + [True] * 6
    with pytest.raises(OutputError, match="is there already"):
        sort_people(target, tmp_path / "people", settings())


class White(Tint):
    """A fake model of somebody else: paints faces white."""

    person = "ben"

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return np.full_like(crops, 255), np.ones(crops.shape[:3], np.float32)


def middle(out: Path, x: slice) -> NDArray[np.float64]:
    """Mean colour of the columns ``x`` at the height of the faces, over all frames."""
    means = [image[50:70, x].reshape(-1, 3).mean(0) for image in decoded(out)[0]]
    return np.asarray(np.mean(means, axis=0), np.float64)


def test_two_people_in_one_pass_each_get_their_own_face(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k) for k in range(4)])
    red, other = (str(portrait(tmp_path / f"{k}.png", colour)) for k, colour in enumerate([(210, 60, 40), OTHER]))
    for roles in ([Role(Tint(), red, "signed"), Role(White(), other)], [Role(White(), other), Role(Tint(), red, "signed")]):
        report = swap(target, roles, tmp_path / "out.mkv", settings())
        assert report.swapped == 4
        np.testing.assert_allclose(middle(tmp_path / "out.mkv", RIGHT), 255, atol=1)
        np.testing.assert_allclose(middle(tmp_path / "out.mkv", LEFT), 255 - middle(target, LEFT), atol=6)
        assert {(p.who, p.person, p.consent) for p in report.cast} == {(red, "anna", "signed"), (other, "ben", NO_CONSENT)}
        written = json.loads((tmp_path / "out.json").read_text())
        assert written["consent"] == NO_CONSENT  # one of the two gave none
        assert written["person"] == report.person


def test_a_face_that_two_claim_goes_to_the_nearer(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k) for k in range(2)])
    red, between = (str(portrait(tmp_path / f"{k}.png", colour)) for k, colour in enumerate([(210, 60, 40), (210, 60, 70)]))
    swap(target, [Role(White(), between), Role(Tint(), red)], tmp_path / "out.mkv", settings(sure=0.7))
    np.testing.assert_allclose(middle(tmp_path / "out.mkv", RIGHT), 255, atol=1)  # 0.4 from ``between``, 1.0 from ``red``
    np.testing.assert_allclose(middle(tmp_path / "out.mkv", LEFT), 255 - middle(target, LEFT), atol=6)


def test_somebody_who_is_not_there_is_named(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [both(k, other=False) for k in range(2)])
    red, other = (str(portrait(tmp_path / f"{k}.png", colour)) for k, colour in enumerate([(210, 60, 40), OTHER]))
    with pytest.raises(NoFaceError, match=re.escape(other)):
        swap(target, [Role(Tint(), red), Role(White(), other)], tmp_path / "out.mkv", settings())
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("roles", "chosen", "said"),
    [
        ([], SwapSettings(), "each of them says"),
        ([Role(Tint(), "person1"), Role(Tint(), "person2")], SwapSettings(faces="all"), "leave who and faces out"),
        ([Role(Tint(), "person1"), Role(Tint(), "person1")], SwapSettings(), "another person"),
        ([Role(Tint(), "person1"), Role(Tint())], SwapSettings(), "another person"),
    ],
)
def test_roles_that_make_no_sense_are_refused(tmp_path: Path, roles: list[Role], chosen: SwapSettings, said: str) -> None:
    target = movie(tmp_path / "in.mkv", [both(0)])
    with pytest.raises(ConfigError, match=said):
        swap(target, roles, tmp_path / "out.mkv", chosen)
