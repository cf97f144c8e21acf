"""The visible label: large enough, where and as long as it should be."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bianlian.provenance.label import TEXTS, Label, Language
from bianlian.types import Frame


def frame(seconds: float | None, index: int = 0) -> Frame:
    image = np.full((48, 64, 3), 90, np.uint8)
    return Frame(image, index) if seconds is None else Frame(image, index, round(seconds * 1000), Fraction(1, 1000))


@pytest.mark.parametrize("language", list(TEXTS))
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (640, 480), (512, 512)])
def test_letters_are_at_least_five_percent_of_the_short_side(language: Language, size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    drawn = Label(width, height, "all", language).draw(image)
    white = np.asarray(drawn.min(2) > 200)
    rows, columns = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
    capital = np.flatnonzero(white[:, : columns[0] + round(0.03 * min(size))].any(1))  # the A alone
    assert np.ptp(capital) + 1 >= 0.05 * min(size)
    assert np.ptp(rows) + 1 < 0.12 * min(size)
    assert np.ptp(columns) < 0.6 * width
    assert (drawn[height // 4 :] == 90).all()
    assert (image == 90).all()


def test_both_languages_differ_and_small_pictures_work() -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    assert (Label(1280, 720, "all", "zh").draw(image) != Label(1280, 720, "all", "en").draw(image)).any()
    for width, height in ((1, 1), (3, 40), (40, 3), (64, 48)):
        assert Label(width, height, "all", "en").draw(np.zeros((height, width, 3), np.uint8)).shape == (height, width, 3)


def test_at_the_start_it_stays_for_more_than_two_seconds() -> None:
    label = Label(64, 48, "start", "en")
    assert [label.shows(frame(10 + s)) for s in (0, 1.9, 2.9, 3.1, 60)] == [True, True, True, False, False]
    assert Label(64, 48, "start", "en").shows(frame(None))  # a picture


def test_what_is_made_later_of_a_clip_has_no_start_of_its_own() -> None:
    label = Label(64, 48, "start", "en", Fraction(10))
    assert [label.shows(frame(10 + s)) for s in (2, 4)] == [True, False]


def test_all_the_time_or_not_at_all() -> None:
    assert Label(64, 48, "all", "zh").shows(frame(1000))
    assert not Label(64, 48, "none", "zh").shows(frame(0))
