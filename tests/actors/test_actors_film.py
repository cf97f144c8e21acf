"""Clips: what `bench quality` reads, truths that are true, the same bytes for the same seed, and nothing half-written."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from bianlian.actors import film as films
from bianlian.actors.bank import Bank
from bianlian.actors.film import Look, contact_sheet, film_pair, film_person, film_two, in_order, shots
from bianlian.actors.performance import Script, random_performance, read_performance
from bianlian.actors.renderer import Renderer
from bianlian.errors import ConfigError, OutputError
from bianlian.score.benchmark import read_pairs
from bianlian.types import Image
from bianlian.video import frames, probe

LOOK = Look(size=96, crf=12, workers=2)
SCRIPT = Script(6)


def pictures(path: Path) -> list[Image]:
    return [frame.image for frame in frames(path)]


def test_a_pair_is_what_the_benchmark_reads(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    act = random_performance(2, SCRIPT)
    film_pair(renderer, bank.person("ana"), bank.person("ben"), act, tmp_path / "p" / "ab", LOOK)
    [pair] = read_pairs(tmp_path / "p")
    assert (pair.target.name, pair.truth.name, pair.source.name) == ("target.mp4", "truth_face.mp4", "source.jpg")
    assert sorted(p.name for p in (tmp_path / "p" / "ab").iterdir()) == [
        *("gt.npz", "source.jpg", "target.mp4", "target_mask.mp4", "truth.mp4", "truth_face.mp4")
    ]
    clips = {name: pictures(tmp_path / "p" / "ab" / f"{name}.mp4") for name in ("target", "truth", "truth_face", "target_mask")}
    assert [len(c) for c in clips.values()] == [6] * 4
    assert clips["target"][0].shape == (96, 96, 3)
    assert np.abs(clips["target"][3].astype(int) - clips["truth"][3]).max() > 40
    # outside the inner face, well away from its edge, the true swap is the target
    mask = clips["target_mask"][3][..., 0]
    behind = np.ones((96, 96), bool)
    behind[np.nonzero(mask)] = False
    assert np.abs(clips["target"][3].astype(int) - clips["truth_face"][3])[behind].mean() < 3
    with np.load(tmp_path / "p" / "ab" / "gt.npz") as truth:
        assert truth["landmarks68"].shape == truth["landmarks68_truth"].shape == truth["landmarks68_truth_face"].shape == (6, 68, 2)
        assert {"yaw", "pitch", "roll", "gaze", "light", "expr_jawOpen", "target", "source"} <= set(truth)
        assert (str(truth["target"]), str(truth["source"])) == ("ana", "ben")
        np.testing.assert_array_equal(truth["yaw"], act.yaw)
    assert set(np.unique(np.round(mask / 127.5))) == {0, 1, 2}
    assert np.abs(mask[:, :, None] - np.array([0, 128, 255])).min(2).max() <= 2  # masks survive their codec


def test_the_truth_is_the_target_when_someone_plays_themselves(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    ana = bank.person("ana")
    film_pair(renderer, ana, ana, random_performance(2, SCRIPT), tmp_path / "aa", LOOK)
    target, truth, face = (pictures(tmp_path / "aa" / f"{name}.mp4") for name in ("target", "truth", "truth_face"))
    assert all(np.array_equal(a, b) for a, b in zip(target, truth, strict=True))
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(target, face, strict=True)) < 1  # skin tones go through 8 bits
    with np.load(tmp_path / "aa" / "gt.npz") as found:
        np.testing.assert_array_equal(found["landmarks68"], found["landmarks68_truth"])


def test_both_of_a_pair_move_alike(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    film_pair(renderer, bank.person("ana"), bank.person("cleo"), random_performance(2, Script(30)), tmp_path / "ac", LOOK)
    with np.load(tmp_path / "ac" / "gt.npz") as found:
        moves = [np.diff(found[name][:, 17:], axis=0).ravel() for name in ("landmarks68", "landmarks68_truth")]
    assert np.corrcoef(moves)[0, 1] > 0.98


def test_the_same_seed_gives_the_same_files_by_any_number_of_threads(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    for name, seed, workers in (("a", 4, 1), ("b", 4, 3), ("c", 5, 1)):
        act, look = random_performance(seed, SCRIPT), Look(size=96, workers=workers)
        film_person(renderer, bank.person("ben"), act, tmp_path / f"{name}.mp4", look, occluder="hand", seed=seed)
    names = ("{}.mp4", "{}_mask.mp4", "{}_occlusion.mp4", "{}_gt.npz")
    data = [[(tmp_path / n.format(x)).read_bytes() for n in names] for x in "abc"]
    assert data[0] == data[1]
    assert all(one != other for one, other in zip(data[0], data[2], strict=True))
    assert {p.name for p in tmp_path.iterdir()} == {n.format(x) for n in names for x in "abc"}


def test_a_clip_plays_another_ones_performance(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    film_person(renderer, bank.person("ana"), random_performance(4, SCRIPT), tmp_path / "a.mp4", LOOK)
    film_person(renderer, bank.person("ana"), read_performance(tmp_path / "a_gt.npz"), tmp_path / "b.mp4", LOOK)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_what_is_before_the_face_is_what_the_mask_says(renderer: Renderer, bank: Bank) -> None:
    act, look = random_performance(4, SCRIPT), Look(size=192)
    plain = list(shots(renderer, bank.person("ana"), act, look))
    for kind in ("hand", "glasses", "microphone"):
        for bare, shot in zip(plain, shots(renderer, bank.person("ana"), act, look, occluder=kind, seed=2), strict=True):
            assert shot.hidden is not None
            np.testing.assert_array_equal(shot.image[shot.hidden == 0], bare.image[shot.hidden == 0])
            changed = np.abs(shot.image.astype(int) - bare.image).max(2) > 8
            assert (shot.hidden[changed] > 0).all()
            assert 0.002 < (shot.hidden > 127).mean() < 0.5
            np.testing.assert_array_equal(shot.landmarks, bare.landmarks)


def test_two_people_come_and_go(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    acts = random_performance(1, Script(25)), random_performance(2, Script(25))
    film_two(renderer, (bank.person("ana"), bank.person("ben")), acts, tmp_path / "two.mp4", Look(crf=30))
    truth = json.loads((tmp_path / "two_gt.json").read_text())
    info = probe(tmp_path / "two.mp4")
    assert (info.width, info.height, len(truth)) == (1280, 720, 25)
    # both until 0.4, one until 0.6, nobody until 0.68 of 25 frames, then both
    assert [len(faces) for faces in truth] == [2] * 10 + [1] * 5 + [0] * 2 + [2] * 8
    middles = [[np.mean(f["landmarks68"], 0)[0] for f in faces] for faces in truth]
    assert middles[0][0] < 640 < middles[0][1]
    assert middles[-1][0] > middles[-1][1] - 200  # they have nearly changed places
    assert [f["id"] for f in truth[0]] == ["ana", "ben"]


def test_an_error_on_the_way_leaves_nothing(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("truth", 3):
            raise KeyboardInterrupt

    act = random_performance(2, SCRIPT)
    with pytest.raises(KeyboardInterrupt):
        film_pair(renderer, bank.person("ana"), bank.person("ben"), act, tmp_path / "ab", LOOK, progress=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists and is not empty"):
        film_pair(renderer, bank.person("ana"), bank.person("ben"), act, tmp_path / "full", LOOK)
    assert (tmp_path / "full" / "note.txt").read_text() == "mine"


def test_a_rendered_clip_says_that_it_is_one(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    film_person(renderer, bank.person("ana"), random_performance(2, SCRIPT), tmp_path / "a.mp4", LOOK)
    assert films.SOURCE_TYPE.encode() in (tmp_path / "a.mp4").read_bytes()


def test_a_sheet_has_a_row_each(renderer: Renderer, bank: Bank) -> None:
    sheet = contact_sheet(renderer, [bank.person(n) for n in bank.names], size=40, columns=5, seed=0)
    assert sheet.shape == (3 * 40, 5 * 40, 3)


def test_things_are_made_by_several_threads_and_come_in_order() -> None:
    def late(k: int) -> int:
        time.sleep(0.003 * (k % 3 == 0))
        if k == 17:
            raise ValueError("seventeen")
        return k

    assert list(in_order(late, 12, 4)) == list(range(12))
    assert list(in_order(late, 0, 4)) == []
    seen: list[int] = []
    with pytest.raises(ValueError, match="seventeen"):
        seen.extend(in_order(late, 30, 2))
    assert seen == list(range(17))


@pytest.mark.parametrize("size", [95, 32, 5000])
def test_odd_sizes_are_refused(size: int) -> None:
    with pytest.raises(ConfigError, match="even number of 64 to 2160"):
        Look(size=size)
