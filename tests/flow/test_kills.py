"""SIGKILL at random moments of extract, train and swap: what was said to be saved is there, and the same command goes on.

``BIANLIAN_KILLS`` says how often each is killed (``make faults``).
"""

from __future__ import annotations

from pathlib import Path

import faults
import numpy as np
import pytest
import torch
from faceset_fakes import DrawnDetector, DrawnLandmarker, contents, draw, walk, write_png, write_video
from faults import TIMES, finished, killed, moments, server
from swap_scene import HueDescriber, RedDetector, RedLandmarker, Tint, decoded, movie, picture

from bianlian import plugins
from bianlian.errors import RunError
from bianlian.faceset.extract import extract
from bianlian.faceset.store import Faceset
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.train import start
from bianlian.train.checkpoint import list_checkpoints, load_checkpoint, newest
from bianlian.train.loop import Limits, train
from bianlian.train.start import Choices
from bianlian.video import Encoding
from made_faces import make_faceset

LOSSLESS = SwapSettings(encoding=Encoding(codec="ffv1"), color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0)


def cut_faces(inputs: list[Path], out: Path) -> None:
    """Extract drawn faces, every frame."""
    extract(inputs, "ana", out, detector=DrawnDetector(), landmarker=DrawnLandmarker(), every=1, size=64)


def learn(folder: Path, people: list[Path], iterations: int) -> None:
    """Begin or go on with a run, as the command does."""
    torch.set_num_threads(1)
    if (folder / "run.toml").exists():
        begun = start.resume(folder, [])
    else:
        begun = start.begin(folder, people, Choices(size=64, width="light", start="scratch", batch=1, precision="32-true"))
    train(begun, folder, Limits(iterations=iterations, preview_every=3, save_every=2, log_every=1))


def put_face(target: Path, out: Path) -> None:
    """Swap in the world of red discs."""
    real, fakes = plugins.load, {"detector": RedDetector, "landmarker": RedLandmarker, "describer": HueDescriber}
    plugins.load = lambda kind, name: fakes[kind] if kind in fakes else real(kind, name)
    swap(target, Tint(), out, LOSSLESS)


def test_extract_killed_again_and_again_ends_as_an_unbroken_run(tmp_path: Path) -> None:
    inputs = [
        write_png(tmp_path / "a.png", draw((70, 60, 44))),
        write_video(tmp_path / "b.mp4", [*walk(20), draw(), draw((40, 60, 44), (110, 60, 50)), *walk(20, 20)]),
        write_video(tmp_path / "c.mp4", walk(10)),
    ]
    context, out = server(), tmp_path / "faces"
    finished(context, cut_faces, (inputs, tmp_path / "warm"))  # starts the server
    whole = finished(context, cut_faces, (inputs, tmp_path / "unbroken"))
    for moment in moments(whole, seed=1):
        killed(context, cut_faces, (inputs, out), moment)
        if (out / "faceset.json").exists() and (out / "crops").is_dir():
            for record in (faceset := Faceset.open(out)).records():  # what it says it holds, it holds
                faceset.load_crop(record)
    finished(context, cut_faces, (inputs, out))
    sound = {name: data for name, data in contents(out).items() if not Path(name).name.startswith(".")}
    assert sound == contents(tmp_path / "unbroken")


def test_train_killed_again_and_again_ends_bit_for_bit_as_an_unbroken_run(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k).path for k, name in enumerate(("ana", "ben"))]
    context, out, steps = server(), tmp_path / "run", 12
    whole = finished(context, learn, (tmp_path / "unbroken", people, steps))
    last = 0
    for moment in moments(whole, seed=2):
        killed(context, learn, (out, people, steps), moment)
        for folder in list_checkpoints(out):
            load_checkpoint(folder)
        now = int(newest(out).name) if list_checkpoints(out) else 0
        assert now >= last, "a checkpoint that was there is gone"
        last = now
    finished(context, learn, (out, people, steps))
    one, other = load_checkpoint(newest(out)), load_checkpoint(newest(tmp_path / "unbroken"))
    assert one.iteration == other.iteration == steps
    for mine, theirs in ((one.networks, other.networks), (one.average, other.average), (one.optimizer, other.optimizer)):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    lines = [(run / "metrics.jsonl").read_text().count('"iteration"') for run in (out, tmp_path / "unbroken")]
    assert lines[0] == lines[1] == steps
    assert not [p for p in (out / "checkpoints").iterdir() if p.name.startswith(".")], "a killed run's part is left"


def test_swap_killed_at_any_moment_leaves_no_half_output_and_the_next_run_gives_a_whole_one(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [picture((50 + k, 60), seed=k) for k in range(40)])
    context, out = server(), tmp_path / "out" / "o.mkv"
    whole = finished(context, put_face, (target, tmp_path / "unbroken.mkv"))
    expected, times = decoded(tmp_path / "unbroken.mkv")
    for moment in moments(whole, seed=3):
        killed(context, put_face, (target, out), moment)
        if out.exists():  # under its own name it is whole
            assert decoded(out)[1] == times
    finished(context, put_face, (target, out))
    found, found_times = decoded(out)
    assert found_times == times
    np.testing.assert_array_equal(np.stack(found), np.stack(expected))
    assert {"o.mkv", "o.json", "o.tracks.jsonl"} <= faults.names(out.parent)


def test_a_run_killed_before_its_first_checkpoint_begins_anew_and_one_in_use_is_left_alone(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k).path for k, name in enumerate(("ana", "ben"))]
    out = tmp_path / "run"
    out.mkdir()
    (out / ".0123456789ab.part.toml").write_text("half a lin")  # killed while it wrote its settings
    begun = start.begin(out, people, Choices(size=64, width="light", start="scratch", batch=1))
    again = start.resume(out, [])
    assert (again.resumed, again.run) == (False, begun.run)
    with pytest.raises(RunError, match="no checkpoint yet"):
        newest(out)
    train(again, out, Limits(iterations=1))
    assert int(newest(out).name) == 1
    assert not (out / ".0123456789ab.part.toml").exists()


def test_the_number_of_kills_is_spread_over_the_whole_run() -> None:
    drawn = moments(10.0, seed=1)
    assert len(drawn) == TIMES
    assert all(10 * k / TIMES <= moment <= 10 * (k + 1) / TIMES for k, moment in enumerate(drawn))
