"""Alignment: the template, the cut and the way back."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import apply, compose, invert
from bianlian.landmark.schemes import IBUG68_FROM_MESH, convert
from bianlian.types import Landmarks, Points

DEFAULT_FIVE = [[1.746212, -0.002804, -1.584047], [0.002804, 1.746212, -3.849108]]
DEFAULT_68 = [[17.42, 37.676768], [63.5, 109.266656], [63.5, 54.578912], [63.5, 86.991584]]
TILT = np.array([[1.2, -0.5, 90.0], [0.5, 1.2, 40.0]])


@pytest.mark.parametrize("scheme", ["five", "ibug68"])
def test_a_face_that_is_the_template_maps_onto_it(scheme: str) -> None:
    points = apply(TILT, align.template(scheme, 128))
    crop_from_frame = align.crop_from_frame(Landmarks(points, scheme), 128)
    np.testing.assert_allclose(apply(crop_from_frame, points), align.template(scheme, 128), atol=1e-9)
    np.testing.assert_allclose(crop_from_frame, invert(TILT), atol=1e-9)


def test_coverage_is_the_share_of_the_side_that_the_outline_spans() -> None:
    points = align.template("ibug68", 200, 0.6)
    assert np.ptp(points[:, 0]) == pytest.approx(0.6 * 200)
    np.testing.assert_allclose((points.min(0) + points.max(0)) / 2, 99.5, atol=0.2)


def test_convention_template_is_upright_and_symmetric() -> None:
    five = align.template("five", 101)
    assert five[0, 0] < five[2, 0] < five[1, 0]  # the person's right eye is left in the picture
    assert five[0, 1] < five[2, 1] < five[3, 1]  # eyes above nose above mouth: y goes down
    np.testing.assert_allclose(five[[0, 3], 0] + five[[1, 4], 0], 100, atol=1e-6)


def test_outline_points_do_not_move_the_crop() -> None:
    points = align.template("ibug68", 128).copy()
    points[:17] += 30
    np.testing.assert_allclose(align.crop_from_frame(Landmarks(points, "ibug68"), 128), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_cut_and_the_way_back_meet_within_a_tenth_of_a_pixel() -> None:
    # A dot in the frame must lie in the crop where the matrix says, and come back to where it was.
    frame = np.zeros((240, 320, 3), np.uint8)
    y, x = np.mgrid[:240, :320]
    spot = np.array([150.3, 110.7])
    frame[:] = (255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 18))[..., None]
    crop = align.cut(frame, invert(TILT), 128)
    grey = crop.image[..., 0].astype(float)
    cy, cx = np.mgrid[:128, :128]
    found = np.array([(grey * cx).sum(), (grey * cy).sum()]) / grey.sum()
    np.testing.assert_allclose(found, apply(invert(TILT), spot[None])[0], atol=0.1)
    np.testing.assert_allclose(apply(align.frame_from_crop(crop), found[None])[0], spot, atol=0.1)
    identity = compose(align.frame_from_crop(crop), crop.crop_from_frame)
    np.testing.assert_allclose(identity, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_shrinking_does_not_alias() -> None:
    # One-pixel stripes hold no detail that a crop a quarter the size can show: it must come out flat.
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align.cut(stripes, np.array([[0.23, 0, 0], [0, 0.23, 0]]), 48)
    assert crop.image[8:-8, 8:-8].astype(float).std() < 12


@pytest.mark.parametrize("coverage", [0.0, -1.0, 1.6])
def test_coverage_out_of_range(coverage: float) -> None:
    with pytest.raises(ConfigError, match="coverage"):
        align.template("ibug68", 128, coverage)


def test_schemes_convert_downwards_only() -> None:
    mesh = Landmarks(np.random.default_rng(0).normal(size=(478, 2)), "mesh478")
    sixty_eight = convert(mesh, "ibug68")
    np.testing.assert_array_equal(sixty_eight.points, mesh.points[list(IBUG68_FROM_MESH)])
    five = convert(mesh, "five")
    np.testing.assert_allclose(five.points[0], sixty_eight.points[36:42].mean(0))
    np.testing.assert_array_equal(five.points[2:], sixty_eight.points[[30, 48, 54]])
    with pytest.raises(InputError, match="too few points"):
        convert(five, "ibug68")


def test_the_mesh_map_names_each_vertex_once() -> None:
    assert len(set(IBUG68_FROM_MESH)) == 68
    assert all(0 <= v < 468 for v in IBUG68_FROM_MESH)


@pytest.mark.parametrize("side", [20.0, 60.0, 110.0, 400.0])
@pytest.mark.parametrize("centre", [(80.0, 60.0), (3.0, 60.0), (158.0, 118.0), (-5.0, 50.0)])
def test_reading_only_near_the_face_is_reading_the_whole_frame(side: float, centre: tuple[float, float]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)
    scale = 32 / side
    place = np.array([[scale, 0, 15.5 - scale * centre[0]], [0, scale, 15.5 - scale * centre[1]]])
    soft = image if scale >= 0.5 else cv2.GaussianBlur(image, (0, 0), 0.5 * (1 / scale - 1))
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    whole = cv2.warpAffine(soft, place, (32, 32), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    # A window shifts the numbers that OpenCV rounds to 1/32 px, so levels may differ a little.
    assert np.abs(align.cut(image, place, 32).image.astype(int) - whole).mean() < 1.0


def test_a_crop_off_the_picture_shows_its_border() -> None:
    rows = np.repeat(np.arange(0, 120, dtype=np.uint8)[:, None, None], 160, 1).repeat(3, 2)
    crop = align.cut(rows, np.array([[1.0, 0, 500], [0, 1.0, 0]]), 32)
    assert np.ptp(crop.image, axis=1).max() == 0


def scene() -> tuple[Landmarks, Points]:
    """A face turned by 25 degrees and stretched a little, as a real one differs from the mean, and four places on it."""
    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, 1.1])
    points = (align.template("ibug68", 150, 1.0) - 74.5) @ turn.T + [260.0, 240.0]
    return Landmarks(points, "ibug68"), points[[27, 30, 48, 54]]


@pytest.mark.parametrize("scheme", ["ibug68", "five"])
@pytest.mark.parametrize("fit", ["umeyama", "procrustes", "affine"])
@pytest.mark.parametrize("framing", list(align.FRAMINGS))
@pytest.mark.parametrize(("size", "padding"), [(96, 0.0), (256, 0.0), (256, 0.25)])
def test_the_way_back_is_exact_to_a_tenth_of_a_pixel(scheme: str, fit: align.Fit, framing: str, size: int, padding: float) -> None:
    """Dots drawn on the frame are looked for in the crop's own pixels and taken back: they meet where they were drawn."""
    landmarks, spots = scene()
    view = align.FRAMINGS[framing].padded(padding)
    place = align.framed(convert(landmarks, scheme), size, view, fit=fit)
    y, x = np.mgrid[:480, :520]
    rows, columns = np.mgrid[:size, :size]
    for spot in spots:
        frame = np.zeros((480, 520, 3), np.uint8)
        frame[:] = (255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 4.0**2)))[..., None]
        crop = align.cut(frame, place, size)
        level = crop.image[..., 0].astype(float)
        found = np.array([(level * columns).sum(), (level * rows).sum()]) / level.sum()
        np.testing.assert_allclose(apply(align.frame_from_crop(crop), found[None])[0], spot, atol=0.1)


def test_framings_show_more_and_more_of_the_head() -> None:
    """What the framings promise, on the mean face; from brows to hairline it is as far as from the base of the nose to the chin."""
    face = align.template("ibug68", 1, 1.0)
    hairline = np.array([[0.0, face[17:27, 1].mean() - (face[8, 1] - face[33, 1])]])
    crown = hairline - [0.0, 0.35]  # hair lies about a third of a face's width above its line
    for name, seen in (("inner", face), ("face", np.concatenate([face, hairline])), ("head", np.concatenate([face, crown]))):
        framing = align.FRAMINGS[name]
        placed = (seen + np.array([0.0, framing.lift])) * framing.coverage + 0.5
        assert placed.min() > 0, name
        assert placed.max() < 1, name
    coverages = [align.FRAMINGS[name].coverage for name in ("inner", "model", "face", "head")]
    assert coverages == sorted(coverages, reverse=True)
    assert align.FRAMINGS["model"] == align.Framing(align.COVERAGE)


def test_lift_moves_the_view_up_and_padding_widens_it() -> None:
    landmarks, _ = scene()
    plain = align.template("ibug68", 200, 0.5)
    np.testing.assert_allclose(
        align.template("ibug68", 200, 0.5, lift=0.2) - plain, np.tile([0, 0.2 * 0.5 * 200], (68, 1)), atol=1e-9
    )
    # A quarter of the side at each edge: the middle of the wider crop of 1.5 times the size is the narrow one, pixel for pixel.
    narrow = align.framed(landmarks, 200, align.Framing(0.5, 0.2))
    wide = align.framed(landmarks, 300, align.Framing(0.5, 0.2).padded(0.25))
    np.testing.assert_allclose(wide - narrow, [[0, 0, 50], [0, 0, 50]], atol=1e-9)


def test_five_and_68_points_of_one_face_agree() -> None:
    """On the mean face moved and turned both give the same crop; with points off by 1 % of the face, five are the shakier ones."""
    rng = np.random.default_rng(0)
    mean = apply(TILT, align.template("ibug68", 100, 1.0))
    corners = [[0.0, 0.0], [99.0, 0.0], [99.0, 99.0], [0.0, 99.0]]
    off = {}
    for scheme in ("ibug68", "five"):
        exact = align.crop_from_frame(convert(Landmarks(mean, "ibug68"), scheme), 100)
        np.testing.assert_allclose(exact, align.crop_from_frame(Landmarks(mean, "ibug68"), 100), atol=1e-9)
        shaken = [convert(Landmarks(mean + rng.normal(0, 1.3, mean.shape), "ibug68"), scheme) for _ in range(50)]
        moved = [apply(compose(align.crop_from_frame(s, 100), invert(exact)), corners) - corners for s in shaken]
        off[scheme] = float(np.sqrt(np.square(moved).sum(-1).mean()))
    assert off["ibug68"] < 1.0 < off["five"] < 4.0  # TILT makes the face 130 pixels wide: 1.3 of them, or 0.7 of the crop's


def test_fits_do_what_their_names_say() -> None:
    landmarks, _ = scene()
    linear = {fit: align.crop_from_frame(landmarks, 128, fit=fit)[:, :2] for fit in ("umeyama", "procrustes", "affine")}
    np.testing.assert_allclose(linear["umeyama"], linear["procrustes"])
    sizes = np.linalg.svd(linear["umeyama"], compute_uv=False)
    assert sizes[0] == pytest.approx(sizes[1])
    sizes = np.linalg.svd(linear["affine"], compute_uv=False)
    assert sizes[0] / sizes[1] == pytest.approx(1.1)  # the stretch of the scene, undone
    mirrored = Landmarks(landmarks.points * [-1, 1], "ibug68")
    assert np.linalg.det(align.crop_from_frame(mirrored, 128)[:, :2]) > 0
    assert np.linalg.det(align.crop_from_frame(mirrored, 128, fit="procrustes")[:, :2]) < 0
    with pytest.raises(ConfigError, match="umeyama, procrustes, affine"):
        align.crop_from_frame(landmarks, 128, fit="rigid")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: align.Framing(0.0), "coverage"),
        (lambda: align.Framing(0.7, 1.5), "lift"),
        (lambda: align.Framing(0.7, float("nan")), "lift"),
        (lambda: align.Framing(0.7).padded(-0.5), "padding"),
        (lambda: align.Framing(1.0).padded(-0.3), "coverage"),
    ],
)
def test_framings_out_of_range_are_refused(make: Callable[[], object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()


def test_default_alignment_is_what_the_shipped_weights_were_trained_on() -> None:
    """Numbers of the first release: a change here would move every crop under models that are already trained."""
    five = [[28.29, 19.25], [46.34, 19.26], [37.3, 36.9], [28.8, 47.1], [45.9, 47.0]]
    np.testing.assert_allclose(
        align.crop_from_frame(Landmarks(np.array(five), "five"), 128),
        DEFAULT_FIVE,
        atol=1e-6,
    )
    np.testing.assert_allclose(align.template("ibug68", 128)[[0, 8, 30, 57]], DEFAULT_68, atol=1e-9)
