"""A studied decoder is moved as far as the recogniser asks, no further, and its mouths are nobody's business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bianlian import align
from bianlian.detect.blazeface import BlazeFace
from bianlian.errors import ConfigError
from bianlian.geometry import apply
from bianlian.landmark.facemesh import FaceMesh
from bianlian.landmark.schemes import convert
from bianlian.model.base import filled_base
from bianlian.model.path import PersonPath
from bianlian.swap import liken as module
from bianlian.swap.liken import LEAST, MARGIN, Likeness, liken
from bianlian.swap.meet import Meets, Met
from bianlian.swap.oneshot import BASE, STUDIED, Artist, photo_roles, tell_artist
from bianlian.swap.photos import Eyes, sit
from bianlian.swap.refine import load_refiner
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import Lessons, crops_of, study, view
from bianlian.types import Face, Frame
from bianlian.weights import CARDS, locate

PLAIN = SwapSettings(refine=0, shade=0, erode=3, feather=4)


class Painted(nn.Module):
    """A decoder that draws one picture, whatever the code."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.picture = nn.Parameter(picture)

    def forward(self, codes: Tensor) -> Tensor:
        return self.picture.expand(len(codes), -1, -1, -1)


class Grey:
    """A recogniser that describes a picture by its mean."""

    def look(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        return pictures.mean((2, 3)), []


def met(size: int = 128) -> Met:
    rng = np.random.default_rng(0)
    return Met(rng.integers(60, 180, (size, size, 3)).astype(np.uint8), align.template("ibug68", size))


def test_new_faces_are_drawn_into_their_frames_and_mouths_get_no_gradient() -> None:
    face = met()
    picture = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    decoder = Painted(picture)
    path = PersonPath(nn.Identity(), decoder)
    scene = module._Scene(path.encoder, [face], nn.Identity(), PLAIN, Grey())  # type: ignore[arg-type]
    painted = scene.drawn(path, torch.arange(1))
    drawn = painted.detach()
    target = torch.from_numpy(face.crop).permute(2, 0, 1)[None] / 255
    outside = scene.inner[0, 0] == 0
    assert 0.2 < float(outside.float().mean()) < 0.8
    torch.testing.assert_close(drawn[..., outside], target[..., outside])
    inside = scene.inner[0, 0] == 1
    for statistic in (torch.mean, torch.std):  # in the target's colours, of which noise has the same everywhere
        assert float(statistic(drawn[..., inside])) == pytest.approx(float(statistic(target[..., inside])), abs=0.02)
    painted.sum().backward()  # type: ignore[no-untyped-call]
    gradient = decoder.picture.grad
    assert gradient is not None
    x, y = face.points[module.MOUTH].mean(0).round().astype(int)
    cheek_x, cheek_y = face.points[[31, 2]].mean(0).round().astype(int)
    assert float(gradient[0, :, y, x].abs().max()) < 0.02 * float(gradient[0, :, cheek_y, cheek_x].abs().min())


def test_what_a_second_network_makes_of_it_is_laid_in() -> None:
    faces = [met(), met()]
    picture = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    path, asked = PersonPath(nn.Identity(), Painted(picture)), list[list[int]]()

    def finish(drawn: Tensor, target: Tensor, some: Tensor) -> Tensor:
        asked.append(some.tolist())
        return 0.5 * (drawn + target)

    scene = module._Scene(path.encoder, faces, nn.Identity(), PLAIN, Grey())  # type: ignore[arg-type]
    some = torch.tensor([1])
    plain = scene.drawn(path, some).detach()
    scene.finish = finish
    finished = scene.drawn(path, some).detach()
    target = torch.from_numpy(faces[1].crop).permute(2, 0, 1)[None] / 255
    assert asked == [[1]]
    assert 0.1 < float((finished - target).abs().mean() / (plain - target).abs().mean()) < 0.9  # it lies nearer to the target


def test_the_weakest_that_is_enough_finishes() -> None:
    class Red(Grey):
        """Describes by the red in the middle, which colours are not matched for."""

        def look(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
            return pictures[:, :1, 60:68, 60:68].std((2, 3)), []

    path, asked = PersonPath(nn.Identity(), Painted(torch.rand(1, 3, 128, 128))), list[float]()

    def smoother(share: float) -> module.Finish:
        def finish(drawn: Tensor, target: Tensor, some: Tensor) -> Tensor:
            asked.append(share)
            flat = drawn.clone()
            flat[..., 48:80, 48:80] = flat[..., 48:80, 48:80] * (1 - share) + share * flat[..., 48:80, 48:80].mean()
            return flat

        return finish

    scene = module._Scene(path.encoder, [met(), met()], nn.Identity(), PLAIN, Red())  # type: ignore[arg-type]
    source, ways = torch.zeros(1), [smoother(share) for share in (0.0, 0.5, 0.9, 1.0)]
    every = scene.finished_by(ways, path, source, 1e9)
    assert every[0] == 3
    assert every[1] == sorted(every[1])
    asked.clear()
    chosen, found = scene.finished_by(ways, path, source, every[1][1])
    assert (chosen, found) == (1, every[1][:2])
    assert set(asked) == {0.0, 0.5}  # the others are not tried
    assert scene.finish is ways[1]
    scene.finish = None
    assert scene.finished_by([], path, source, 0.0) == (0, [scene.margin(path, source)])


def test_where_the_network_s_own_mask_is_shut_the_target_stays_and_the_mask_gets_no_gradient() -> None:
    face = met()
    shown = torch.rand(1, 4, 128, 128, generator=torch.Generator().manual_seed(1))
    shown[:, 3, :, :64], shown[:, 3, :, 64:] = 1, 0
    decoder = Painted(shown)
    path = PersonPath(nn.Identity(), decoder)
    scene = module._Scene(path.encoder, [face], nn.Identity(), PLAIN, Grey())  # type: ignore[arg-type]
    painted = scene.drawn(path, torch.arange(1))
    target = torch.from_numpy(face.crop).permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(painted.detach()[..., 64:], target[..., 64:])
    assert (painted.detach()[..., :64] - target[..., :64]).abs().mean() > 0.01
    painted.sum().backward()  # type: ignore[no-untyped-call]
    gradient = decoder.picture.grad
    assert gradient is not None
    assert float(gradient[:, 3].abs().max()) == 0
    assert float(gradient[:, :3, :, :64].abs().max()) > 0


@pytest.mark.weights
def test_the_way_ends_where_the_recogniser_is_content(demo_frames: list[Frame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALIKE", 10.0)
    monkeypatch.setattr(module, "STEPS", 4)
    monkeypatch.setattr(module, "WARM_UP", 1)
    monkeypatch.setattr(module, "HALVINGS", 2)
    mesh, detector = FaceMesh(), BlazeFace()

    def marked(frame: Frame) -> Face:
        (found,) = mesh.mark(frame.image, detector.detect([frame.image])[0][:1])
        assert found is not None
        return found

    base = filled_base(STUDIED, load_file(locate(CARDS[BASE])))
    refiner = load_refiner().requires_grad_(False)
    people = [marked(frame) for frame in demo_frames[:2]]
    faces = []
    for frame, face in zip(demo_frames, people, strict=False):
        assert face.landmarks is not None
        there = align.crop_from_frame(face.landmarks, STUDIED.size)
        points = apply(there, convert(face.landmarks, "ibug68").points)
        faces.append(Met(align.cut(frame.image, there, STUDIED.size).image, points))
    assert people[0].landmarks is not None
    # another person's photo: the same face in negative
    views = [view(255 - demo_frames[0].image, people[0].landmarks)]
    known = torch.zeros(1, 64)
    path = PersonPath(base.encoder, study(base, known, views, STUDIED, steps=0))
    before = {name: value.clone() for name, value in path.state_dict().items()}
    lessons = Lessons.of(base, views, STUDIED, np.random.default_rng(0))
    pictures = crops_of(views, STUDIED.size)

    def moved(margin: float) -> tuple[float, Likeness]:
        after, likeness = liken(path, lessons, pictures, faces, refiner, SwapSettings(), margin=margin)
        pairs = zip(after.state_dict().values(), before.values(), strict=True)
        return float(sum((a - b).abs().sum() for a, b in pairs)), likeness

    none, start = moved(LEAST)
    assert none == 0
    assert start.share == 0
    assert start.before == start.after
    assert start.wanted == LEAST
    whole, end = moved(1.0)  # more than can be had
    assert (end.share, end.wanted) == (1, 1.0)
    assert end.after > start.before + 0.05
    wanted = (2 * start.before + end.after) / 3
    part, middle = moved(wanted)
    assert 0 < middle.share < 1
    assert wanted <= middle.after < end.after
    assert 0 < part < whole
    monkeypatch.setattr(module, "ALIKE", 0.0)
    assert moved(1.0)[1].wanted == 0  # two who look alike are not driven apart
    for name, value in path.state_dict().items():
        assert torch.equal(value, before[name])  # a copy was moved


def test_a_likeness_out_of_its_range_is_named() -> None:
    for wrong in (-3.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match=r"likeness must lie in \[-2, 1\]"):
            photo_roles([], SwapSettings(), likeness=wrong)
    assert LEAST < MARGIN < 1


@pytest.mark.weights
def test_a_person_from_a_photo_meets_the_faces_unless_it_is_told_not_to(
    demo_frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "eva.png"
    cv2.imwrite(str(photo), demo_frames[0].image[..., ::-1])
    artist = Artist(filled_base(STUDIED, load_file(locate(CARDS[BASE]))))
    person, notes = sit([photo], Eyes.open(SwapSettings())), list[str]()
    for steps, likeness, asks in ((1, LEAST, False), (0, MARGIN, False), (1, -1.0, True)):
        swapper = tell_artist(artist, person, steps=steps, likeness=likeness, threads=1)
        assert isinstance(swapper, Meets) == asks
    assert isinstance(swapper, Meets)
    quiet: Any = {"progress": lambda _, k, n: None, "note": notes.append}
    assert swapper.meet([met()], SwapSettings(), **quiet) is swapper  # -1 is always had: nothing is moved, nothing compiled again
    assert notes[0].startswith("eva: a recogniser finds nine new faces in ten nearer to the source than ")
    monkeypatch.setattr(module, "ALIKE", 10.0)
    monkeypatch.setattr(module, "STEPS", 1)
    monkeypatch.setattr(module, "HALVINGS", 1)
    eager = tell_artist(artist, person, steps=1, likeness=1.0, threads=1)
    assert isinstance(eager, Meets)
    drawing = eager.meet([met()], SwapSettings(), **quiet)
    assert not isinstance(drawing, Meets)
    assert (drawing.person, drawing.size) == ("eva", 128)
    crops = met().crop[None]
    assert (drawing.swap(crops)[0] != eager.swap(crops)[0]).any()
