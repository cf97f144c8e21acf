"""Real faces for tests: frames and short clips of the demo clips (rendered heads), a small run, and a head to render."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import settings

import bianlian
from bianlian.actors.bank import Bank
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.renderer import Renderer
from bianlian.train import start
from bianlian.train.loop import Limits, train
from bianlian.train.start import Choices
from bianlian.types import Frame, Image
from bianlian.video import VideoWriter, frames, probe
from made_faces import make_faceset
from made_head import write_made_people, write_model
from slim_networks import slim_networks

DEMO = Path(bianlian.__file__).parent / "data" / "demo"
INDICES = (0, 20, 40, 60, 80)
settings.register_profile("any machine", deadline=None)  # a busy one is slow, and that is no failure
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _own_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sign with an identity of the tests' own, not with the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIANLIAN_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def demo_frames() -> list[Frame]:
    """Five frames of the demo target, 512 x 512, with their index in the clip; one face each."""
    with av.open(str(DEMO / "target.mp4")) as container:
        pictures = enumerate(container.decode(video=0))
        return [Frame(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), k) for k, frame in pictures if k in INDICES]


@pytest.fixture(scope="session")
def face_image(demo_frames: list[Frame]) -> Image:
    """One picture, 512 x 512, with one upright face near its middle."""
    return demo_frames[0].image


def cut(source: Path, out: Path, count: int, first: int = 0) -> Path:
    """Write some frames of a clip, with their sound, as a clip of its own."""
    info = probe(source)
    stop = (first + count) * Fraction(1, 25)
    with VideoWriter(out, info, start=Fraction(first, 25), stop=stop) as writer:
        for frame in islice(frames(source, start=Fraction(first, 25), stop=stop), count):
            writer.write(frame)
    return out


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Short clips of the two virtual people: ``ana`` (30 frames) and ``ben`` (18 frames, with sound)."""
    folder = tmp_path_factory.mktemp("footage")
    return {
        "ana": cut(DEMO / "source.mp4", folder / "ana.mp4", 30),
        "ben": cut(DEMO / "target.mp4", folder / "ben.mp4", 18),
    }


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two drawn people that has taken two steps: it draws nothing anyone knows, but it swaps."""
    folder = tmp_path_factory.mktemp("trained")
    people = [make_faceset(folder / name, name, hue=k, seed=k) for k, name in enumerate(("ana", "ben"))]
    begun = start.begin(folder / "run", [p.path for p in people], Choices(size=64, width="light", start="scratch", batch=2))
    train(begun, folder / "run", Limits(iterations=2))
    return folder / "run"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a stand-in for the head model of ``actors``."""
    return write_model(tmp_path_factory.mktemp("model") / "ict")


@pytest.fixture(scope="session")
def people_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people on it: ana, ben and cleo."""
    return write_made_people(tmp_path_factory.mktemp("people") / "people.npz")


@pytest.fixture(scope="session")
def renderer(model_folder: Path) -> Renderer:
    """Draws them, with one sample a pixel."""
    return Renderer(Head(open_model(str(model_folder))), samples=1)


@pytest.fixture(scope="session")
def bank(renderer: Renderer, people_file: Path) -> Bank:
    """Those people, opened."""
    return Bank(people_file, renderer.head)


@pytest.fixture
def slim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Light networks of 64 px that are much narrower, in this process: see ``slim_networks``."""
    slim_networks(monkeypatch)


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
