"""Two processes under torchrun against one process with the doubled batch: the same losses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bianlian.cli import main
from bianlian.train.checkpoint import load_checkpoint, newest
from bianlian.train.processes import ALONE
from made_faces import make_faceset


def losses(run: Path) -> list[dict[str, float]]:
    return [json.loads(line)["losses"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path: Path) -> None:
    facesets = [str(make_faceset(tmp_path / name, name, hue=k, seed=k).path) for k, name in enumerate(("ana", "ben"))]
    settings = ["--size", "64", "--width", "light", "--from", "scratch", "--iterations", "11", "--no-evaluate"]
    assert main(["train", *facesets, "-o", str(tmp_path / "one"), *settings, "--batch", "4"]) == 0
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "bianlian"]
    command = [*start, "train", *facesets, "-o", str(tmp_path / "two"), *settings, "--batch", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("iteration 11 after") == 1  # only the first process speaks
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 2  # iterations 1 and 10, the second one the mean of nine steps
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-3)
    weights = [load_checkpoint(newest(tmp_path / name)).networks for name in ("one", "two")]
    # Adam divides by the size of a gradient, so near nothing rounding alone moves a weight by the rate of 4e-4 a step
    for name, value in weights[0].items():
        assert float((value - weights[1][name]).abs().max()) < 11 * 4e-4
        torch.testing.assert_close(value.mean(), weights[1][name].mean(), rtol=1e-2, atol=1e-4)


def test_a_process_alone_is_the_first_and_averages_nothing() -> None:
    tensor = torch.ones(3)
    ALONE.average([tensor])
    assert ALONE.first
    assert tensor.tolist() == [1, 1, 1]
    assert ALONE.any(True, torch.device("cpu"))
    assert not ALONE.any(False, torch.device("cpu"))
    assert ALONE.agree(0.25, torch.device("cpu")) == 0.25
