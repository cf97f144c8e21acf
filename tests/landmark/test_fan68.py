"""The face alignment network, with a stand-in for its package and its weights: loading, places, presence, what is said."""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bianlian.errors import ConfigError, PluginError, TermsWarning, WeightsError
from bianlian.geometry import apply, compose, invert
from bianlian.landmark import fan68
from bianlian.landmark._upright import head_from_points
from bianlian.landmark.fan68 import CELLS, Fan68, peaks
from bianlian.landmark.pose import HEAD68
from bianlian.landmark.schemes import convert
from bianlian.types import Face, Landmarks
from bianlian.weights.cards import EXTRA_CARDS

FRONT = np.array(HEAD68)[:, :2]


class Standin(torch.nn.Module):
    """In place of the package's network: heat maps from its weights, as high as the picture is bright; the last ones count."""

    def __init__(self, num_modules: int) -> None:
        super().__init__()
        assert num_modules == 4
        self.maps = torch.nn.Parameter(torch.zeros(68, CELLS, CELLS))

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        bright = pictures.mean(dim=(1, 2, 3))[:, None, None, None]
        return [torch.zeros(1), bright * self.maps[None]]


def bumps(places: np.ndarray) -> torch.Tensor:
    """Gaussians of one cell around places (N, 2) in cells -> (N, CELLS, CELLS)."""
    y, x = np.mgrid[:CELLS, :CELLS]
    apart = (x - places[:, :1, None]) ** 2 + (y - places[:, 1:, None]) ** 2
    return torch.from_numpy(np.exp(-apart / 2).astype(np.float32))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package face-alignment with the stand-in network."""
    models = types.ModuleType("face_alignment.models")
    models.FAN = Standin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "face_alignment", types.ModuleType("face_alignment"))
    monkeypatch.setitem(sys.modules, "face_alignment.models", models)


def offer(monkeypatch: pytest.MonkeyPatch, folder: Path, write: object) -> None:
    """Put a weights file into a cache of its own and let its card know its size and sha256."""
    monkeypatch.setenv("BIANLIAN_CACHE", str(folder))
    path = folder / "fan.pth.tar"
    if isinstance(write, bytes):
        path.write_bytes(write)
    else:
        torch.save(write, path, _use_new_zipfile_serialization=False)  # the old layout, as the real file has it
    data = path.read_bytes()
    card = replace(EXTRA_CARDS["fan_68"], file=path.name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(fan68, "EXTRA_CARDS", {"fan_68": card})


@pytest.fixture
def landmarker(installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fan68:
    """The network sees the mean head where its picture puts it."""
    net = Standin(4)
    cells = (apply(fan68._SQUARE, FRONT) - 1.5) / 4
    offer(monkeypatch, tmp_path, {"maps": bumps(cells)} | {k: v for k, v in net.state_dict().items() if k != "maps"})
    with pytest.warns(TermsWarning, match="fan_68 .*non-commercial"):
        return Fan68()


@pytest.mark.parametrize("degrees", [0.0, 90.0, 180.0, -60.0])
def test_peaks_come_back_to_the_frame(landmarker: Fan68, degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = FRONT @ (150 * turn).T + [200, 180]
    five = convert(Landmarks(points, "ibug68"), "five")
    (face,) = landmarker.mark(np.full((400, 400, 3), 255, np.uint8), [Face(np.array([100.0, 100.0, 300.0, 300.0]), 0.7, five)])
    assert face is not None
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks.points, points, atol=0.05)
    assert face.score == 0.7


def test_low_peaks_are_no_face(landmarker: Fan68) -> None:
    for level, seen in ((20, False), (120, True)):  # heights of 20/255 and 120/255 against the presence of 0.2
        (face,) = landmarker.mark(np.full((90, 90, 3), level, np.uint8), [Face(np.array([20.0, 20.0, 70.0, 70.0]), 0.7)])
        assert (face is not None) == seen


def test_the_mirrored_picture_counts_as_much(installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A network that puts every point 0.4 cells too far to the right does so in the mirror too: there it is to the left."""
    offer(monkeypatch, tmp_path, {"maps": bumps((apply(fan68._SQUARE, FRONT) - 1.5) / 4 + [0.4, 0.0])})
    with pytest.warns(TermsWarning):
        found = Fan68(passes=1)
    points = FRONT * 150 + [200, 180]
    box = np.array([100.0, 100.0, 300.0, 300.0])
    (face,) = found.mark(np.full((400, 400, 3), 255, np.uint8), [Face(box, 1.0, Landmarks(points, "ibug68"))])
    assert face is not None
    assert face.landmarks is not None
    # 0.4 cells are 1.9 pixels here; the mean of two bumps 0.8 cells apart has its peak half way, but is no Gaussian any more
    np.testing.assert_allclose(face.landmarks.points, points, atol=0.25)


def test_peaks_between_cells_are_found_exactly() -> None:
    places = np.random.default_rng(0).uniform(2, CELLS - 3, (68, 2))
    found, heights = peaks(bumps(places).numpy())
    np.testing.assert_allclose(found, places, atol=1e-3)
    assert (heights > 0.7).all()  # exp(-(0.5^2 + 0.5^2) / 2) = 0.78 where the peak lies between four cells


def test_peaks_on_the_edge_and_flat_maps_do_no_harm() -> None:
    corner = bumps(np.array([[0.0, 0.0], [CELLS - 1.0, 5.0]])).numpy()
    np.testing.assert_allclose(peaks(corner)[0], [[0, 0], [CELLS - 1, 5]], atol=1e-3)
    places, heights = peaks(np.zeros((3, CELLS, CELLS), np.float32))
    assert np.isfinite(places).all()
    assert (heights == 0).all()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment.models", None)
    with pytest.raises(PluginError, match=r"pip install 'bianlian\[fan68\]' && pip install --no-deps 'face-alignment"):
        Fan68()


class Trap:
    """Runs code when it is unpickled the common way."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (sys.exit, ("code ran",))


@pytest.mark.parametrize("content", [b"no weights", {"maps": torch.zeros(3)}, {"other": torch.zeros(3)}, {"maps": Trap()}])
def test_other_files_are_refused_and_run_no_code(
    installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: object
) -> None:
    offer(monkeypatch, tmp_path, content)
    with pytest.raises(WeightsError, match="does not hold this network's weights"):
        Fan68()


@pytest.mark.parametrize(("setting", "named"), [({"presence": 2.0}, "presence"), ({"passes": 0}, "passes")])
def test_settings_out_of_range_are_refused(setting: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Fan68(**setting)  # type: ignore[arg-type]


def test_convention_the_picture_is_that_of_the_paper() -> None:
    """By the box around the points: side 200/195 of the sum of its sides, middle 12 % of its height above its middle."""
    low, high = FRONT.min(0), FRONT.max(0)
    side, middle = 200 / 195 * (high - low).sum(), (low + high) / 2 - [0, 0.12 * (high - low)[1]]
    corners = apply(invert(fan68._SQUARE), [[-0.5, -0.5], [255.5, 255.5]])
    np.testing.assert_allclose(corners[1] - corners[0], side, rtol=0.01)
    np.testing.assert_allclose(corners.mean(0), middle, atol=0.01)
    points = Landmarks(FRONT * 90 + 50, "ibug68")
    whole = compose(fan68._SQUARE, head_from_points(points))
    assert whole[0, 0] == pytest.approx(fan68._SQUARE[0, 0] / 90)
