"""Scoring whole files: the figures, the controls, the report, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import defects
import numpy as np
import pytest
from defects import Clips

from bianlian import api, plugins
from bianlian.cli import main
from bianlian.score.score import Score, score
from bianlian.score.settings import ScoreSettings
from bianlian.score.total import WEIGHTS
from bianlian.types import Frame, Image
from bianlian.video import Encoding, VideoWriter, frames, probe
from conftest import DEMO, cut

pytestmark = pytest.mark.weights

LOSSLESS = Encoding(codec="ffv1")


def movie(path: Path, images: list[Image]) -> Path:
    """Write a clip without loss, 25 frames a second."""
    info = probe(DEMO / "target.mp4")
    with VideoWriter(path, info, LOSSLESS, size=images[0].shape[1::-1], stop=Fraction(0)) as writer:
        for k, image in enumerate(images):
            writer.write(Frame(image, k, 512 * k, Fraction(1, 12800)))
    return path


@pytest.fixture(scope="module", autouse=True)
def _loaded_once() -> Iterator[None]:
    """Load each network once for all of these tests."""
    real = plugins.load
    kept: dict[str, Any] = {"detector": defects.detector(), "landmarker": defects.landmarker(), "describer": defects.describer()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "load", lambda kind, name: (lambda: kept[kind]) if kind in kept else real(kind, name))
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A target of 10 frames, a true swap of its inner face as truth, a half-way and blurred one as output, and the source."""
    folder = tmp_path_factory.mktemp("score")
    target = Clips([f.image for f in frames(DEMO / "target.mp4", every=3)][:10])
    donor = Clips([f.image for f in frames(DEMO / "source.mp4", every=8)][:10])
    truth = defects.other(target, donor, 1.0)
    out = defects.blur(Clips(defects.other(target, donor, 0.8)), 1.5)
    people = folder / "people"
    people.mkdir()
    cv2.imwrite(str(people / "twin.png"), cv2.cvtColor(donor.images[3], cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(people / "mirrored.png"), cv2.cvtColor(target.images[3][:, ::-1], cv2.COLOR_RGB2BGR))
    return {
        "target": movie(folder / "target.mkv", target.images),
        "truth": movie(folder / "truth.mkv", truth),
        "out": movie(folder / "out.mkv", out),
        "source": cut(DEMO / "source.mp4", folder / "source.mp4", 16),
        "people": people,
        "folder": folder,
    }


@pytest.fixture(scope="module")
def found(files: dict[str, Path]) -> Score:
    return api.score(
        files["out"],
        files["target"],
        files["source"],
        truth=files["truth"],
        people=files["people"],
        settings=ScoreSettings(describe=2),
        report=files["folder"] / "report",
    )


def test_the_score_names_what_is_wrong(found: Score) -> None:
    assert found.read == len(found.frames) == 10
    costs = {part: value ** WEIGHTS[part] for part, value in found.total.parts.items()}
    assert found.total.held_by == min(costs, key=lambda part: costs[part])  # whose mending would raise the score most
    assert found.total.held_by in {"sharpness", "expression"}, "it is blurred, and wears the donor's expression"
    assert found.total.parts["sharpness"] < 0.5 < found.total.parts["seam"]
    assert found.total.score is not None
    assert 5 < found.total.score < 80
    assert found.results["truth_psnr"].gain > 1
    assert found.results["truth_psnr"].noop == found.results["truth_psnr"].controls.itself


def test_every_metric_has_its_controls_and_none_fails(found: Score) -> None:
    for name, result in found.results.items():
        assert result.invalid is None, name
        if not name.startswith(("truth_", "id_")):
            assert result.controls.itself == pytest.approx(result.card.ideal, abs=1e-6), name
            assert np.isfinite(result.controls.codec), name
        assert np.isfinite(result.controls.truth), name
    assert found.results["id_margin"].controls.held_out > 0 > found.results["id_margin"].controls.itself
    assert found.results["truth_psnr"].controls.truth == 99
    assert found.results["background_psnr"].controls.codec < 60, "the control was really encoded"


def test_a_result_is_ranked_between_no_swap_and_the_truth(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair, results = tmp_path / "pairs" / "demo", tmp_path / "results"
    for folder, name, what in ((pair, "target", "target"), (pair, "truth_face", "truth"), (results, "demo", "out")):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[what], folder / f"{name}.mkv")
    cv2.imwrite(str(pair / "source.png"), cv2.cvtColor(next(frames(files["source"])).image, cv2.COLOR_RGB2BGR))
    words = ["--results", str(results), "--name", "soft", "-o", str(tmp_path / "out")]
    assert main(["bench", "quality", str(tmp_path / "pairs"), *words]) == 0
    assert "| **soft** | mean |" in capsys.readouterr().out
    written = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert [r["method"] for r in written["rows"]] == ["no swap", "truth", "soft"]
    no_swap, truth, soft = written["rows"]
    assert truth["truth_perceptual"] == 0
    assert truth["truth_psnr"] == 99
    assert 0 < soft["truth_perceptual"] < no_swap["truth_perceptual"]
    assert no_swap["score"] < soft["score"] < truth["score"]
    assert str(tmp_path) not in json.dumps(written)
    assert set(written["pairs"]["demo"]) == {"target", "truth", "source"}


def test_distractors_are_counted_and_the_source_is_none(found: Score) -> None:
    assert found.people.names == ("mirrored.png",)
    assert any("twin.png looks like the source" in line for line in found.notes)


def test_the_json_holds_every_figure_and_series(found: Score, files: dict[str, Path]) -> None:
    data = json.loads((files["folder"] / "report" / "score.json").read_text(encoding="utf-8"))
    assert set(data["metrics"]) == set(found.results)
    assert data["frames"] == list(found.frames)
    for name, metric in data["metrics"].items():
        assert len(metric["series"]) == 10, name
        assert metric["definition"]
        assert metric["source"]
        assert metric["better"] in ("up", "down", "one")
    assert data["metrics"]["sharpness_ratio"]["value"] == pytest.approx(found.results["sharpness_ratio"].value, abs=1e-4)
    assert data["recogniser"] == {"name": "dlib", "known_not_trained_with": False, "says": data["words"][-1]}


def test_the_page_asks_nothing_of_the_network(files: dict[str, Path], found: Score) -> None:
    text = (files["folder"] / "report" / "report.html").read_text(encoding="utf-8")
    assert found.total.score is not None
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", text)
    assert set(re.findall(r'(?:src|href)="([^:"]*:[^,"]*),', text)) == {"data:image/jpeg;base64"}
    assert text.count("<svg") > 10
    assert f"{found.total.held_by} holds it down most" in text
    assert 'class="warn">Identity is scored' in text, "a recogniser of unknown standing is named in red"
    assert 1 <= text.count("<figure>") <= 3, "frames that are four apart"


def test_one_person_twice_makes_identity_invalid(files: dict[str, Path]) -> None:
    same = score(files["out"], files["target"], files["target"], settings=ScoreSettings(every=2))
    for name in ("id_margin", "id_retrieval"):
        assert same.results[name].invalid is not None, name
    assert "identity" not in same.total.parts
    assert same.frames == (0, 2, 4, 6, 8)


def test_pictures_have_no_motion_to_score(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("out", "target"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), cv2.cvtColor(next(iter(frames(files[name]))).image, cv2.COLOR_RGB2BGR))
    one = score(tmp_path / "out.png", tmp_path / "target.png", files["people"] / "twin.png")
    assert np.isnan(one.results["jitter_excess"].value)
    assert np.isnan(one.results["mouth_r"].value)
    assert one.results["sharpness_ratio"].value < 0.5
    assert np.isnan(one.results["id_margin"].controls.held_out)
    assert one.total.score is not None


def complain(arguments: list[str | Path], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must fail -> its last line on stderr."""
    assert main(["score", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert not out
    line = err.strip().splitlines()[-1]
    assert line.startswith("bianlian score: ")
    return line


def test_bad_input_is_one_clear_line(files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, out, twin = files["target"], files["out"], files["people"] / "twin.png"
    images = [f.image for f in frames(target)]
    short = movie(tmp_path / "short.mkv", images[:4])
    small = movie(tmp_path / "small.mkv", [np.ascontiguousarray(i[:256, :256]) for i in images[:2]])
    grey = movie(tmp_path / "grey.mkv", [np.full_like(i, 90) for i in images])
    report = tmp_path / "report"
    cases: list[tuple[list[str | Path], str]] = [
        ([short, "--target", target, "--source", twin], "the output .*short.mkv has about 4 frames, fewer than the others"),
        ([out, "--target", short, "--source", twin], "the target .*short.mkv has about 4 frames"),
        ([small, "--target", target, "--source", twin], "small.mkv is 256 x 256, the target .* 512 x 512"),
        ([out, "--target", target, "--source", twin, "--truth", small], "the truth .*small.mkv is 256 x 256"),
        ([out, "--target", target, "--source", twin, "--truth", tmp_path / "none.mp4"], "none.mp4"),
        ([twin, "--target", target, "--source", twin], "must both be pictures"),
        ([grey, "--target", grey, "--source", twin], "no face was found in the 10 frames of .*grey.mkv"),
        ([out, "--target", target, "--source", grey], "no face was found in .*grey.mkv"),
        ([out, "--target", target, "--source", tmp_path / "nobody"], "nobody does not exist"),
        ([out, "--target", target, "--source", twin, "--people", tmp_path / "nobody"], "people must be a folder"),
        ([out, "--target", target, "--source", twin, "--every", "0"], "every must be 1 or more, got 0"),
    ]
    for arguments, said in cases:
        assert re.search(said, complain([*arguments, "-o", report], capsys)), said
    assert not report.exists()


def test_the_command_prints_controls_and_words(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", *map(str, (files["out"], "--target", files["target"], "--source", files["source"], "--every", "3"))]) == 0
    out = capsys.readouterr().out
    assert re.search(r"metric +value +mean +median +p95 +itself +codec +held out", out)
    assert "of 100;" in out
    assert "4 of 4 frames have a face" in out
