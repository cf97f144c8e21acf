"""Layers and matte: the output can be made again from the target and them."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from swap_scene import RED, Tint, decoded, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.align import cut
from bianlian.errors import OutputError
from bianlian.provenance.search import find
from bianlian.provenance.watermark import id_text
from bianlian.swap.layers import over
from bianlian.swap.paste import Fitted
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.types import Image
from bianlian.video import Encoding, probe

pytestmark = pytest.mark.usefixtures("red_world")

LOSSLESS = SwapSettings(encoding=Encoding(codec="ffv1"), mask="hull", refine=0, faces="all")


def two(seed: int) -> Image:
    image = picture((45, 60), radius=26, seed=seed)
    if seed:
        cv2.circle(image, (100, 60), 18, RED, -1)
    return image


def png(path: Path) -> NDArray[np.uint8]:
    """Read grey (H, W), or RGBA (H, W, 4)."""
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read is not None
    return np.asarray(read if read.ndim == 2 else cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA), np.uint8)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "layers.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("blend", ["mask", "overlay", "poisson", "pyramid"])
def test_target_and_layers_make_the_output(tmp_path: Path, blend: str) -> None:
    target = movie(tmp_path / "in.mkv", [two(k) for k in range(3)])
    swap(target, Tint(), tmp_path / "out.mkv", replace(LOSSLESS, blend=blend), layers=tmp_path / "layers")
    found = lines(tmp_path / "layers")
    assert [(line["frame"], line["track"]) for line in found] == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)]
    old, new = decoded(target)[0], decoded(tmp_path / "out.mkv")[0]
    for index, (plate, out) in enumerate(zip(old, new, strict=True)):
        made = plate.astype(np.float64)
        for line in (line for line in found if line["frame"] == index):
            face = png(tmp_path / "layers" / line["face"]).astype(np.float64)
            made = np.rint(made + (face[..., :3] - made) * face[..., 3:] / 255)
        assert np.abs(made - out).max() <= 1
        assert (made != plate).any()


def test_layers_carry_the_marks_of_the_output(tmp_path: Path) -> None:
    plate = np.random.default_rng(0).integers(40, 90, (400, 400, 3), dtype=np.uint8)
    cv2.circle(plate, (200, 200), 150, RED, -1)
    cv2.imwrite(str(tmp_path / "in.png"), plate[..., ::-1])
    report = swap(tmp_path / "in.png", Tint(), tmp_path / "out.png", replace(LOSSLESS, grain=0), layers=tmp_path / "layers")
    assert report.mark is not None
    (line,) = lines(tmp_path / "layers")
    for kind in ("face", "mask", "crop"):
        assert report.mark.id.encode() in (tmp_path / "layers" / line[kind]).read_bytes()
    face = png(tmp_path / "layers" / line["face"])
    seen = find([np.where(face[..., 3:] > 250, face[..., :3], plate)])
    assert seen is not None
    assert id_text(seen.number) == report.mark.id


def test_the_matrix_says_where_the_network_saw_its_face(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [two(0)])
    swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS, layers=tmp_path / "layers")
    (line,) = lines(tmp_path / "layers")
    crop = png(tmp_path / "layers" / line["crop"])
    assert crop.shape == (64, 64, 4)
    # Tint mirrors the colours of what it is given: the crop of the frame by the matrix, mirrored, is its face
    seen = cut(decoded(target)[0][0], np.array(line["crop_from_frame"]), 64).image
    np.testing.assert_array_equal(crop[..., :3], 255 - seen)
    mask, face = png(tmp_path / "layers" / line["mask"]), png(tmp_path / "layers" / line["face"])
    assert mask.shape == (120, 160)
    x1, y1, x2, y2 = line["window"]
    outside = np.ones(mask.shape, bool)
    outside[y1:y2, x1:x2] = False
    assert not mask[outside].any()
    assert not face[outside].any()
    assert (line["pts"], line["time_base"]) == (0, "1/1000")


def test_a_matte_is_white_where_the_face_was_replaced(tmp_path: Path) -> None:
    images = [two(0), picture(None), two(1)]
    target = movie(tmp_path / "in.mkv", images, [0, 40, 121], sound=True)
    settings = replace(LOSSLESS, start="1f", fade=0)
    for matte in ("matte.mkv", "matte"):
        swap(target, Tint(), tmp_path / "out.mkv", settings, matte=tmp_path / matte, layers=tmp_path / f"of-{matte}")
    shown, times = decoded(tmp_path / "matte.mkv")
    assert times == [0, Fraction(81, 1000)]
    assert probe(tmp_path / "matte.mkv").streams == ()  # no sound
    assert not shown[0].any()
    old, new = decoded(target)[0][2], decoded(tmp_path / "out.mkv")[0][1]
    assert (shown[1].max(axis=2) > 0)[(old != new).any(axis=2)].all()
    assert shown[1].max() == 255
    assert sorted(p.name for p in (tmp_path / "matte").iterdir()) == ["000001.png", "000002.png"]
    layers = tmp_path / "of-matte.mkv"
    masks = [png(layers / line["mask"]) for line in lines(layers)]
    np.testing.assert_array_equal(shown[1][..., 0], np.maximum(*masks))
    read = np.asarray(cv2.imread(str(tmp_path / "matte" / "000002.png")))
    np.testing.assert_allclose(read, shown[1], atol=1)  # its landmarks came from the tracks file, to a hundredth of a pixel


def test_layers_and_matte_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "plates"
    folder.mkdir()
    for k in range(2):
        cv2.imwrite(str(folder / f"p.{1001 + k}.jpg"), picture((60, 60), seed=k)[..., ::-1])
    swap(folder, Tint(), tmp_path / "out", LOSSLESS, matte=tmp_path / "matte")
    assert sorted(p.name for p in (tmp_path / "matte").iterdir()) == ["p.1001.png", "p.1002.png"]
    swap(folder / "p.1001.jpg", Tint(), tmp_path / "o.jpg", LOSSLESS, matte=tmp_path / "m.png", layers=tmp_path / "layers")
    assert png(tmp_path / "m.png").max() == 255
    assert len(lines(tmp_path / "layers")) == 1


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [two(0)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old").touch()
    for layers, matte in ((tmp_path / "full", None), (target, None), (None, tmp_path / "m.png"), (None, target)):
        with pytest.raises(OutputError):
            swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS, layers=layers, matte=matte)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "in.mkv"]


def test_an_error_leaves_no_layers(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [two(0) for _ in range(4)])

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "swap" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap(target, Tint(), tmp_path / "o.mkv", LOSSLESS, layers=tmp_path / "l", matte=tmp_path / "m.mkv", progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv", "o.tracks.jsonl"]


def test_any_result_can_be_laid_over() -> None:
    rng = np.random.default_rng(0)
    target, face, joined = (rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(3))
    mask = rng.random((40, 40)).astype(np.float32)
    layer = over(Fitted((0, 0, 40, 40), face, mask, target, joined)).astype(np.float64)
    made = np.rint(target + (layer[..., :3] - target) * layer[..., 3:] / 255)
    assert np.abs(made - joined).max() <= 1


def test_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [two(0)])
    with pytest.raises(OutputError, match="different names"):
        swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS, matte=tmp_path / "." / "out.mkv")
    assert not (tmp_path / "out.mkv").exists()
