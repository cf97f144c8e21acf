"""MTCNN: five real landmarks, the options, and the networks' own geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bianlian.detect._mtcnn_nets import ONet, PNet, RNet, fill
from bianlian.detect.mtcnn import Mtcnn, _moved, _squared, _suppress, _windows
from bianlian.errors import ConfigError
from bianlian.landmark.facemesh import FaceMesh
from bianlian.landmark.schemes import convert
from bianlian.types import Image


@pytest.mark.weights
def test_the_five_points_sit_where_the_mesh_has_them(face_image: Image) -> None:
    (face,) = Mtcnn().detect([face_image])[0]
    (marked,) = FaceMesh().mark(face_image, [face])
    assert face.landmarks is not None
    assert marked is not None
    assert marked.landmarks is not None
    wanted = convert(marked.landmarks, "five").points
    apart = np.hypot(*(wanted[1] - wanted[0]))
    assert (np.hypot(*(face.landmarks.points - wanted).T) / apart).max() < 0.12


@pytest.mark.weights
def test_square_keeps_area_and_centre(face_image: Image) -> None:
    (plain,), (square,) = (Mtcnn(square=s, min_face=60).detect([face_image])[0] for s in (False, True))
    sides = square.box[2:] - square.box[:2]
    assert sides[0] == pytest.approx(sides[1])
    assert square.area == pytest.approx(plain.area)
    np.testing.assert_allclose(square.box[:2] + square.box[2:], plain.box[:2] + plain.box[2:])


@pytest.mark.weights
def test_a_batch_gives_what_single_pictures_give(face_image: Image) -> None:
    detector = Mtcnn(min_face=60)
    mirrored = np.ascontiguousarray(face_image[:, ::-1])
    together = detector.detect([face_image, mirrored])
    for one, picture in zip(together, (face_image, mirrored), strict=True):
        (alone,) = detector.detect([picture])[0]
        np.testing.assert_allclose(one[0].box, alone.box, atol=0.01)


@pytest.mark.weights
def test_faces_below_the_smallest_size_are_not_looked_for(face_image: Image) -> None:
    """The picture is 512 pixels wide: no face of 600 fits into it."""
    assert Mtcnn(min_face=600).detect([face_image]) == [[]]


@pytest.mark.weights
@pytest.mark.parametrize(
    "setting", [{"factor": 1.0}, {"min_face": 11}, {"thresholds": (0.6, 0.7, 1.7)}, {"thresholds": (0.6, 0.7)}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Mtcnn(**setting)  # type: ignore[arg-type]


def test_networks_have_the_sizes_of_the_paper() -> None:
    """P-Net sees 12 pixels by steps of 2: 24 pixels give (24 - 12) / 2 + 1 = 7 places."""
    with torch.no_grad():
        boxes, faces = PNet()(torch.zeros(1, 3, 24, 24))
        assert (boxes.shape, faces.shape) == ((1, 4, 7, 7), (1, 7, 7))
        assert [tuple(t.shape) for t in RNet()(torch.zeros(2, 3, 24, 24))] == [(2, 4), (2,)]
        assert [tuple(t.shape) for t in ONet()(torch.zeros(2, 3, 48, 48))] == [(2, 4), (2,), (2, 10)]


def test_fill_turns_tensorflow_order_into_torch_order() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, (4, 5)), torch.nn.PReLU(3), torch.nn.Linear(6, 7))
    rng = np.random.default_rng(0)
    shapes = ((4, 5, 2, 3), (3,), (1, 1, 3), (6, 7), (7,))
    kernel, bias, slope, matrix, shift = arrays = [rng.normal(size=s).astype(np.float32) for s in shapes]
    fill(net, arrays)
    values = [p.detach().numpy() for p in net.parameters()]
    np.testing.assert_array_equal(values[0][2, 1], kernel[:, :, 1, 2])
    np.testing.assert_array_equal(values[3], matrix.T)
    for ours, theirs in ((values[1], bias), (values[2], slope.ravel()), (values[4], shift)):
        np.testing.assert_array_equal(ours, theirs)


def test_convention_windows_are_edges_around_pixel_centres() -> None:
    """Place (row 1, column 2) of a level at half size: pixels 4..16 by 2..14 of the level, 8..32 by 4..28 of the frame."""
    faces = np.zeros((3, 4), np.float32)
    faces[1, 2] = 0.9
    boxes, scores = _windows(np.zeros((4, 3, 4), np.float32), faces, 0.5, (2.0, 2.0))
    np.testing.assert_allclose(boxes, [[7.5, 3.5, 31.5, 27.5]])
    np.testing.assert_allclose(scores, [0.9], rtol=1e-6)


def test_boxes_move_in_units_of_their_sides_and_never_turn_inside_out() -> None:
    box = np.array([[10.0, 20.0, 30.0, 60.0]])
    np.testing.assert_allclose(_moved(box, np.array([[0.1, -0.1, 0.0, 0.25]])), [[12, 16, 30, 70]])
    moved = _moved(box, np.array([[2.0, 2.0, -2.0, -2.0]]))
    assert (moved[:, 2:] > moved[:, :2]).all()
    np.testing.assert_allclose(_squared(box), [[0, 20, 40, 60]])


def test_suppress_by_union_or_by_the_smaller_box() -> None:
    """A box of 10 x 10 inside one of 20 x 20: 100 of 400 shared over the union, all of the smaller one."""
    boxes, scores = np.array([[0.0, 0, 20, 20], [5, 5, 15, 15], [100, 0, 110, 10]]), np.array([0.9, 0.8, 0.95])
    assert _suppress(boxes, scores, 0.7) == [2, 0, 1]
    assert _suppress(boxes, scores, 0.7, over_smaller=True) == [2, 0]
