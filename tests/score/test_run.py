"""Scores of whole runs: networks whose quality is known beforehand, and the command on a real run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.cli import main
from bianlian.errors import NoFaceError
from bianlian.faceset.store import Faceset
from bianlian.score.measure import Eyes
from bianlian.score.previews import PreviewJudge
from bianlian.score.run import Direction, RunJudge, mean_score, weakest
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.plateau import Plateau
from bianlian.types import Face, Image
from known_models import Known, Towards
from made_faces import make_faceset


class Stripes:
    """Describes a face by how strongly it is striped along and across: what no fit of colour changes."""

    same = 0.1

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        x1, y1, x2, y2 = faces[0].box.astype(int)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[y1:y2, x1:x2].astype(float)
        across, along = (np.abs(np.diff(grey, axis=axis)).mean() for axis in (1, 0))
        return np.array([[across, along]], np.float64) / float(across + along)


class Marks:
    """Marks a face where it says it is."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        return list(faces)


class Blind:
    """Sees no face."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        return [None for _ in faces]


def striped(folder: Path, name: str, axis: int) -> Faceset:
    """Make a person whose face is striped across (axis 1) or along (axis 0)."""
    make_faceset(folder / name, name, count=40, size=96)
    waves = 30 * np.sin(np.arange(96) * 2 * np.pi / 8)
    pattern = np.broadcast_to(waves[None, :, None] if axis == 1 else waves[:, None, None], (96, 96, 3))
    for path in sorted((folder / name / "crops").iterdir()):
        picture = cv2.imread(str(path))
        assert picture is not None
        cv2.imwrite(str(path), np.clip(picture + pattern, 0, 255).astype(np.uint8))
    return Faceset.open(folder / name)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> BatchMaker:
    folder = tmp_path_factory.mktemp("people")
    people = People([striped(folder, "ana", 0), striped(folder, "ben", 1)], 0.1)
    return BatchMaker(people, 64, 2, AugmentConfig(), 0)


EYES = Eyes(Marks(), Stripes())


def judged(maker: BatchMaker, ana: float, ben: float) -> dict[tuple[str, str], Direction]:
    aims = [maker.portraits(p).mean(0, keepdim=True) for p in (0, 1)]
    model = Known([Towards(aims[0], ana), Towards(aims[1], ben)])
    found = RunJudge(maker, EYES)(model)  # type: ignore[arg-type]
    return {(d.source, d.target): d for d in found}


def test_each_direction_is_scored_by_its_own_decoder(maker: BatchMaker) -> None:
    found = judged(maker, 0.0, 1.0)
    ana, ben = found["ana", "ben"], found["ben", "ana"]
    assert (ana.faces, ana.held_out) == (4, True)  # a tenth of one stretch of 40
    # ana's decoder copies what it sees: the face stays ben's; ben's draws his mean face, whose stripes are his
    assert ana.total.parts["identity"] == pytest.approx(0, abs=0.02)
    assert ana.total.held_by == "identity"
    assert ben.total.parts["identity"] > 0.6  # the seam's feather leaves some of hers
    assert ana.total.score is not None
    assert ben.total.score is not None
    assert ben.total.score > ana.total.score + 20
    assert weakest(list(found.values())) is ana
    assert mean_score(list(found.values())) == pytest.approx((ana.total.score + ben.total.score) / 2)


def test_stills_say_nothing_of_motion(maker: BatchMaker) -> None:
    results = judged(maker, 0.5, 0.5)["ana", "ben"].results
    assert all(not np.isfinite(results[name].value) for name in ("warp_ratio", "jitter_excess", "stalls"))
    assert results["background_psnr"].value == 99  # nothing but the face is touched


def test_more_of_the_source_is_more_like_it(maker: BatchMaker) -> None:
    parts = [judged(maker, share, share)["ben", "ana"].total.parts["identity"] for share in (0.0, 0.6, 1.0)]
    assert parts == sorted(parts)
    assert parts[0] < parts[1]


def test_faces_that_cannot_be_marked_are_refused(maker: BatchMaker) -> None:
    with pytest.raises(NoFaceError, match="none of the faces of ana"):
        RunJudge(maker, Eyes(Blind(), Stripes()))


def test_previews_are_scored_once_and_told(maker: BatchMaker, tmp_path: Path) -> None:
    aims = [maker.portraits(p).mean(0, keepdim=True) for p in (0, 1)]
    model, lines, plateau = Known([Towards(a, 1.0) for a in aims]), list[str](), Plateau(1)
    (tmp_path / "previews").mkdir()
    judge = PreviewJudge(tmp_path, EYES, plateau, lines.append)
    figures = [judge(model, maker, k) for k in (3, 6)]  # type: ignore[arg-type]
    assert figures[0] == figures[1]
    assert plateau.reached()
    rows = json.loads((tmp_path / "previews" / "000006.json").read_text())
    assert [(r["source"], r["target"]) for r in rows] == [("ben", "ana"), ("ana", "ben")]
    assert figures[0]["score"] == pytest.approx(np.mean([r["score"] for r in rows]), abs=0.01)
    assert lines[0].startswith("iteration 3: score ")


def test_the_command_prints_the_matrix_and_writes_it(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, ours = plugins.load, {"landmarker": Marks, "describer": Stripes}
    monkeypatch.setattr(plugins, "load", lambda kind, name: ours.get(kind) or real(kind, name))
    assert main(["score-run", str(trained), "-o", str(tmp_path / "score.json")]) == 0
    out = capsys.readouterr().out
    assert "on ana  on ben" in out
    assert "weakest: " in out
    rows = json.loads((tmp_path / "score.json").read_text())
    assert [(r["source"], r["target"], r["faces"], r["held_out"]) for r in rows] == [
        ("ben", "ana", 6, False),
        ("ana", "ben", 6, False),
    ]


def test_previews_of_faces_that_cannot_be_marked_never_stop_the_training(maker: BatchMaker, tmp_path: Path) -> None:
    lines = list[str]()
    judge = PreviewJudge(tmp_path, Eyes(Blind(), Stripes()), Plateau(1), lines.append)
    model = Known([Towards(maker.portraits(p).mean(0, keepdim=True), 1.0) for p in (0, 1)])
    assert [judge(model, maker, k) for k in (3, 6)] == [{}, {}]  # type: ignore[arg-type]
    assert len(lines) == 1
    assert "previews are not scored: none of the faces of ana can be marked" in lines[0]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score-run", str(tmp_path)]) == 2
    assert "is not a training run" in capsys.readouterr().err
