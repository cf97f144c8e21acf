"""A person from photos: what is compiled draws what the network draws, several photos are one person, and bad photos are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

import bianlian
from bianlian import align
from bianlian.cli import main
from bianlian.errors import ConfigError, InputError, NoFaceError, WeightsError
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.model import SwapsAt
from bianlian.model.faceshifter.aei import AeiNet, done, init_aei
from bianlian.model.faceshifter.config import DESCRIPTION, LOOK_SIDE, AeiConfig
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.provenance.consent import NO_CONSENT, add_consent
from bianlian.runtime import compile_module
from bianlian.swap.liken import LEAST
from bianlian.swap.oneshot import CONFIG, STUDIED, Artist, Told, open_artist, open_person, photo_roles, tell_artist, views_of
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.report import report_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import SIDE, WIDER, crops_of, study
from bianlian.swap.swapper import open_swapper
from bianlian.train.faceshifter import WEIGHTS, FaceshifterConfig, begin_recipe
from bianlian.train.lay import View, laid
from bianlian.train.pairs import PAIR_COVERAGE
from bianlian.types import Frame, Image
from bianlian.video import frames

DEMO = Path(bianlian.__file__).parent / "data/demo"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as they are before training."""
    network = AeiNet(CONFIG)
    init_aei(network, torch.Generator().manual_seed(0))
    return save(network, tmp_path_factory.mktemp("weights") / "made.safetensors")


def save(network: AeiNet, path: Path) -> Path:
    save_file({k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module", params=["base", "finished"])
def artist(weights: Path, request: pytest.FixtureRequest) -> Artist:
    artist = open_artist(weights)
    return artist if request.param == "finished" else Artist(artist.base)


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
    """As smooth as faces are: the network bends them, and a thousandth of a pixel must not matter."""
    return np.stack([cv2.resize(smooth(7 + k), (CONFIG.size, CONFIG.size), interpolation=cv2.INTER_AREA) for k in range(count)])


def shown(artist: Artist, person: Sitter, count: int) -> Tensor:
    """Crops as the networks get them: with the photo laid over each where they take one, the face being where the mean face is."""
    pictures = crops(count)
    if artist.network is not None:
        views = views_of(person)
        over = laid(views, align.template("ibug68", CONFIG.size, align.COVERAGE), CONFIG.size)
        pictures = np.concatenate([pictures, np.repeat(over[None], count, 0)], 3)
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2)).float() / 255


def told(artist: Artist, *people: Sitter) -> Told:
    pictures, numbers = (np.concatenate([getattr(p, name) for p in people]) for name in ("portraits", "descriptions"))
    return Told.of(artist, Sitter("ana", pictures, numbers, sum((p.views for p in people), ()), ""), steps=0)


def pictured(given: Tensor, seen: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Pictures (B, S, S, 3) of what the networks give: themselves, or what is to be done with target and photo."""
    drawn = given if given.shape[1] == 3 else done(given, seen[:, :3], seen[:, 3:])
    return np.asarray(drawn.permute(0, 2, 3, 1))


def test_the_compiled_network_agrees_with_the_eager_one(artist: Artist) -> None:
    person, pictures = sitter(1), crops(3)
    swapper = tell_artist(artist, person, steps=0, threads=1)
    assert (swapper.person, swapper.size) == ("ana", CONFIG.size)
    faces, masks = swapper.swap(pictures)
    here, seen = told(artist, person), shown(artist, person, 3)
    with torch.no_grad():
        given = here(seen)
    exact = compile_module(here, (1, *seen.shape[1:]), dynamic_batch=True)(seen.numpy())[0]
    assert np.abs(exact - given.numpy()).max() < 1 / 255
    wanted = np.clip(255 * pictured(given, seen) + 0.5, 0, 255).astype(int)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough = pictured(here(seen).float(), seen)
    # a second network runs in bf16 where the processor has it: no further off than the library's own bf16, and rounded
    apart, rounding = np.abs(faces - wanted), 0.5
    off = 255 * np.abs(rough - pictured(given, seen)).mean()
    assert apart.max() <= 1 if artist.network is None else apart.mean() < 2 * off + rounding
    assert masks.min() == 1
    np.testing.assert_array_equal(swapper.swap(pictures[:1])[0], faces[:1])  # a batch of any length


def test_a_run_whose_network_draws_by_itself_swaps(tmp_path: Path) -> None:
    shape = AeiConfig(size=32, down=(8, 8), up=(16, 16, 16, 3), maps=3)
    network, run = AeiNet(shape), tmp_path / "run"
    init_aei(network, torch.Generator().manual_seed(0))
    begin_recipe(run, FaceshifterConfig((save(network, tmp_path / "swaps.safetensors"),), network=shape))
    save(network, run / WEIGHTS)
    artist, person = open_artist(run), sitter(2)
    swapper = tell_artist(artist, person, threads=1)
    small = np.stack([cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in crops(3)])
    target = torch.from_numpy(small.transpose(0, 3, 1, 2)).float() / 255
    assert artist.network is not None
    with torch.no_grad():
        wanted = artist.network(target, artist.tell(person).expand(3, -1)).permute(0, 2, 3, 1).numpy()
    assert swapper.size == 32
    assert np.abs(swapper.swap(small)[0] - 255 * wanted).mean() < 2


def test_a_photo_given_twice_changes_nothing_and_another_one_does(artist: Artist) -> None:
    one, other = sitter(1), sitter(1, seed=5)
    first, second, both, twice = (told(artist, *people) for people in ((one,), (other,), (one, other), (one, one)))
    torch.testing.assert_close(both.told[:, DESCRIPTION:], (first.told + second.told)[:, DESCRIPTION:] / 2)  # each photo counts
    assert not torch.allclose(first.told, second.told, atol=0.1)
    torch.testing.assert_close(twice.told, first.told)
    target = shown(artist, one, 1)
    with torch.no_grad():
        drawn = [torch.from_numpy(pictured(person(target), target)) for person in (first, second, both, twice)]
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
def test_the_network_that_ships_draws_the_person_sharply(tmp_path: Path, demo_frames: list[Frame]) -> None:
    eyes, artist, recogniser = Eyes.open(SwapSettings()), open_artist(), Recogniser()
    cv2.imwrite(str(tmp_path / "ana.png"), next(iter(frames(DEMO / "source.mp4"))).image[..., ::-1])
    person = sit([tmp_path / "ana.png"], eyes)
    here = Told.of(artist, person, steps=0)
    seen = []
    for frame in demo_frames:
        (face,) = eyes.landmarker.mark(frame.image, eyes.detector.detect([frame.image])[0][:1])
        assert face is not None
        assert face.landmarks is not None
        to_crop = align.crop_from_frame(face.landmarks, CONFIG.size)
        points = apply(to_crop, convert(face.landmarks, "ibug68").points)
        crop = align.cut(frame.image, to_crop, CONFIG.size).image
        seen.append(np.concatenate([crop, laid(views_of(person), points, CONFIG.size)], 2))
    pictures = torch.from_numpy(np.stack(seen).transpose(0, 3, 1, 2)).float() / 255
    target, photo = pictures[:, :3], pictures[:, 3:]
    with torch.no_grad():
        draft = here.decoder(here.encoder(target))
        drawn = [here.finish(draft, target, photo, strength) for strength in (0.0, 1.0)]
        source = recogniser.look(crops_of(person.views, CONFIG.size))[0]
        nearer = [
            ((looks - recogniser.look(target)[0]).norm(dim=1) - (looks - source).norm(dim=1)).mean()
            for looks in (recogniser.look(x)[0] for x in (target, *drawn))
        ]
    assert nearer[0] < nearer[1] < nearer[2]  # no swap, some of the target showing, less of it
    assert nearer[1] > 0.5 * nearer[0]  # more than half the way to where both are as near

    def fine(x: Tensor) -> float:
        """Mean of what a blur over three pixels takes away, in the middle of the face."""
        return float((x - functional.avg_pool2d(x, 3, 1, 1))[..., 40:96, 32:96].abs().mean())

    assert min(fine(x) for x in drawn) > 1.5 * fine(draft)


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


@pytest.mark.weights
def test_a_tuned_person_is_finished_with_the_pictures_of_their_faceset(tmp_path: Path, demo_frames: list[Frame]) -> None:
    (tmp_path / "photos").mkdir()
    for k, frame in enumerate(demo_frames):
        cv2.imwrite(str(tmp_path / "photos" / f"{k}.png"), frame.image[..., ::-1])
    ana, run, notes = tmp_path / "ana", tmp_path / "run", list[str]()
    assert main(["extract", str(tmp_path / "photos"), "--person", "ana", "-o", str(ana)]) == 0
    words = ["train", str(ana), "-o", str(run), "--from", "faceshifter", "--batch", "2", "--iterations", "1", "--no-score"]
    assert main(words) == 0
    finished, plain = (opened(run, "ana", likeness=LEAST, threads=1) for opened in (open_person, open_swapper))
    points = align.template("ibug68", CONFIG.size, align.COVERAGE)[None]
    assert isinstance(finished, SwapsAt)
    assert not isinstance(plain, SwapsAt)
    there = finished.swap_at(crops(1), points, crops(1))[0]
    assert (finished.swap_at(crops(1), points + 10, crops(1))[0] != there).any()  # the pictures lie where the face is
    assert (plain.swap(crops(1))[0] != there).any()
    shutil.rmtree(ana)
    assert not isinstance(open_person(run, "ana", likeness=LEAST, threads=1, note=notes.append), SwapsAt)
    assert notes[-1].startswith("ana is drawn as trained, not finished with their pictures: ")
