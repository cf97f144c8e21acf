"""The watermark: read after what happens to pictures, unseen where there is none, too weak to see."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import cv2
import numpy as np
import pytest

from bianlian.provenance import code
from bianlian.provenance.search import find, gather
from bianlian.provenance.tile import TILE, pattern, soft_bits
from bianlian.provenance.watermark import SMALLEST, Stamp, carries, cell_size, id_of, id_text
from bianlian.types import Frame, Image

NUMBER = 0x5AFE1234


@pytest.fixture(scope="module")
def marked(demo_frames: list[Frame]) -> Image:
    return Stamp(NUMBER, 512, 512)(demo_frames[0].image)


def psnr(a: Image, b: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2)))


def resize(factor: float) -> Callable[[Image], Image]:
    return lambda image: np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(quality: int) -> Callable[[Image], Image]:
    def change(image: Image) -> Image:
        back = cv2.imdecode(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        assert back is not None
        return np.ascontiguousarray(back[..., ::-1])

    return change


def h264(image: Image) -> Image:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, width=512, height=512, pix_fmt="yuv420p", options={"crf": "28"})
        out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "jpeg 60": jpeg(60),
    "h264 crf 28": h264,
    "half": resize(0.5),
    "larger": resize(1.5),
    "cut": lambda image: np.ascontiguousarray(image[31:-20, 9:-42]),
    "screenshot": lambda image: jpeg(75)(np.pad(resize(0.83)(image), ((61, 40), (97, 58), (0, 0)))),
    "mirrored": lambda image: jpeg(75)(np.ascontiguousarray(image[:, ::-1])),
    "darker and softer": lambda image: (0.7 * image + 20).astype(np.uint8),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_the_id_is_read_after(marked: Image, change: str) -> None:
    found = find([CHANGES[change](marked)])
    assert found is not None
    assert found.number == NUMBER
    assert found.mirrored == (change == "mirrored")
    assert found.agree > 0.75  # chance is 0.5; the code corrects about a quarter


def test_the_place_and_size_of_the_tile_are_found(marked: Image) -> None:
    found = find([resize(0.75)(marked)])
    assert found is not None
    np.testing.assert_allclose(found.cell, 1.5, rtol=0.003)  # 2 pixels, made smaller to three quarters


def test_it_is_weak_and_stronger_where_the_picture_is_busy(demo_frames: list[Frame], marked: Image) -> None:
    image = demo_frames[0].image
    assert psnr(image, marked) >= 42
    noise = np.random.default_rng(0).integers(0, 256, (256, 512, 3), dtype=np.uint8)
    half = np.concatenate([np.full_like(noise, 128), noise])
    change = np.abs(Stamp(NUMBER, 512, 512)(half).astype(int) - half)
    assert psnr(half, Stamp(NUMBER, 512, 512)(half)) >= 42
    assert change[64:192].mean() < 0.5 * change[320:448].mean()
    assert not np.ptp(marked.astype(int) - image, axis=2).any()  # brightness changes, colour does not


def test_what_was_not_marked_says_nothing(demo_frames: list[Frame]) -> None:
    random = np.random.default_rng(1)
    bricks = np.kron(random.integers(0, 256, (4, 4, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    pictures = [
        demo_frames[1].image,
        random.integers(0, 256, (300, 400, 3), dtype=np.uint8),
        np.tile(bricks, (16, 16, 1)),
        np.full((256, 256, 3), 90, np.uint8),
    ]
    assert [find([picture]) for picture in pictures] == [None] * 4
    assert find([]) is None
    assert gather([]) is None


def test_several_frames_add_up(demo_frames: list[Frame]) -> None:
    # Each picture alone is drowned in noise of 20 grey levels; twelve of them are not.
    random, images = np.random.default_rng(2), []
    for k in range(12):
        image = np.roll(demo_frames[0].image, 3 * k, 1)
        noise = random.normal(0, 14, (512, 512, 1))
        images.append(np.clip(Stamp(NUMBER, 512, 512)(image) + noise, 0, 255).astype(np.uint8))
    one, many = find(images[:1]), find(images)
    assert many is not None
    assert many.number == NUMBER
    assert one is None or one.peak < many.peak - 1


def test_small_pictures_are_left_alone() -> None:
    small = np.full((SMALLEST - 1, 300, 3), 90, np.uint8)
    assert not carries(300, SMALLEST - 1)
    np.testing.assert_array_equal(Stamp(1, 300, SMALLEST - 1)(small), small)
    assert find([np.zeros((5, 7, 3), np.uint8)]) is None


@pytest.mark.parametrize(("size", "cell"), [((640, 480), 2.0), ((1280, 720), 2.0), ((1920, 1080), 3.0), ((2160, 3840), 6.0)])
def test_convention_cells_grow_with_pictures_of_more_than_720_lines(size: tuple[int, int], cell: float) -> None:
    assert cell_size(*size) == cell


def test_the_pattern_is_seamless_and_never_changes() -> None:
    tile = pattern(code.encode(NUMBER))
    np.testing.assert_allclose((tile.mean(), (tile**2).mean()), (0, 1), atol=1e-5)
    steps = np.abs(np.diff(np.concatenate([tile, tile[:1]]), axis=0)).mean(1)
    assert steps[-1] < 2 * np.median(steps)
    assert code.decode(soft_bits(tile.astype(np.float64))) == NUMBER
    # These numbers are fixed for all time: marks that are out there must be read.
    np.testing.assert_allclose(tile[:2, :3], FIRST, atol=1e-4)
    assert tile.shape == (TILE, TILE)


def test_an_id_survives_errors_and_noise_does_not_make_one() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        number = int(random.integers(0, 1 << code.ID_BITS))
        soft = code.encode(number).astype(np.float64)
        wrong = random.choice(code.CODE_BITS, code.CODE_BITS // 10, replace=False)
        soft[wrong] *= -1
        assert code.decode(soft) == number
    # 16 bits of check: one in 65 536 passes, of 60 none (p = 0.999).
    assert [code.decode(random.normal(size=code.CODE_BITS)) for _ in range(60)] == [None] * 60


def test_ids() -> None:
    assert id_text(0xAB) == "000000ab"
    assert len({id_of(f"swap {k}") for k in range(50)}) == 50
    assert id_of("swap 1") == id_of("swap 1")
    with pytest.raises(ValueError, match="bits"):
        code.encode(1 << code.ID_BITS)


FIRST = [[-0.18987, 0.60234, 0.57205], [1.08955, 2.95025, 1.55388]]
