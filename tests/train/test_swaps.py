"""The network from one photo, trained: swaps become ready once, examples stay true to them, and the recipe learns and goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made_swaps import TINY, columns, make_swaps, noise
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from bianlian import align, plugins
from bianlian.cli import main
from bianlian.errors import InputError, WeightsError
from bianlian.geometry import apply
from bianlian.landmark.schemes import INNER, convert
from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.config import CONFIGS
from bianlian.swap.oneshot import open_artist
from bianlian.train.faceshifter import FaceshifterConfig, open_recipe, recipe_of
from bianlian.train.pairs import PAIR_COVERAGE, PAIR_SIZE
from bianlian.train.pretrain import PretrainConfig, pretrain
from bianlian.train.pretrain_oneshot import OneShotRecipe, example, hidden, moved, moved_loss
from bianlian.train.ready import made_ready, ready_people, ready_shards
from bianlian.train.swaps import Swaps
from bianlian.types import Frame, Image, Landmarks
from bianlian.weights import CARDS, locate


@pytest.fixture
def swaps(tmp_path: Path) -> Swaps:
    return make_swaps(tmp_path)


def test_an_example_keeps_target_and_answer_together(swaps: Swaps) -> None:
    row = swaps[1]
    same = replace(row, truth=row.target)
    for seed in range(12):
        target, portrait, described, truth, weight, photo, moves = example(same, 64, np.random.default_rng(seed))
        np.testing.assert_array_equal(target, truth)  # the same place, light, turn and noise
        assert (target.shape, portrait.shape, photo.shape, weight.shape) == (*[(64, 64, 3)] * 3, (64, 64))
        assert (described.shape, moves.shape) == ((128,), (51, 6))
        assert abs(float(described.mean()) - 0.1) < 0.01
        assert weight.max() > weight.min()


def test_the_photo_lies_over_the_target_wherever_that_is_cut(swaps: Swaps) -> None:
    points = align.template("ibug68", PAIR_SIZE, PAIR_COVERAGE)
    own = replace(swaps[1], source=swaps[1].target, points=points, source_points=points)
    alike = list[float]()
    for seed in range(12):
        target, *_, photo, _ = example(own, 64, np.random.default_rng(seed))
        a, b = (picture[16:48, 16:48].astype(float).ravel() for picture in (target, photo))
        alike.append(float(np.corrcoef(a, b)[0, 1]))
    assert np.median(alike) > 0.9  # the same picture, but for light and what cameras do


def test_where_the_fields_have_to_fetch_from_is_known(swaps: Swaps) -> None:
    points = align.template("ibug68", PAIR_SIZE, PAIR_COVERAGE)
    picture, shift = noise(4), np.array([9.0, -7.0])
    shifted = np.asarray(cv2.warpAffine(picture, np.array([[1, 0, 9.0], [0, 1, -7.0]]), (256, 256)), np.uint8)
    row = replace(swaps[1], target=picture, truth=shifted, source=picture)
    row = replace(row, points=points, source_points=points, truth_points=points + shift)
    alike = {"target": list[float](), "photo": list[float](), "nowhere": list[float]()}
    for seed in range(12):
        target, *_, truth, _, photo, moves = example(row, 64, np.random.default_rng(seed))
        assert np.abs(moves[:, :2]).max() < 1
        for name, seen, push in (("target", target, moves[:, 2:4]), ("photo", photo, moves[:, 4:]), ("nowhere", target, 0)):
            a, b = fetched(truth, moves[:, :2]), fetched(seen, moves[:, :2] + push)
            alike[name].append(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]))
    assert np.median(alike["target"]) > 0.97  # the same places, but for what cameras do
    assert np.median(alike["photo"]) > 0.9  # its points are a little amiss, and its light is another one
    assert np.median(alike["nowhere"]) < 0.8


def test_the_loss_of_the_fields_is_their_error() -> None:
    at = np.random.default_rng(2).uniform(8, 56, (68, 2))
    ahead, behind = np.array([2.0, -1.0]), np.array([-3.0, 4.0])
    moves = torch.from_numpy(moved(at, at + ahead, at + behind, 64))[None]
    fields = torch.zeros(1, 9, 64, 64)
    assert float(moved_loss(fields, moves)) == pytest.approx((2 + 1 + 3 + 4) / 4 / 32)
    fields[:, [4, 5, 7, 8]] = torch.tensor([2, -1, -3, 4])[:, None, None] / 32
    assert float(moved_loss(fields, moves)) == pytest.approx(0, abs=1e-6)
    fields[:, 8] = 0
    assert float(moved_loss(fields[:, :6], moves)) == pytest.approx(0, abs=1e-6)  # a network that is shown no photo
    outside = moves.clone()
    outside[:, 1:, 0] = 1.5
    assert float(moved_loss(fields, outside)) == pytest.approx(4 / 4 / 32)  # of one point


def fetched(picture: Image, places: NDArray[np.floating]) -> NDArray[np.float32]:
    """Sample a picture (S, S, 3) at places (N, 2) in [-1, 1]."""
    x, y = (((places + 1) * len(picture) - 1) / 2).T.astype(np.float32)
    return np.asarray(cv2.remap(picture, x[:, None], y[:, None], cv2.INTER_LINEAR), np.float32)


def test_something_in_front_is_in_front_of_both(swaps: Swaps) -> None:
    row = swaps[0]
    eyes = np.array([[24.0, 28.0], [40.0, 28.0]])
    target, truth = (np.ascontiguousarray(p[:64, :64]) for p in (row.target, row.truth))
    before, after = list[float](), list[float]()
    for seed in range(8):
        seen, answer = hidden(target, truth, eyes, np.ascontiguousarray(row.source[:64, :64]), np.random.default_rng(seed))
        covered = np.abs(seen.astype(int) - target).max(2) > 40
        if covered.any():
            before.append(np.abs(target.astype(int) - truth)[covered].mean())
            after.append(np.abs(seen.astype(int) - answer)[covered].mean())
    assert len(before) >= 4
    assert np.mean(after) < 0.6 * np.mean(before)  # what is in front is one thing, but for its soft edge and its shadow
    plain = example(row, 64, np.random.default_rng(3))
    other = example(row, 64, np.random.default_rng(3), swaps[2])
    assert not np.array_equal(plain[0], other[0])


def test_a_recipe_learns_measures_and_goes_on(tmp_path: Path, swaps: Swaps) -> None:
    recipe, out = OneShotRecipe(TINY, 0), tmp_path / "weights.safetensors"
    judge = recipe.judge(swaps, 3)
    before = judge(recipe.network)
    steps = iter(range(61))
    assert pretrain(recipe, swaps, out, PretrainConfig(batch=3, lr=3e-3), stop=lambda: next(steps) >= 60) == 60
    after = judge(recipe.network)
    assert before["held_noop"] == after["held_noop"] > 0.05
    assert after["held_l1"] < 0.7 * before["held_l1"]
    state = load_file(tmp_path / "weights.safetensors.state")
    again, steps = OneShotRecipe(TINY, 1), iter(range(2))
    assert pretrain(again, swaps, out, PretrainConfig(batch=3, lr=1e-9), stop=lambda: next(steps) >= 1) == 61
    assert again.judge(swaps, 3)(again.network)["held_l1"] == pytest.approx(after["held_l1"], rel=1e-3)
    moments = load_file(tmp_path / "weights.safetensors.state")
    name = next(n for n in state if n.startswith("adam/") and n.endswith("/step"))
    assert (float(state[name]), float(moments[name])) == (60, 61)  # the moments go on too
    AeiNet(TINY).load_state_dict({k: v.float() for k, v in load_file(out).items()})


def test_what_is_no_swap_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no shard")
    with pytest.raises(InputError, match=r"x\.npz is no shard"):
        ready_shards([tmp_path / "x.npz"], tmp_path, object(), object())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no swaps to train on"):
        Swaps([])
    save_file({"truth": torch.zeros(1)}, tmp_path / "old.safetensors")
    with pytest.raises(InputError, match=r"old\.safetensors holds no swaps"):
        Swaps([tmp_path / "old.safetensors"])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, demo_frames: list[Frame]) -> Path:
    """A shard as the renderer writes it: two swaps out of frames of the demo, and one that is no face."""
    detector, mesh = plugins.load("detector", "blazeface")(), plugins.load("landmarker", "facemesh")()
    images = [np.asarray(cv2.resize(f.image, (256, 256), interpolation=cv2.INTER_AREA), np.uint8) for f in demo_frames[:3]]
    points = [convert(mesh.mark(i, detector.detect([i])[0][:1])[0].landmarks, "ibug68").points for i in images]
    grey = np.full((256, 256, 3), 128, np.uint8)
    data = {
        **columns("jpeg", [*images[:2], grey]),
        **columns("truth_jpeg", [images[1], images[0], grey]),
        **columns("source_jpeg", [images[2], images[2], grey]),
        "landmarks68": np.stack([*points[:2], points[0]]),
    }
    path = tmp_path_factory.mktemp("shard") / "crops_0000.npz"
    np.savez(path, **data)  # type: ignore[arg-type]
    return path


@pytest.mark.weights
def test_shards_become_ready_once(tmp_path: Path, rendered: Path) -> None:
    eyes = plugins.load("landmarker", "facemesh")(), plugins.load("describer", "dlib")()
    done = ready_shards([rendered], tmp_path, *eyes)
    found = Swaps(done)
    assert len(found) == 2  # the grey one is left out
    # both looked at the same source; a least-squares fit brings the points' mean to that of the template's
    np.testing.assert_allclose(found[0].described, found[1].described, atol=1e-5)
    wanted = align.template("ibug68", PAIR_SIZE, PAIR_COVERAGE)[INNER].mean(0)
    for row in (found[0], found[1]):
        np.testing.assert_allclose(apply(row.target_place, row.points)[INNER].mean(0), wanted, atol=0.01)
    stamp = done[0].stat().st_mtime_ns
    assert ready_shards([rendered], tmp_path, *eyes) == done
    assert done[0].stat().st_mtime_ns == stamp


@pytest.mark.weights
def test_photos_of_a_person_are_their_own_answers(tmp_path: Path, demo_frames: list[Frame]) -> None:
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, frame in zip(paths, demo_frames, strict=False):
        cv2.imwrite(str(path), frame.image[..., ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64, 3), 128, np.uint8))
    told: list[str] = []
    finders = (plugins.load(k, n)() for k, n in (("detector", "blazeface"), ("landmarker", "facemesh"), ("describer", "dlib")))
    out = ready_people([[*paths, tmp_path / "grey.png"]], tmp_path / "people.safetensors", *finders, note=told.append)
    found = Swaps([out])
    assert len(found) == 6  # each of three with the two others
    assert [line.rsplit("/", 1)[-1] for line in told] == ["grey.png: no face found; skipped"]
    np.testing.assert_array_equal(found[0].target, found[0].truth)
    assert not np.array_equal(found[0].target, found[0].source)
    assert Landmarks(found[0].points, "ibug68").points.shape == (68, 2)


def test_training_asks_for_neither_video_nor_detectors(tmp_path: Path) -> None:
    script = """
import sys
sys.modules.update(dict.fromkeys(("av", "openvino", "dlib", "rich", "tyro", "c2pa"), None))
from pathlib import Path
from made_swaps import TINY, make_swaps
from bianlian.train.faceshifter import FaceshifterConfig, train_faceshifter
make_swaps(Path("."))
config = FaceshifterConfig((), network=TINY, recogniser=False, batch=2)
print(train_faceshifter(Path("."), config, [Path("made.safetensors")], minutes=1, iterations=2))
"""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


@pytest.mark.weights
def test_train_keeps_its_recipe_and_goes_on(tmp_path: Path, rendered: Path) -> None:
    run = tmp_path / "run"
    words = ["train", str(rendered), "--model", "faceshifter", "--batch", "2", "-o", str(run)]
    assert main([*words, "--iterations", "1"]) == 0
    assert open_recipe(run) == FaceshifterConfig((rendered,), batch=2)
    assert main([*words, "--iterations", "3"]) == 2  # the folder is taken
    assert main(["train", "--resume", "-o", str(run), "--iterations", "3"]) == 0
    assert int(load_file(run / "faceshifter.safetensors.state")["iteration"]) == 3
    assert open_artist(run).network is not None


@pytest.mark.weights
def test_train_takes_what_is_ready_people_and_weights(
    tmp_path: Path, rendered: Path, demo_frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ready_shards(
        [rendered], tmp_path / "made", *(plugins.load(*x)() for x in (("landmarker", "facemesh"), ("describer", "dlib")))
    )
    (tmp_path / "ana").mkdir()
    for k, frame in enumerate(demo_frames[:2]):
        cv2.imwrite(str(tmp_path / f"ana/{k}.png"), frame.image[..., ::-1])
    monkeypatch.chdir(tmp_path)
    run, start = tmp_path / "run", locate(CARDS["oneshot-128"])
    more = ["people=['ana']", "held=made", "batch=1"]
    words = ["--from", str(start), "--lr", "1e-9", "--iterations", "1", "--set", *more, "-o", str(run)]
    assert main(["train", str(made[0]), "--model", "faceshifter", *words]) == 0
    assert len(Swaps([run / "ready/people.safetensors"])) == 2  # each with the other
    assert open_recipe(run).held == tmp_path / "made"
    ours, theirs = load_file(run / "faceshifter.safetensors"), load_file(start)
    assert max(float((ours[name].float() - theirs[name].float()).abs().max()) for name in theirs) < 1e-4


def test_shards_of_one_name_and_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "swaps.npz").touch()
    with pytest.raises(InputError, match=r"swaps\.npz was given twice"):
        made_ready([tmp_path / "a", tmp_path / "b"], (), tmp_path / "ready")
    config = FaceshifterConfig((tmp_path,), network=TINY, recogniser=False)
    for wrong in (
        replace(config, start=tmp_path / "a/swaps.npz"),
        replace(config, network=CONFIGS["compact"], base=tmp_path / "no"),
    ):
        with pytest.raises(WeightsError, match="does not fit"):
            recipe_of(wrong)
