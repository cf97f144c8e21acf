"""A faceset is curated on disk: nothing is deleted, everything can be taken back, and a hostile file says where it is wrong."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from curate_fakes import ColourDescriber, CountingDetector, drawn_face, eyes, make_faces
from faceset_fakes import contents

from bianlian.errors import FacesetError, InputError, Interrupted, NoFaceError, OutputError
from bianlian.faceset.curate.curate import Curation, curate, undo
from bianlian.faceset.curate.measure import Eyes
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.journal import exclusive
from bianlian.faceset.store import Faceset
from bianlian.train.batches import People

FOREIGN, BLACK, SMALL = 3, 6, 8
LOOSE = CurateSettings(blur=1, whole=0.5)
"""Drawn faces are no measure of blur, and their plain ground repeats."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Twelve faces: one of another colour, one black, one that extraction left out."""
    crops = [drawn_face(k, (90, 200, 90) if k == FOREIGN else (200, 120, 90)) for k in range(12)]
    crops[BLACK] = np.zeros_like(crops[0])
    return make_faces(tmp_path / "anna", crops, {SMALL: "small: 30 pixels wide"}).path


def reasons(path: Path) -> dict[int, str | None]:
    return {r.id: r.reason for r in Faceset.open(path).records()}


def run(path: Path, settings: CurateSettings = LOOSE, **more: Any) -> Curation:
    return curate(path, settings, **({"eyes": eyes()} | more))


def test_decisions_are_flags_and_nothing_is_deleted(path: Path) -> None:
    before = contents(path)
    result = run(path)
    left_out = {k: (r or "").partition(":")[0] for k, r in reasons(path).items() if r is not None}
    assert left_out == {FOREIGN: "another person", BLACK: "dark", SMALL: "small"}
    assert (result.faceset.kept_count, dict(result.faceset.dropped)) == (9, {"another person": 1, "dark": 1, "small": 1})
    after = contents(path)
    assert {k: v for k, v in after.items() if k in before and k != "faces.jsonl"} == {
        k: v for k, v in before.items() if k != "faces.jsonl"
    }
    assert sorted(set(after) - set(before)) == ["curation.html", "curation.json", "embeddings.npy", "measures.jsonl"]


def test_a_run_with_other_thresholds_decides_afresh(path: Path) -> None:
    run(path)
    run(path, CurateSettings(blur=1, whole=0.5, off=("person", "light", "face")))
    assert [k for k, r in reasons(path).items() if r is not None] == [SMALL]
    run(path, CurateSettings(blur=1, whole=0.5, size=1, reconsider=True))
    assert [k for k, r in reasons(path).items() if r is not None] == [FOREIGN, BLACK]
    run(path)
    assert reasons(path)[SMALL] == "small: 30 pixels wide"


def test_the_same_again_writes_the_same(path: Path) -> None:
    run(path)
    before = contents(path)
    run(path)
    assert contents(path) == before


def test_words_by_hand_outlast_later_runs_and_can_be_changed(path: Path) -> None:
    run(path, keep=[FOREIGN, SMALL], drop=[0])
    assert [k for k, r in reasons(path).items() if r is not None] == [0, BLACK]
    run(path, CurateSettings(blur=1, whole=0.5, count=5))
    found = reasons(path)
    assert (found[0], found[FOREIGN], found[SMALL]) == ("by hand", None, None)
    assert sum(r is None for r in found.values()) == 5
    run(path, keep=[0], drop=[FOREIGN])
    assert (reasons(path)[0], reasons(path)[FOREIGN]) == (None, "by hand")


def test_undo_gives_the_records_back(path: Path) -> None:
    before = (path / "faces.jsonl").read_bytes()
    run(path, CurateSettings(count=3, reconsider=True), keep=[FOREIGN], drop=[0])
    assert (path / "faces.jsonl").read_bytes() != before
    assert undo(path).kept_count == 11
    assert (path / "faces.jsonl").read_bytes() == before
    run(path)
    assert reasons(path)[0] is None


def test_a_word_does_not_pass_to_another_face_of_the_same_number(path: Path, tmp_path: Path) -> None:
    run(path, drop=[0])
    other = make_faces(tmp_path / "other", [drawn_face(50 + k) for k in range(12)]).path
    (other / "curation.json").write_bytes((path / "curation.json").read_bytes())
    run(other)
    assert reasons(other)[0] is None


def test_wrong_words_are_refused_before_anything_is_written(path: Path) -> None:
    run(path)
    before = contents(path)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"keep": [99]}, "id 99"),
        ({"drop": [-1]}, "id -1"),
        ({"keep": [1], "drop": [1]}, "face 1 cannot be both"),
    ]
    for words, named in cases:
        with pytest.raises(InputError, match=named):
            run(path, **words)
    assert contents(path) == before


def test_what_was_measured_is_not_measured_again(path: Path) -> None:
    run(path)
    detector = CountingDetector()
    run(path, eyes=Eyes(detector, ColourDescriber()))
    assert detector.asked == 0
    assert cv2.imwrite(str(path / "crops/000001.png"), drawn_face(77)[..., ::-1])
    run(path, eyes=Eyes(detector, ColourDescriber()))
    assert detector.asked == 1


def test_filters_that_are_off_need_no_eyes_and_are_measured_when_turned_on(path: Path) -> None:
    run(path, CurateSettings(blur=1, whole=0.5, off=("face", "person", "light")), eyes=Eyes())
    assert [k for k, r in reasons(path).items() if r is not None] == [SMALL]
    run(path)
    assert [k for k, r in reasons(path).items() if r is not None] == [FOREIGN, BLACK, SMALL]


@pytest.mark.parametrize("name", ["measures.jsonl", "embeddings.npy"])
@pytest.mark.parametrize("damage", [b"", b"nonsense\n", b'{"id": 1}\n', b"\x93NUMPY\x01\x00"])
def test_damaged_measures_are_measured_again(path: Path, name: str, damage: bytes) -> None:
    run(path)
    wanted = contents(path)
    (path / name).write_bytes(damage)
    run(path)
    assert contents(path) == wanted


def test_an_interrupted_run_keeps_what_it_measured(path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    before = (path / "faces.jsonl").read_bytes()
    with pytest.raises(Interrupted, match="5 of 12 faces measured"):
        run(path, progress=stop)
    assert (path / "faces.jsonl").read_bytes() == before
    detector = CountingDetector()
    run(path, eyes=Eyes(detector, ColourDescriber()))
    assert detector.asked == 12 - 5


def test_a_crop_that_cannot_be_read_is_named_and_the_rest_goes_on(path: Path) -> None:
    (path / "crops/000002.png").write_bytes(b"broken")
    notes: list[str] = []
    run(path, note=notes.append)
    assert reasons(path)[2] is not None
    assert sum(r is None for r in reasons(path).values()) == 8
    assert ["000002.png" in note for note in notes] == [True]


def test_training_uses_the_kept_faces_alone(path: Path) -> None:
    run(path)
    people = People([Faceset.open(path)])
    kept = [drawn_face(k) for k in range(12) if k not in (FOREIGN, BLACK, SMALL)]
    assert people.count(0) == len(kept) == 9
    for index, crop in enumerate(kept):
        np.testing.assert_array_equal(people.face(0, index)[0], crop)
    run(path, drop=[k for k in range(12) if k != BLACK])
    with pytest.raises(NoFaceError, match="no kept face of anna"):
        People([Faceset.open(path)])


def test_no_face_is_kept_is_told(path: Path) -> None:
    notes: list[str] = []
    assert run(path, CurateSettings(size=9999), note=notes.append).missing == ("no face is kept",)
    assert "no face is kept: few pixels" in notes[-1]


def test_the_page_asks_nothing_of_the_network_and_shows_all(path: Path) -> None:
    result = run(path)
    found: dict[str, list[str]] = {"figure": [], "src": [], "links": []}

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if tag == "figure":
                found["figure"].append(f"{values['data-id']} {values['title']}")
            if values.get("src"):
                found["src"].append(str(values["src"]))
            found["links"] += [str(v) for k, v in attrs if k in ("href", "action", "srcset", "data")]
            assert tag not in ("link", "iframe", "object", "embed", "base")

    page = result.report.read_text()
    Reader().feed(page)
    assert len(found["figure"]) == 12
    assert all(src.startswith("data:image/jpeg;base64,") for src in found["src"])
    assert not found["links"]
    assert not re.findall(r"https?:|url\(|@import|fetch\(|XMLHttp", page)
    assert any(f.startswith(f"{FOREIGN} ") and "another person: 1.00 from the others" in f for f in found["figure"])
    assert "<b>9</b> of 12 faces are kept" in page
    assert "no faces beyond 15 degrees to the left" in page
    assert page.count('class="kept"') >= 3


def test_what_is_missing_is_said(path: Path) -> None:
    """Yaw goes from -20 to 24 degrees: at -20 and -16 there are 2 faces beyond 15 on the left, at 16, 20, 24 three on the right."""
    missing = run(path).missing
    assert "no faces beyond 15 degrees to the left" in missing
    assert "no faces beyond 30 degrees to the right" in missing
    assert "no faces beyond 10 degrees upward" in missing
    assert any(line.startswith("only 9 faces are kept") for line in missing)


def test_names_in_the_page_are_text(tmp_path: Path) -> None:
    path = make_faces(tmp_path / "a<b>", [drawn_face(k) for k in range(3)]).path
    header = json.loads((path / "faceset.json").read_text())
    (path / "faceset.json").write_text(json.dumps(header | {"consent": "<script>alert(1)</script>"}))
    page = run(path).report.read_text()
    assert "<script>alert" not in page
    assert "a<b>" not in page


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (b"nonsense", r"faces\.jsonl, line 5: wanted one JSON object"),
        (b'{"id": 4, "crop": "crops/../../secret.png"}', r"faces\.jsonl, line 5: keys must be"),
    ],
)
def test_a_faceset_edited_into_nonsense_is_refused_by_its_line(path: Path, damage: bytes, named: str) -> None:
    lines = (path / "faces.jsonl").read_bytes().splitlines()
    (path / "faces.jsonl").write_bytes(b"\n".join([*lines[:4], damage, *lines[5:]]) + b"\n")
    before = contents(path)
    with pytest.raises(FacesetError, match=named):
        run(path)
    assert contents(path) == before


def test_a_crop_outside_of_the_faceset_is_refused(path: Path) -> None:
    lines = (path / "faces.jsonl").read_text().splitlines()
    lines[4] = json.dumps(json.loads(lines[4]) | {"crop": "crops/../../secret.png"})
    (path / "faces.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(FacesetError, match=r"line 5: crop must be crops/NAME"):
        run(path)


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"schema": 2}', '{"schema": 1, "settings": {}, "hand": 3, "extraction": []}',
     '{"schema": 1, "settings": {}, "hand": [{"id": "1", "stamp": "a", "keep": true}], "extraction": []}'],
)  # fmt: skip
def test_a_damaged_ledger_is_refused(path: Path, damage: str) -> None:
    run(path)
    (path / "curation.json").write_text(damage)
    with pytest.raises(FacesetError, match=r"curation\.json"):
        run(path)


def test_two_runs_do_not_write_at_once(path: Path) -> None:
    with exclusive(path / "faces.jsonl"), pytest.raises(OutputError, match="another run is writing it"):
        run(path)
    run(path)
