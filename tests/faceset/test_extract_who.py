"""Extraction keeps the faces of one person, told by pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from faceset_fakes import DrawnDetector, DrawnLandmarker, draw, write_png
from numpy.typing import NDArray

from bianlian.errors import ConfigError, FacesetError
from bianlian.faceset.extract import extract
from bianlian.faceset.store import Faceset
from bianlian.faceset.who import Wanted
from bianlian.identity.reference import reference
from bianlian.types import Face, Image


class WidthDescriber:
    """Tells drawn people apart by how wide they are: 20 pixels are a distance of 1."""

    same = 0.6

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        return np.array([[(f.box[2] - f.box[0]) / 20] for f in faces]).reshape(-1, 1)


def wanted(path: Path) -> Wanted:
    return Wanted(WidthDescriber(), reference(path, DrawnDetector(), DrawnLandmarker(), WidthDescriber()))


def run(inputs: Sequence[Path], out: Path, who: Wanted | None) -> Faceset:
    return extract(inputs, "ana", out, detector=DrawnDetector(), landmarker=DrawnLandmarker(), size=64, wanted=who)


def test_only_the_wanted_person_is_kept_also_where_another_face_is_larger(tmp_path: Path) -> None:
    both = write_png(tmp_path / "a.png", draw((40, 60, 44), (110, 60, 70)))
    other = write_png(tmp_path / "b.png", draw((80, 60, 70)))
    shown = write_png(tmp_path / "who" / "1.png", draw((80, 60, 46)))
    write_png(tmp_path / "who" / "2.png", draw((70, 60, 44)))
    faceset = run([both, other], tmp_path / "ana", wanted(shown.parent))
    assert [(r.file, r.kept) for r in faceset.records()] == [("a.png", True), ("a.png", False), ("b.png", False)]
    away = [float((r.reason or "").split()[2]) for r in faceset.records() if not r.kept]
    np.testing.assert_allclose(away, (71 - 46) / 20, atol=0.11)  # a drawn disc is up to two pixels wider than asked for
    assert dict(faceset.dropped) == {"another person": 2}
    assert [r.kept for r in run([both], tmp_path / "all", None).records()] == [False, True]


def test_a_faceset_of_another_person_is_not_mixed(tmp_path: Path) -> None:
    both = write_png(tmp_path / "a.png", draw((40, 60, 44), (110, 60, 70)))
    run([both], tmp_path / "ana", wanted(write_png(tmp_path / "who.png", draw((80, 60, 44)))))
    with pytest.raises(FacesetError, match="now it is"):
        run([both], tmp_path / "ana", wanted(write_png(tmp_path / "else.png", draw((80, 60, 70)))))


def test_a_limit_out_of_range_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sure must lie in"):
        Wanted.by_pictures(tmp_path / "missing", DrawnDetector(), DrawnLandmarker(), sure=0)
