"""Each filter takes what it should and leaves the rest; words by hand and of extraction stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from curate_fakes import good_table, person

from bianlian.errors import ConfigError
from bianlian.faceset.curate.decide import KINDS, decide
from bianlian.faceset.curate.settings import FILTERS, CurateSettings
from bianlian.faceset.curate.table import Table
from bianlian.faceset.record import reason_kind

COUNT, BAD = 40, [3, 17, 30]


def with_bad(column: str, value: Any) -> Table:
    """A table in which three rows have another value."""
    table = good_table(COUNT)
    values = getattr(table, column).copy()
    values[BAD] = value
    return replace(table, **{column: values})


CASES = [
    ("face", "no face", "face", 0.0),
    ("whole", "cut off", "whole", 0.8),
    ("person", "another person", "who", person(1)),
    ("size", "few pixels", "width", 30.0),
    ("blur", "blurred", "blur", 0.7),
    ("light", "dark", "level", 20.0),
    ("light", "burnt out", "burnt", 0.5),
    ("light", "flat", "contrast", 9.0),
]


@pytest.mark.parametrize(("name", "kind", "column", "value"), CASES)
def test_a_filter_takes_its_own_and_can_be_turned_off(name: Any, kind: str, column: str, value: Any) -> None:
    table = with_bad(column, value)
    reasons = decide(table, CurateSettings(), [None] * COUNT).reasons
    assert [k for k, reason in enumerate(reasons) if reason is not None] == BAD
    assert {reason_kind(r) for r in reasons if r is not None} == {kind}
    assert kind in KINDS
    assert decide(table, CurateSettings(off=(name,)), [None] * COUNT).kept.all()


def test_nothing_is_wrong_with_good_faces() -> None:
    assert decide(good_table(COUNT), CurateSettings(), [None] * COUNT).kept.all()


def test_soft_footage_stays() -> None:
    """All faces are as soft as one another: no threshold on blur alone may take them."""
    table = good_table(COUNT, blur=np.full(COUNT, 0.75))
    assert decide(table, CurateSettings(), [None] * COUNT).kept.all()


def test_what_is_otherwise_wrong_does_not_set_the_standard_of_blur() -> None:
    """Half of the faces are crisp but foreign; the soft ones of the person are not blurred beside them."""
    blur, who = np.full(COUNT, 0.7), np.tile(person(0), (COUNT, 1))
    blur[:18], who[:18] = 0.4, person(1)
    reasons = decide(good_table(COUNT, blur=blur, who=who), CurateSettings(), [None] * COUNT).reasons
    assert [reason_kind(r or "") for r in reasons] == ["another person"] * 18 + [""] * 22


def test_unknown_is_not_judged() -> None:
    table = good_table(COUNT, face=np.full(COUNT, np.nan), who=np.full((COUNT, 1), np.nan, np.float32))
    assert decide(table, CurateSettings(), [None] * COUNT).kept.all()


def test_the_wanted_count_covers_the_poses() -> None:
    table = good_table(COUNT)
    kept = decide(table, CurateSettings(count=10), [None] * COUNT).kept
    assert kept.sum() == 10
    # 40 poses 6 degrees apart; 10 of them chosen well leave none more than 18 degrees away (a perfect spacing leaves 12).
    yaw = table.pose[:, 0]
    assert np.abs(yaw[:, None] - yaw[kept][None]).min(axis=1).max() <= 18


def test_of_duplicates_the_sharper_stays() -> None:
    pose, hashes, blur = np.zeros((6, 3)), np.zeros(6, np.uint64), np.full(6, 0.5)
    blur[4] = 0.4
    table = good_table(6, pose=pose, hash=hashes, blur=blur)
    assert np.flatnonzero(decide(table, CurateSettings(), [None] * 6).kept).tolist() == [4]
    assert decide(table, CurateSettings(), [None] * 6).reasons[0] == "duplicate: of 40"
    assert decide(table, CurateSettings(off=("duplicates",)), [None] * 6).kept.all()


def test_the_last_word_is_by_hand() -> None:
    """Ids are ten times the row: face 30 is bad and kept by hand, face 50 is good and dropped."""
    table = with_bad("level", 10.0)
    verdict = decide(table, CurateSettings(count=5), [None] * COUNT, {30: True, 50: False})
    assert (verdict.reasons[3], verdict.reasons[5]) == (None, "by hand")
    assert verdict.kept.sum() == 5


def test_faces_kept_by_hand_stay_beyond_the_count_and_beside_their_copies() -> None:
    table = good_table(6, pose=np.zeros((6, 3)), hash=np.zeros(6, np.uint64))
    kept = decide(table, CurateSettings(count=1), [None] * 6, {20: True, 30: True}).kept
    assert np.flatnonzero(kept).tolist() == [2, 3]


def test_what_extraction_said_stands_unless_it_is_reconsidered() -> None:
    before = ["small: 30 pixels wide", *[None] * (COUNT - 1)]
    table = with_bad("level", 10.0)
    assert decide(table, CurateSettings(), before).reasons[0] == before[0]
    assert decide(table, CurateSettings(reconsider=True), before).reasons[0] is None


def test_nobody_and_nothing() -> None:
    assert decide(good_table(0), CurateSettings(), []).reasons == ()
    assert not decide(with_bad("level", 10.0), CurateSettings(dark=255), [None] * COUNT).kept.any()


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"blur": -0.1}, "blur"), ({"count": 0}, "count"), ({"face": 2}, "face"), ({"off": ("magic",)}, "'magic'")],
)
def test_settings_out_of_range(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        CurateSettings(**settings)
    assert len(FILTERS) == 8
