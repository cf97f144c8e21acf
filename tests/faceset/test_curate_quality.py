"""A mixed faceset of the two demo clips, with every fault made on purpose: how right each filter is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import bianlian
from bianlian import plugins
from bianlian.faceset.curate.curate import curate, open_eyes
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.extract import extract
from bianlian.faceset.header import Header
from bianlian.faceset.record import FaceRecord, reason_kind
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass, crop_name
from bianlian.geometry import apply, box_of
from bianlian.types import Crop, Image, Landmarks

DEMO = Path(bianlian.__file__).parent / "data/demo"
GOOD = "good"


@dataclass(frozen=True, eq=False)
class Item:
    """One face of the mix. label: what is wrong with it. of: the good face that it was made from."""

    label: str
    record: FaceRecord
    crop: Image
    of: int = -1


def people(folder: Path, clip: str, every: int) -> list[Item]:
    faceset = extract(
        [DEMO / f"{clip}.mp4"],
        clip,
        folder / clip,
        detector=plugins.load("detector", "blazeface")(),
        landmarker=plugins.load("landmarker", "facemesh")(),
        every=every,
    )
    return [Item(GOOD, record, faceset.load_crop(record)) for record in faceset.records()]


def moved(crop: Image, length: int, angle: float) -> Image:
    """Blur by a motion of some pixels in one direction."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = ((length - 1) / 2, (length - 1) / 2)
    kernel = np.asarray(cv2.warpAffine(kernel, cv2.getRotationMatrix2D(middle, angle, 1), (length, length)), np.float32)
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum()), np.uint8)


def again(crop: Image, rng: np.random.Generator) -> Image:
    """The same picture once more, as another encoder left it."""
    noisy = (crop + rng.normal(0, 2, crop.shape)).clip(0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def shuffled(crop: Image, rng: np.random.Generator) -> Image:
    """The same picture in 64 pieces, in another order."""
    pieces = crop.reshape(8, 32, 8, 32, 3).swapaxes(1, 2).reshape(64, 32, 32, 3)[rng.permutation(64)]
    return np.ascontiguousarray(pieces.reshape(8, 8, 32, 32, 3).swapaxes(1, 2).reshape(crop.shape))


def cut_off(item: Item, share: float, right: bool) -> Item:
    """A face of a picture that ends within it; its crop repeats the last column there."""
    landmarks = Landmarks(apply(item.record.crop_from_frame, item.record.landmarks.points), "ibug68")
    box, crop = box_of(landmarks.points), item.crop.copy()
    if right:
        x = round(float(box[2] - share * (box[2] - box[0])))
        crop[:, x:] = crop[:, x - 1 : x]
    else:
        x = round(float(box[0] + share * (box[2] - box[0])))
        crop[:, :x] = crop[:, x : x + 1]
    return Item("cut off", replace(item.record, landmarks=landmarks, box=box, crop_from_frame=np.eye(2, 3)), crop)


def faulty(good: list[Item], rng: np.random.Generator) -> list[Item]:
    """Make every fault several times over, each of another good face."""
    found: list[Item] = []
    rows = iter(rng.permutation(len(good)).tolist() * 2)

    def add(label: str, crop: Image, item: Item, of: int) -> None:
        found.append(Item(label, item.record, crop, of))

    for k in range(6):
        row = next(rows)
        item = good[row]
        small = box_of(item.record.landmarks.points)
        small[2:] = small[:2] + np.array([30, 36])
        found.append(cut_off(good[next(rows)], 0.15 + 0.05 * k, bool(k % 2)))
        found.append(Item("few pixels", replace(item.record, box=small), item.crop))
        add("blurred", np.asarray(cv2.GaussianBlur(item.crop, (0, 0), 2.2 + 0.3 * k), np.uint8), item, row)
        add("blurred", moved(good[row].crop, 11 + 2 * (k % 3), 30 * k), item, row)
        add("dark", (item.crop * (0.08 + 0.01 * k)).astype(np.uint8), item, row)
        add("burnt out", (item.crop * 3.0 + 30).clip(0, 255).astype(np.uint8), item, row)
        add("no face", shuffled(item.crop, rng), item, row)
        add("no face", np.ascontiguousarray(np.roll(item.crop, 128, axis=(0, 1))), item, row)
        add("duplicate", again(item.crop, rng), item, row)
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Item, str]]:
    """Items in a mixed order, each with what curation made of it; the duplicates' originals can be told by ``of``."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("mixed")
    good = people(folder, "source", 5)
    foreign = [replace(item, label="another person") for item in people(folder, "target", 10)]
    items = [replace(item, of=k) for k, item in enumerate(good)] + foreign + faulty(good, rng)
    order = rng.permutation(len(items)).tolist()
    with FacesetWriter(folder / "mix", Header("mix")) as writer:
        writer.begin(Pass("mix", "f", ""))
        for number, row in enumerate(order):
            item = items[row]
            record = replace(item.record, id=number, crop=crop_name(number, "jpg"), kept=True, reason=None)
            writer.add([record], [Crop(item.crop, record.crop_from_frame)])
        writer.finish()
    settings = CurateSettings()
    curate(folder / "mix", settings, eyes=open_eyes(settings))
    records = Faceset.open(folder / "mix").records()
    return [(items[row], reason_kind(r.reason or "kept")) for row, r in zip(order, records, strict=True)]


KINDS = ("another person", "no face", "cut off", "few pixels", "blurred", "dark", "burnt out")


@pytest.mark.weights
@pytest.mark.parametrize("kind", KINDS)
def test_each_filter_finds_its_faults_and_nothing_else(judged: list[tuple[Item, str]], kind: str) -> None:
    right = sum(item.label == found == kind for item, found in judged)
    recall = right / sum(item.label == kind for item, _ in judged)
    precision = right / max(1, sum(found == kind for _, found in judged))
    assert recall >= 0.9
    assert precision >= 0.9


@pytest.mark.weights
def test_nothing_faulty_is_kept_and_nothing_good_is_lost(judged: list[tuple[Item, str]]) -> None:
    assert not [item.label for item, found in judged if item.label in KINDS and found == "kept"]
    good = [found for item, found in judged if item.label == GOOD]
    assert set(good) <= {"kept", "duplicate"}


@pytest.mark.weights
def test_of_a_face_and_its_copy_one_is_kept(judged: list[tuple[Item, str]]) -> None:
    """And hardly any other good face is taken for a copy: they lie 0.2 s apart."""
    copied = {item.of for item, _ in judged if item.label == "duplicate"}
    pairs = [[f for i, f in judged if i.of == row and i.label in (GOOD, "duplicate")] for row in copied]
    assert sum(sorted(pair) == ["duplicate", "kept"] for pair in pairs) >= 0.8 * len(pairs)
    alone = [found for item, found in judged if item.label == GOOD and item.of not in copied]
    assert alone.count("kept") >= 0.85 * len(alone)
