"""Train the base on true swaps: the face of one picture in the pose of another, against the exact answer.

Each example is changed at random, so that what was rendered serves footage: the light (gain of each channel and gamma, the same on
the pose and on the answer, another one on the portrait), the alignment, and the sharpness of what is looked at (small faces,
compression, noise; the answer stays sharp). A quarter of the examples ask for the person who is seen already.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from bianlian.files import replacing
from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import IDENTITY_SIDE, Base
from bianlian.model.blocks import init_weights
from bianlian.train.batches import AHEAD, to_tensor
from bianlian.train.cpu import keep_memory
from bianlian.train.pairs import PAIR_SIZE, WEIGHT_STEPS, Pairs
from bianlian.types import Image, Matrix

SAME_PERSON = 0.25
"""Share of examples whose answer is the person in the picture itself."""
AVERAGE = 0.998
SAVE_EVERY = 300


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of pretraining. size, width: of the model that will start from it. minutes: of this call."""

    size: int = 128
    width: str = "light"
    batch: int = 16
    lr: float = 5e-4
    minutes: float = 120.0
    seed: int = 0


Watch = Callable[[int, float, dict[str, float]], None]


def pretrain(
    pairs: Pairs, out: Path, config: PretrainConfig, *, stop: Callable[[], bool] = lambda: False, watch: Watch | None = None
) -> int:
    """Train the base -> iterations done; ``out`` gets the averaged weights in half precision, ``out`` + ``.state`` the rest.

    Goes on from ``out.state`` when that is there. The learning rate falls along a cosine in the second half of the minutes.
    """
    keep_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = DeepfakeConfig(size=config.size, width=config.width)
    base, iteration = _start(out, model, config.seed)
    base.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(base)
    optimizer = torch.optim.Adam(base.parameters(), lr=config.lr, betas=(0.5, 0.999), fused=True)
    first, began, sums = iteration, monotonic(), dict[str, float]()
    with closing(_batches(pairs, config, iteration)) as batches:
        while monotonic() - began < 60 * config.minutes and not stop():
            rate = _rate(iteration - first, (monotonic() - began) / 60 / config.minutes)
            for group in optimizer.param_groups:
                group["lr"] = config.lr * rate
            pose_from, face_of, truth, weight = (t.to(device) for t in next(batches))
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                drawn = base(pose_from, face_of)
            losses = reconstruction_losses(model, drawn, truth, weight)
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(base.parameters(), 1.0)
            optimizer.step()
            iteration += 1
            _follow(average, base, iteration - first)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / 50
            if iteration % 50 == 0 and watch is not None:
                watch(iteration, monotonic() - began, sums)
                sums = {}
            if iteration % SAVE_EVERY == 0:
                _save(out, base, average, iteration)
    _save(out, base, average, iteration)
    return iteration


def _start(out: Path, model: DeepfakeConfig, seed: int) -> tuple[Base, int]:
    base, state = Base(model), out.with_name(out.name + ".state")
    init_weights(base, torch.Generator().manual_seed(seed))
    if not state.exists():
        return base, 0
    tensors = load_file(state)
    iteration = int(tensors.pop("iteration"))
    base.load_state_dict(tensors)
    return base, iteration


def _save(out: Path, base: Base, average: Base, iteration: int) -> None:
    with replacing(out) as path:
        save_file({k: v.detach().cpu().half().contiguous() for k, v in average.state_dict().items()}, path)
    with replacing(out.with_name(out.name + ".state")) as path:
        state = {k: v.detach().cpu().contiguous() for k, v in base.state_dict().items()}
        save_file({**state, "iteration": torch.tensor(iteration)}, path)


def _rate(done: int, share: float) -> float:
    warm = min(1.0, (done + 1) / 100)
    return warm if share < 0.5 else warm * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, 2 * share - 1))))


def _follow(average: Base, base: Base, done: int) -> None:
    stays = min(AVERAGE, done / (done + 20))
    with torch.no_grad():
        theirs = base.state_dict()
        for name, value in average.state_dict().items():
            value.lerp_(theirs[name], 1 - stays)


def _batches(pairs: Pairs, config: PretrainConfig, start: int) -> Generator[tuple[Tensor, ...], None, None]:
    """Make batches ahead in threads, each fixed by (seed, iteration)."""

    def make(iteration: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([config.seed, iteration])
        rows = [example(pairs[int(rng.integers(len(pairs)))], config.size, rng) for _ in range(config.batch)]
        pose_from, face_of, truth, weight = (np.stack(column) for column in zip(*rows, strict=True))
        scaled = torch.from_numpy(weight)[:, None].float() / WEIGHT_STEPS
        return to_tensor(pose_from), to_tensor(face_of), to_tensor(truth), scaled

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        waiting: list[Future[tuple[Tensor, ...]]] = [pool.submit(make, start + k) for k in range(2 * AHEAD)]
        iteration = start + len(waiting)
        while True:
            ready = waiting.pop(0).result()
            waiting.append(pool.submit(make, iteration))
            iteration += 1
            yield ready


def example(row: tuple[NDArray[np.uint8], ...], size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Change one triple at random -> pose_from (S, S, 3), face_of (64, 64, 3), truth (S, S, 3), weight (S, S), all uint8."""
    pose_from, face_of, truth, weight = row
    if rng.random() < SAME_PERSON:
        pose_from = truth
    if rng.random() < 0.5:
        pose_from, truth, weight = (np.ascontiguousarray(x[:, ::-1]) for x in (pose_from, truth, weight))
    if rng.random() < 0.5:
        face_of = np.ascontiguousarray(face_of[:, ::-1])
    place = _place(size, rng, 0.5)
    misplaced = place.copy()
    misplaced[:, 2] += rng.normal(0, 0.01 * size, 2)
    light = _light(rng)
    seen = cv2.LUT(_cut(pose_from, misplaced, size), light)
    seen = _degrade(_bend(np.asarray(seen, np.uint8), rng) if rng.random() < 0.5 else np.asarray(seen, np.uint8), rng)
    answer = np.asarray(cv2.LUT(_cut(truth, place, size), light), np.uint8)
    portrait = np.asarray(cv2.LUT(_cut(face_of, _place(size, rng, 1.0), size), _light(rng)), np.uint8)
    small = cv2.resize(_degrade(portrait, rng), (IDENTITY_SIDE, IDENTITY_SIDE), interpolation=cv2.INTER_AREA)
    return seen, np.asarray(small, np.uint8), answer, _cut(weight, place, size)


def _place(size: int, rng: np.random.Generator, reach: float) -> Matrix:
    angle, zoom = np.radians(rng.normal(0, 3.5 * reach)), np.exp(rng.normal(0, 0.035 * reach)) * size / 128
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (size - 1) / 2 + rng.normal(0, 0.018 * size * reach, 2)
    return np.concatenate([turn, (middle - turn @ np.full(2, (PAIR_SIZE - 1) / 2))[:, None]], axis=1)


def _cut(image: NDArray[np.uint8], to_from: Matrix, size: int) -> NDArray[np.uint8]:
    out = cv2.warpAffine(image, to_from, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _light(rng: np.random.Generator) -> NDArray[np.uint8]:
    gain, lift, gamma = rng.normal(1, 0.04, 3) * rng.normal(1, 0.07), rng.normal(0, 5, 3), np.exp(rng.normal(0, 0.12))
    curve = (np.arange(256) / 255.0) ** gamma * 255
    return np.asarray(np.clip(curve[:, None] * gain + lift, 0, 255), np.uint8)[None]


def _bend(image: Image, rng: np.random.Generator) -> Image:
    side = len(image)
    push = cv2.resize(rng.normal(0, 2 * side / 128, (5, 5, 2)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    bent = cv2.remap(image, x + push[..., 0], y + push[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.uint8)


def _degrade(image: Image, rng: np.random.Generator) -> Image:
    side, kind = len(image), rng.random()
    out: NDArray[np.generic] = image
    if kind < 0.25:
        small = int(side * rng.uniform(0.3, 0.8))
        out = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (side, side))
    elif kind < 0.4:
        out = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2))
    if rng.random() < 0.3:
        data = cv2.imencode(".jpg", np.asarray(out, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 85))])[1]
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 8), image.shape)
        out = np.clip(np.asarray(out, np.float64) + noise, 0, 255).astype(np.uint8)
    return np.asarray(out, np.uint8)
