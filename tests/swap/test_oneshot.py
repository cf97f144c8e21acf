"""A person from photos: what is compiled draws what the network draws, several photos are one person, and bad photos are named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bianlian import align
from bianlian.cli import main
from bianlian.errors import ConfigError, InputError, NoFaceError, WeightsError
from bianlian.model.faceshifter.aei import AeiNet, init_aei
from bianlian.model.faceshifter.config import DESCRIPTION, LOOK_SIDE
from bianlian.provenance.consent import NO_CONSENT, add_consent
from bianlian.swap.oneshot import CONFIG, STUDIED, Artist, Told, open_artist, photo_roles, tell_artist
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.report import report_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import SIDE, WIDER, View, study
from bianlian.train.pairs import PAIR_COVERAGE
from bianlian.types import Frame, Image


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as they are before training."""
    network, path = AeiNet(CONFIG), tmp_path_factory.mktemp("weights") / "made.safetensors"
    init_aei(network, torch.Generator().manual_seed(0))
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module", params=["base", "finished"])
def artist(weights: Path, request: pytest.FixtureRequest) -> Artist:
    return open_artist(weights if request.param == "finished" else None)


def sitter(count: int, seed: int = 0) -> Sitter:
    rng = np.random.default_rng(seed)
    portraits = rng.integers(0, 256, (count, LOOK_SIDE, LOOK_SIDE, 3)).astype(np.uint8)
    views = tuple(View(smooth(seed + k), align.template("ibug68", SIDE, PAIR_COVERAGE * WIDER)) for k in range(count))
    return Sitter("ana", portraits, rng.normal(0, 0.1, (count, 128)), views, "signed")


def smooth(seed: int) -> Image:
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 24)
    return np.asarray(cv2.normalize(blurred, blurred, 0, 255, cv2.NORM_MINMAX), np.uint8)


def crops(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(7).integers(0, 256, (count, CONFIG.size, CONFIG.size, 3)).astype(np.uint8)


def told(artist: Artist, *people: Sitter) -> Told:
    pictures, numbers = (np.concatenate([getattr(p, name) for p in people]) for name in ("portraits", "descriptions"))
    return Told.of(artist, Sitter("ana", pictures, numbers, sum((p.views for p in people), ()), ""), steps=0)


def test_the_compiled_network_agrees_with_the_eager_one(artist: Artist) -> None:
    person, pictures = sitter(1), crops(3)
    swapper = tell_artist(artist, person, steps=0, threads=1)
    assert (swapper.person, swapper.size) == ("ana", CONFIG.size)
    faces, masks = swapper.swap(pictures)
    with torch.no_grad():
        drawn = told(artist, person)(torch.from_numpy(pictures.transpose(0, 3, 1, 2)).float() / 255).numpy()
    wanted = np.clip(drawn.transpose(0, 2, 3, 1) * 255 + 0.5, 0, 255).astype(int)
    assert np.abs(faces - wanted).max() <= 1  # grey levels
    assert masks.min() == 1
    np.testing.assert_array_equal(swapper.swap(pictures[:1])[0], faces[:1])  # a batch of any length


def test_a_photo_given_twice_changes_nothing_and_another_one_does(artist: Artist) -> None:
    one, other = sitter(1), sitter(1, seed=5)
    first, second, both, twice = (told(artist, *people) for people in ((one,), (other,), (one, other), (one, one)))
    torch.testing.assert_close(both.told[:, DESCRIPTION:], (first.told + second.told)[:, DESCRIPTION:] / 2)  # each photo counts
    assert not torch.allclose(first.told, second.told, atol=0.1)
    torch.testing.assert_close(twice.told, first.told)
    target = torch.from_numpy(crops(1).transpose(0, 3, 1, 2)).float() / 255
    with torch.no_grad():
        drawn = [person(target) for person in (first, second, both, twice)]
    torch.testing.assert_close(drawn[3], drawn[0], atol=1e-3, rtol=0)
    assert all(not torch.allclose(drawn[k], drawn[0], atol=0.01) for k in (1, 2))


def test_studying_a_photo_brings_the_person_nearer() -> None:
    base, person = open_artist().base, sitter(1)
    pictures = torch.from_numpy(person.portraits.transpose(0, 3, 1, 2)).float() / 255
    inner = round(SIDE * (1 - 0.8 * WIDER) / 2)  # a model's crop is 0.8 of a pair's, of which this is a wider view
    face = cv2.resize(person.views[0].picture[inner : SIDE - inner, inner : SIDE - inner], (128, 128), interpolation=cv2.INTER_AREA)
    shown = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
    done: list[int] = []
    with torch.no_grad():
        known, code = base.identity(pictures), base.encoder(shown)
        plain = study(base, known, person.views, STUDIED, steps=0)
        torch.testing.assert_close(plain(code), base.decoder(code, known))  # nothing studied: the base as it is
    first, again = (study(base, known, person.views, STUDIED, steps=12, progress=lambda _, k, n: done.append(k)) for _ in range(2))
    assert done == [*range(1, 13)] * 2
    with torch.no_grad():
        errors = [float((decoder(code) - shown).abs().mean()) for decoder in (plain, first, again)]
    assert errors[1] < 0.95 * errors[0]
    assert errors[1] == pytest.approx(errors[2], rel=1e-3)
    with pytest.raises(ConfigError, match="study must be 0 steps or more, got -1"):
        photo_roles([], SwapSettings(), steps=-1)


def test_weights_of_another_network_are_named(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    for name in ("x.safetensors", "missing.safetensors"):
        with pytest.raises(WeightsError, match=f"{name} is no network from one photo"):
            open_artist(tmp_path / name)


@pytest.mark.weights
def test_photos_are_looked_at(tmp_path: Path, demo_frames: list[Frame], weights: Path) -> None:
    eyes, notes = Eyes.open(SwapSettings()), list[str]()
    (tmp_path / "ana").mkdir()
    for k, frame in enumerate(demo_frames[:2]):
        cv2.imwrite(str(tmp_path / "ana" / f"{k}.png"), frame.image[..., ::-1])
    cv2.imwrite(str(tmp_path / "ana" / "sky.png"), np.full((64, 64, 3), 200, np.uint8))
    add_consent(tmp_path / "ana" / "0.png", "she agreed")
    found = sit([tmp_path / "ana"], eyes, note=notes.append)
    assert (found.name, found.portraits.shape, found.descriptions.shape) == ("ana", (2, 64, 64, 3), (2, 128))
    assert [v.picture.shape for v in found.views] == [(SIDE, SIDE, 3)] * 2
    assert np.linalg.norm(found.descriptions[0] - found.descriptions[1]) < 0.5  # one person
    assert [note.rpartition("/")[2] for note in notes] == ["sky.png: no face found; skipped"]
    assert found.consent == NO_CONSENT  # the record is of one picture of the folder
    role = photo_roles([("person1", [tmp_path / "ana" / "0.png"])], SwapSettings(), weights=weights, steps=1)[0]
    assert (role.who, role.swapper.person, role.consent) == ("person1", "0", "she agreed")
    with pytest.raises(NoFaceError, match=r"sky\.png, which should show the person"):
        sit([tmp_path / "ana" / "sky.png"], eyes)
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "empty").mkdir()
    for wrong, said in (("gone.jpg", "does not exist"), ("clip.mp4", "make a faceset"), ("empty", "holds no picture")):
        with pytest.raises(InputError, match=said):
            sit([tmp_path / wrong], eyes)


@pytest.mark.weights
def test_footage_is_swapped_from_a_photo(tmp_path: Path, footage: dict[str, Path], demo_frames: list[Frame], weights: Path) -> None:
    photo, out = tmp_path / "eva.png", tmp_path / "out.mp4"
    cv2.imwrite(str(photo), demo_frames[0].image[..., ::-1])
    words = [
        "--source",
        str(photo),
        "-m",
        str(weights),
        "--study",
        "2",
        "-o",
        str(out),
        "--refine",
        "0",
        "--mask",
        "hull",
        "--color",
        "none",
    ]
    assert main(["swap", str(footage["ben"]), *words]) == 0
    report = json.loads(report_path(out).read_text(encoding="utf-8"))
    assert report["swapped"] == report["frames"] == 18
    assert report["cast"][0]["person"] == "eva"
    assert report["model"].startswith(f"one photo ({weights})")
