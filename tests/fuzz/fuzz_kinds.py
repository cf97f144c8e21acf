"""How each kind of input is read: as the commands do it, a step at a time, so that damage in one step does not hide another's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import torch
from fuzz_seeds import tiny

from bianlian.config import from_mapping, read_toml
from bianlian.errors import BianlianError
from bianlian.faceset.curate import cache, ledger
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.header import Header
from bianlian.faceset.rewrite import rewrite
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.score.made import made
from bianlian.swap.plan import describe, make_plan
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import read_tracks, write_tracks
from bianlian.swap.who import tell
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import fill, load_average, load_checkpoint, newest, restore_optimizer
from bianlian.train.log import RunLog
from bianlian.train.loop import Limits
from bianlian.train.run import open_run
from bianlian.types import silent
from bianlian.video import frames, open_writer, probe
from bianlian.video.deep import full
from bianlian.weights.sources import read_member

Read = Callable[[Path, str, Random], None]
"""Reads the input in a folder. The name: of the file that was bent. Raises nothing but BianlianError."""


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Let the errors that are meant for the user pass; each must say something, in text that can be printed."""
    try:
        yield
    except BianlianError as error:
        line = str(error)
        assert 10 < len(line) < 20_000, f"an error of {len(line)} letters"


def faceset(folder: Path, name: str, rng: Random) -> None:
    """Open it, stream its records, load its crops, draw a batch, read what curation left; now and then write to it."""
    with refusing():
        found = Faceset.open(folder)
        for record in islice(found.records(), 4):
            with refusing():
                found.load_crop(record)
        if rng.random() < 0.05:
            BatchMaker(People([found]), 64, 2, AugmentConfig(), 0).make(0)
    with refusing():
        cache.load(folder, silent)
    with refusing():
        ledger.load(folder)
    if rng.random() < 0.05:
        with refusing(), FacesetWriter(folder, Header("ana", 32, format="png")):
            pass
        with refusing():
            rewrite(folder, {0: "by hand", 1: None})


def tracks(folder: Path, name: str, rng: Random) -> None:
    """Read them, plan a swap by them, tell people apart, write them again."""
    with refusing():
        found = read_tracks(folder / "o.tracks.jsonl")
        describe(found)
        for chosen in (SwapSettings(), SwapSettings(faces="all", mask="face")):
            with refusing():
                make_plan(found, chosen, size=64, coverage=0.72)
        with refusing():
            tell(found, SwapSettings(who="person1"), None)
        with refusing():
            tell(found, SwapSettings(who="x.png"), np.full(8, 0.5))
        if rng.random() < 0.05:
            write_tracks(folder / "again.jsonl", found)


def report(folder: Path, name: str, rng: Random) -> None:
    """Read what lies beside an output."""
    with refusing():
        made(folder / "o.mp4", folder.parent / "outside" / "secret.txt", silent)


def run(folder: Path, name: str, rng: Random) -> None:
    """Open it, load its checkpoint into a network and an optimiser; now and then build its model and go on with its log."""
    with refusing():
        opened = open_run(folder)
        if rng.random() < 0.005 and len(opened.people) < 3:
            opened.build()
    with refusing():
        load_average(newest(folder))
    with refusing():
        saved = load_checkpoint(newest(folder))
        network = tiny()
        optimizer = torch.optim.Adam(network.parameters())
        fill(network, saved.networks, folder)
        fill(network, saved.average, folder)
        restore_optimizer(optimizer, saved.optimizer)
        network(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    if name == "metrics.jsonl" and rng.random() < 0.1:
        with refusing():
            RunLog(folder, 1).close()


_SETTINGS: Mapping[str, type] = {
    "augment.toml": AugmentConfig,
    "model.toml": DeepfakeConfig,
    "limits.toml": Limits,
    "swap.toml": SwapSettings,
    "curate.toml": CurateSettings,
}


def settings(folder: Path, name: str, rng: Random) -> None:
    """Read a TOML file into its dataclass."""
    with refusing():
        from_mapping(_SETTINGS[name], read_toml(folder / name), name)


def media(folder: Path, name: str, rng: Random) -> None:
    """Probe it, decode it, now and then write it again with all that it carries."""
    path = folder / name
    with refusing():
        info = probe(path)
        with refusing():
            for frame in islice(frames(path), 40):
                assert frame.image.shape[2] == 3
                with refusing():
                    assert full(frame).shape == frame.image.shape
        if rng.random() < 0.05:
            out = folder / f"out{'.mkv' if info.kind == 'video' else '.png'}"
            with refusing(), open_writer(out, info) as writer:
                for frame in islice(frames(path), 10):
                    writer.write(frame)


def archive(folder: Path, name: str, rng: Random) -> None:
    """Read a member, and no more of it than was asked for."""
    with refusing():
        assert len(read_member(folder / name, "p/weights.bin", 1024)) <= 1025


def planted(folder: Path, name: str, rng: Random) -> None:
    """Do what no reader may: proof that it would be seen."""
    if (folder / name).read_bytes() == b"sound":
        return
    if name == "raise":
        raise KeyError("planted")
    if name == "write":
        (folder.parent / "outside" / "new.txt").write_text("planted")
    elif name == "eat":
        np.ones(int(2.3e9), np.uint8).sum()


def fatal(folder: Path, name: str, rng: Random) -> None:
    """Die, but not of sound input."""
    if (folder / name).read_bytes() != b"sound":
        os.abort()


KINDS: Mapping[str, tuple[Read, float]] = {
    "faceset": (faceset, 0.24),
    "tracks": (tracks, 0.2),
    "report": (report, 0.04),
    "run": (run, 0.16),
    "settings": (settings, 0.14),
    "picture": (media, 0.14),
    "video": (media, 0.05),
    "archive": (archive, 0.03),
    "planted": (planted, 0.0),
    "fatal": (fatal, 0.0),
}
"""Reader of each kind, and its share of all inputs; the last two are for the harness' own test."""
