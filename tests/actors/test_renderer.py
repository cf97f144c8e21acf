"""The renderer: points where the pose puts them, pictures that repeat, one motion for everybody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bianlian.actors.actor import swapped
from bianlian.actors.backdrop import backdrop
from bianlian.actors.bank import Bank
from bianlian.actors.head import rotation
from bianlian.actors.layout import PARTS
from bianlian.actors.performance import Performance, Script, random_performance, still
from bianlian.actors.renderer import FRAME_UNITS, Renderer, frame_camera
from bianlian.errors import ConfigError, InputError
from made_head import EYES, painted

SIZE = 128
SCALE = SIZE / FRAME_UNITS


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> Performance:
    return replace(
        still(1),
        scale=np.array([1], np.float32),
        yaw=np.array([yaw], np.float32),
        pitch=np.array([pitch], np.float32),
        roll=np.array([roll], np.float32),
    )


def test_convention_angles() -> None:
    nose = np.array([0, 0, 1.0])
    assert (rotation(20, 0, 0) @ nose)[0] > 0  # yaw to the image right
    assert (rotation(0, 20, 0) @ nose)[1] < 0  # pitch down
    assert (rotation(0, 0, 20) @ [1.0, 0, 0])[1] > 0  # roll counter-clockwise
    np.testing.assert_allclose(rotation(10, 20, 30), rotation(0, 0, 30) @ rotation(10, 0, 0) @ rotation(0, 20, 0), atol=1e-12)


def test_landmarks_lie_where_the_pose_puts_them(renderer: Renderer, bank: Bank) -> None:
    ana = bank.person("ana")
    points = ana.vertices[renderer.head.landmarks].astype(float)
    head = points - points.mean(0)
    assert head[:, 1].min() > -7  # above the shoulders, so that all turn as one
    for yaw, pitch, roll in ((0, 0, 0), (30, 0, 0), (-20, 15, 10)):
        found = renderer.pose(ana, turned(yaw, pitch, roll), 0).landmarks(frame_camera(SIZE))
        turn = rotation(yaw, pitch, roll)
        sway = 0.45 * (np.eye(3) - turn) @ [0, -9, -7]
        place = head @ turn.T + sway
        expected = np.stack([64 + SCALE * place[:, 0], 64 + 0.015 * SIZE - SCALE * place[:, 1]], 1)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_camera_shifts_and_scales(renderer: Renderer, bank: Bank) -> None:
    posed = renderer.pose(bank.person("ana"), turned(), 0)
    plain, moved = posed.landmarks(frame_camera(SIZE)), posed.landmarks(frame_camera(SIZE, (0.1, -0.2), 1.5))
    np.testing.assert_allclose(moved - moved.mean(0), 1.5 * (plain - plain.mean(0)), atol=1e-9)
    middle = posed.landmarks(frame_camera(SIZE, centre=np.array([10.0, 20.0])))
    np.testing.assert_allclose(middle - plain, np.tile([10 - 64, 20 - 64], (68, 1)), atol=1e-9)


def test_an_expression_moves_everyone_alike(renderer: Renderer, bank: Bank) -> None:
    shut, open_ = turned(), replace(turned(), expression={"jawOpen": np.array([0.5], np.float32)})
    moves = []
    for name in ("ana", "ben"):
        before, after = (renderer.pose(bank.person(name), act, 0).landmarks(frame_camera(SIZE)) for act in (shut, open_))
        moves.append(after - before)
    np.testing.assert_allclose(moves[0], moves[1], atol=1e-3)
    # the stand-in's jaw sinks by 2 units at full weight, 1 here; brows stay
    assert moves[0][8, 1] == pytest.approx(SCALE * 1.0, abs=1e-3)
    np.testing.assert_allclose(moves[0][17:27], 0, atol=1e-3)


def test_the_gaze_turns_the_eyeballs_alone(renderer: Renderer, bank: Bank) -> None:
    head, ana = renderer.head, bank.person("ana")
    plain, right = (head.pose(ana.vertices, head.weights({}), gaze) for gaze in ((0.0, 0.0), (20.0, 0.0)))
    moved = np.abs(right - plain).max(1) > 1e-4
    balls = np.zeros(len(moved), bool)
    for rows in head.eyes.values():
        balls[rows] = True
    assert moved.any()
    assert not moved[~balls].any()
    rows = head.eyes["image_left"]
    pupil = plain[rows][:, 2].argmax()
    assert right[rows][pupil, 0] > plain[rows][pupil, 0]  # to the image right
    np.testing.assert_allclose(head.eyeball(ana.vertices, "image_left")[0][:2], EYES["image_left"], atol=0.1)


def test_masks_tell_the_inner_face_the_head_and_what_is_behind(renderer: Renderer, bank: Bank) -> None:
    under = np.full((SIZE, SIZE, 3), 9, np.uint8)
    image, mask, landmarks = renderer.frame(bank.person("ana"), turned(), 0, under)
    nose = np.round(landmarks[30]).astype(int)
    assert mask[nose[1], nose[0]] == 255
    assert set(np.unique(mask)) == {0, 128, 255}
    assert (image[mask == 0] == 9).mean() > 0.99
    assert (under == 9).all()
    # the head is an ellipse of half axes 7 and 10 units
    assert (mask > 0).sum() == pytest.approx(np.pi * 70 * SCALE**2, rel=0.05)


def test_the_front_of_the_head_hides_what_is_inside(renderer: Renderer, bank: Bank) -> None:
    red = painted(bank.person("ana"), (200, 0, 0))
    image, _, landmarks = renderer.frame(red, turned(), 0, np.zeros((SIZE, SIZE, 3), np.uint8))
    # the mouth's own parts, which have colours of their own, lie behind the face: nothing of them shows at the lips
    x, y = np.round(landmarks[62]).astype(int)
    assert image[y - 2 : y + 3, x - 2 : x + 3, 0].min() > 3 * image[y - 2 : y + 3, x - 2 : x + 3, 1].max()
    assert PARTS["teeth"][1] < len(red.vertices)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(renderer: Renderer, bank: Bank) -> None:
    frames = []
    for seed in (2, 2, 3):
        act = random_performance(seed, Script(5))
        frames.append(renderer.frame(bank.person("ben"), act, 3, backdrop(act.backdrop, SIZE, SIZE))[0])
    assert frames[0].tobytes() == frames[1].tobytes()
    assert frames[0].tobytes() != frames[2].tobytes()


def test_more_samples_soften_edges_and_keep_the_rest(renderer: Renderer, bank: Bank) -> None:
    fine, under = Renderer(renderer.head, samples=3), np.zeros((SIZE, SIZE, 3), np.uint8)
    flat = painted(bank.person("ana"), (180, 180, 180))
    one, three = (r.frame(flat, turned(), 0, under)[0].astype(int) for r in (renderer, fine))
    assert np.abs(one - three)[40:90, 45:85].mean() < 2
    assert len(np.unique(three[64])) > len(np.unique(one[64]))


def test_the_ideal_swap_is_the_sources_face_on_the_targets_head(renderer: Renderer, bank: Bank) -> None:
    head = renderer.head
    ana, ben = painted(bank.person("ana"), (200, 120, 120)), painted(bank.person("ben"), (60, 60, 160))
    both = swapped(head, ana, ben)
    deep, far = head.atlas.inner_face == 1, head.atlas.inner_face == 0
    assert deep.sum() > 500
    assert far.sum() > 500
    np.testing.assert_allclose(both.vertices[deep], ben.vertices[deep], atol=1e-5)
    np.testing.assert_allclose(both.vertices[far], ana.vertices[far], atol=1e-5)
    outside = head.atlas.inner_texels[..., 0] == 0
    np.testing.assert_array_equal(both.texture[outside], ana.texture[outside])
    # in the target's tone: both are of one colour, so that the source's skin becomes the target's
    middle = both.texture[300:360, 340:420].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(middle, [200, 120, 120], atol=4)
    itself = swapped(head, ana, ana)
    np.testing.assert_allclose(itself.vertices, ana.vertices, atol=1e-5)
    assert np.abs(itself.texture.astype(int) - ana.texture).max() <= 2  # L*a*b* in 8 bits


def test_bad_settings_are_refused(renderer: Renderer, bank: Bank) -> None:
    with pytest.raises(ConfigError, match="samples must be 1 to 4"):
        Renderer(renderer.head, samples=0)
    with pytest.raises(InputError, match="no expression 'frown'"):
        renderer.pose(bank.person("ana"), replace(turned(), expression={"frown": np.array([1], np.float32)}), 0)
