"""``bianlian train`` as a user runs it: stopped, killed, resumed."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main
from bianlian.swap.swapper import open_swapper
from bianlian.train.augment import GAN_REFERENCE, GENTLE
from bianlian.train.checkpoint import list_checkpoints, load_checkpoint, newest
from bianlian.train.cpu import best_precision
from bianlian.train.run import open_run
from bianlian.train.settings import TrainSettings
from faults import server
from made_faces import make_faceset
from slim_networks import slim_networks


@pytest.fixture
def facesets(tmp_path: Path) -> list[str]:
    return [str(make_faceset(tmp_path / name, name, hue=k, seed=k).path) for k, name in enumerate(("ana", "ben"))]


def command(facesets: list[str], run: Path, *more: str) -> list[str]:
    settings = ["--size", "64", "--width", "light", "--from", "scratch", "--batch", "1", "--preview-every", "1000"]
    return ["train", *facesets, "-o", str(run), *settings, *more]


def commanded(words: list[str], said: Path) -> None:
    """Run a command line in a process of its own, with slim networks; what it says goes into a file."""
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    with pytest.MonkeyPatch.context() as patch:
        slim_networks(patch)
        sys.exit(main(words))


def started(words: list[str], run: Path, said: Path) -> BaseProcess:
    """Start a training process and wait until it has taken a few steps."""
    process = server().Process(target=commanded, args=(words, said))
    process.start()
    until = time.monotonic() + 120
    while time.monotonic() < until and process.is_alive():
        if any(int(folder.name) > 0 for folder in list_checkpoints(run)):
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"no checkpoint came: {said.read_text()}")


@pytest.mark.slow
@pytest.mark.usefixtures("slim")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_exits_cleanly(number: int, tmp_path: Path, facesets: list[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "said"
    process = started(command(facesets, run, "--iterations", "100000", "--save-every", "3"), run, file)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    said = file.read_text()
    assert process.exitcode == 130, said
    assert "saved, go on with --resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    done = load_checkpoint(newest(run)).iteration
    assert f"iteration {done}" in said.splitlines()[-1]
    assert main(["train", "-o", str(run), "--resume", "--iterations", str(done + 1), "--no-evaluate"]) == 0
    assert load_checkpoint(newest(run)).iteration == done + 1


@pytest.mark.slow
@pytest.mark.usefixtures("slim")
def test_kill_9_never_loses_the_last_good_checkpoint(tmp_path: Path, facesets: list[str]) -> None:
    run = tmp_path / "run"
    process = started(command(facesets, run, "--iterations", "100000", "--save-every", "1"), run, tmp_path / "said")
    time.sleep(0.4)  # somewhere in the middle of saving: it saves after each step
    process.kill()
    process.join()
    done = load_checkpoint(newest(run)).iteration
    assert done >= 1
    assert main(["train", "-o", str(run), "--resume", "--iterations", str(done + 1), "--no-evaluate"]) == 0
    assert load_checkpoint(newest(run)).iteration == done + 1


@pytest.mark.usefixtures("slim")
def test_settings_are_filled_in_and_written_down(tmp_path: Path, facesets: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    words = ["train", *facesets, "-o", str(run), "--size", "64", "--width", "light", "--iterations", "1", "--batch", "2"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "no base ships for width light at 64 px" in err
    assert "memory: about" in err  # what it takes is said before it starts
    assert "weakest: " in out  # and both directions are judged at the end
    config = open_run(run)
    assert config.start == "scratch"
    assert config.settings == {"size": 64, "width": "light", "lr": 4e-4}
    assert config.training == TrainSettings()
    assert config.names == ("ana", "ben")
    assert config.people[0].consent == "drawn, nobody"


def test_new_people_start_from_the_base(tmp_path: Path, facesets: list[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", *facesets, "-o", str(run), "--iterations", "1", "--batch", "1", "--lr", "1e-9", "--no-evaluate"]) == 0
    assert open_run(run).start == "base"
    assert open_run(run).augment == GENTLE
    # The learning rate leaves the weights as they started: the encoder is the one that ships.
    from safetensors.torch import load_file

    from bianlian.weights import CARDS, locate

    base = load_file(locate(CARDS["base-light-128"]))
    ours = load_checkpoint(newest(run)).networks
    name = "encoder.squeeze.weight"
    assert float((ours[name] - base[name].float()).abs().max()) < 1e-6


def test_what_swaps_from_one_photo_is_tuned_to_one_person(tmp_path: Path, facesets: list[str]) -> None:
    run = tmp_path / "run"
    words = ["--from", "faceshifter", "--iterations", "1", "--batch", "1", "--lr", "1e-9", "--no-evaluate", "--no-score"]
    assert main(["train", facesets[0], "-o", str(run), *words]) == 0
    config = open_run(run)
    assert (config.model, config.start, config.names) == ("tuned", "base", ("ana",))
    assert config.settings["kept"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "96"], "there are: full 64, full 128, full 256, light 64"),
        (["--from", "nowhere.safetensors"], "takes base, scratch or a weights file"),
        (["--lr", "-1"], "lr must be above 0"),
        (["--batch", "0"], "batch must be 1 to 4096"),
        (["--minutes", "0"], "must be above 0"),
        (["--accumulate", "0"], "accumulate must be 1 to 1024"),
        (["--schedule", "cosine", "--minutes", "1"], "needs a planned end: give --iterations"),
        (["--snapshot-every", "-1"], "0 for none"),
        (["--size", "256", "--width", "full", "--batch", "4096"], "the largest that fits is --batch"),
        (["--model", "nets"], "known: deepfake"),
        (["--model", "faceshifter"], "one person's faceset is trained with --from faceshifter"),
        (["--model", "faceshifter", "--size", "256"], "--size is of training people on their facesets"),
        (["--model", "faceshifter", "--schedule", "cosine"], "falls at the end of --minutes"),
        (["--model", "faceshifter", "--set", "critic=true"], "unknown setting 'critic'"),
        (["--model", "faceshifter", "--minutes", "0"], "must be above 0"),
        (["--model", "gan", "--from", "faceshifter"], "makes the model tuned, got --model gan"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_written(
    words: list[str], message: str, tmp_path: Path, facesets: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *facesets, "-o", str(tmp_path / "run"), "--width", "light", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("cuda", "cpu_info", "expected"),
    [
        (True, "", "bf16-mixed"),
        (False, "flags : fpu avx512f avx512_bf16", "bf16-mixed"),
        (False, "flags : amx_bf16", "bf16-mixed"),
        (False, "flags : fpu avx512f avx512_vnni", "32-true"),
        (False, "", "32-true"),
    ],
)
def test_precision_follows_the_processor(cuda: bool, cpu_info: str, expected: str) -> None:
    assert best_precision(cuda, cpu_info) == expected


@pytest.mark.usefixtures("slim")
def test_a_gan_trains_resumes_and_swaps_with_its_own_settings(tmp_path: Path, facesets: list[str]) -> None:
    run = tmp_path / "run"
    more = ("--set", "perceptual=none", "weights.cycle=10", "judges=one", "--augment", "match=1.0", "denoise=true")
    assert main([*command(facesets, run, "--model", "gan", "--iterations", "1", "--no-evaluate"), *more]) == 0
    config = open_run(run)
    assert config.settings["weights"] == {"cycle": 10}
    assert (config.settings["iterations"], config.settings["schedule"], config.settings["lr"]) == (1, "reference", 2e-4)
    assert (config.augment.match, config.augment.denoise, config.augment.reach) == (1.0, True, GAN_REFERENCE.reach)
    assert main(["train", "-o", str(run), "--resume", "--iterations", "2", "--no-evaluate"]) == 0
    saved = load_checkpoint(newest(run))
    assert saved.iteration == 2
    weights = sum(len(g["params"]) for g in config.build().parameter_groups())
    assert len({key.partition(".")[0] for key in saved.optimizer}) == weights  # judges and artists alike
    faces, masks = open_swapper(run, "ana").swap(np.full((2, 64, 64, 3), 90, np.uint8))
    assert faces.shape == (2, 64, 64, 3)
    assert masks.shape == (2, 64, 64)
    assert 0 <= float(masks.min()) <= float(masks.max()) < 0.99  # a mask of its own
    assert float(masks.max()) < 0.5  # in which a grey picture is no face: the mask that ships is a part of it
    assert open_run(run).settings["visible"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "octave"), "NAME=VALUE"),
        (("--set", "octave=2"), "octave is the share"),
        (("--set", "colour=1"), "unknown setting 'colour'"),
        (("--augment", "match=3"), "probabilities"),
        (("--augment", "mach=1"), "unknown setting 'mach'"),
        (("--model", "vae"), "no model is called 'vae'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    words: tuple[str, ...], said: str, tmp_path: Path, facesets: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*command(facesets, run, "--iterations", "1"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (run / "run.toml").exists()
