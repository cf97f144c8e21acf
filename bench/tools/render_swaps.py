"""Render true swaps of many virtual people: targets, sources, and the sources' inner faces on the targets' heads.

usage: python bench/tools/render_swaps.py PEOPLE.npz OUT [--ict ICT] [--shards 20] [--first 0] [--cores 1] [--people 100]
       [--leave-out 030,064]

PEOPLE is what `bianlian actors fit` writes; --ict or BIANLIAN_ICT is the head model. Where `bianlian actors crops --pairs` draws
the source's whole head as the answer, these draw the swap itself: same head, hair, ears and neck, another inner face in the
target's skin tone, and what is before the face on top. Each shard has people of its own: three in ten as they are, others mixed
of two or three, evenly or region by region (both halves of the face alike), and their shapes pushed from the mean. ``--leave-
out`` keeps people out of all that, for measurements; ``--only`` takes nobody else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor, mix, swapped
from bianlian.actors.backdrop import backdrop
from bianlian.actors.bank import Bank
from bianlian.actors.crops import CropMaker, CropSettings
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.layout import ATLAS_HEIGHT, ATLAS_WIDTH, FACE_TILE
from bianlian.actors.occluders import OCCLUDERS, occlude
from bianlian.actors.performance import snapshot
from bianlian.actors.renderer import Renderer
from bianlian.files import replacing
from bianlian.types import Image, Points

SIDE, COVERAGE, JITTER, QUALITY = 256, 0.6, 0.02, 92
PURE, SAME, HIDDEN = 0.3, 0.1, 0.12
"""Shares: of people as they are, of swaps with oneself, of swaps with something before the face."""


class People:
    """Draws virtual people. names: whom they are made of."""

    def __init__(self, bank: Bank, names: Sequence[str]) -> None:
        self._bank, self._names = bank, names
        self._gender = {n: info.get("gender") for n, info in zip(bank.names, bank.info, strict=True)}
        self._mean = np.mean([bank.person(n).vertices for n in names], 0)
        at = np.clip(bank.head.atlas.texel.astype(int), 0, [ATLAS_WIDTH - 1, ATLAS_HEIGHT - 1])
        self._rows, self._columns = at[:, 1], at[:, 0]

    def draw(self, rng: np.random.Generator, name: str) -> Actor:
        """Draw one."""
        if rng.random() < PURE:
            return self._bank.person(str(rng.choice(self._names)))
        first = str(rng.choice(self._names))
        alike = [n for n in self._names if n != first and (self._gender[n] == self._gender[first] or rng.random() < 0.15)]
        parts = [self._bank.person(n) for n in (first, *map(str, rng.choice(alike, int(rng.integers(1, 3)), replace=False)))]
        mixed = mix(self._bank.head, parts, rng.dirichlet(np.full(len(parts), 4.0)).tolist(), name, rng)
        vertices, texture = mixed.vertices, mixed.texture
        if rng.random() < 0.5:
            vertices, texture = self._by_regions(parts, mixed, rng)
        pushed = self._mean + (vertices - self._mean) * rng.uniform(1.0, 1.35)
        return Actor(name, np.asarray(pushed, np.float32), texture)

    def _by_regions(
        self, parts: list[Actor], mixed: Actor, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        weights = self._weights(len(parts), rng)
        at = weights[:, self._rows, self._columns]
        vertices = np.sum([w[:, None] * p.vertices for w, p in zip(at, parts, strict=True)], axis=0)
        texture = np.sum([w[..., None] * p.texture for w, p in zip(weights, parts, strict=True)], axis=0)
        kept = self._bank.head.atlas.hair_texels.copy()  # hair and eyeballs are one person's
        kept[:, FACE_TILE:] = 1
        gain = 1 + rng.normal(0, 0.05) + rng.normal(0, 0.012, 3)
        toned = np.clip((texture * (1 - kept) + mixed.texture * kept) * gain, 0, 255)
        return np.asarray(vertices, np.float32), np.asarray(toned, np.uint8)

    def _weights(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw smooth weights of some people (count, H, W), their sum 1 everywhere."""
        maps = np.empty((count, ATLAS_HEIGHT, ATLAS_WIDTH), np.float32)
        for plane, small in zip(maps, rng.normal(0, 2.2, (count, 7, 4)).astype(np.float32), strict=True):
            half = cv2.resize(small, (FACE_TILE // 2, FACE_TILE), interpolation=cv2.INTER_CUBIC)
            plane[:] = small.mean()
            plane[:FACE_TILE, :FACE_TILE] = np.concatenate([half, half[:, ::-1]], axis=1)
        powers = np.exp(maps - maps.max(0))
        return np.asarray(powers / powers.sum(0), np.float32)


def main() -> None:
    """Render shards; those that are there already are kept."""
    given = arguments()
    numbers = range(given.first, given.first + given.shards)
    parts = [numbers[k :: given.cores] for k in range(min(given.cores, len(numbers)))]
    processes = [get_context("spawn").Process(target=render, args=(given, part)) for part in parts[1:]]
    for process in processes:
        process.start()
    render(given, parts[0])
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("not all shards were rendered; the same command goes on")


def render(given: argparse.Namespace, numbers: Sequence[int]) -> None:
    """Render some shards on one core."""
    cv2.setNumThreads(1)
    renderer = Renderer(Head(open_model(given.ict)))
    bank = Bank(given.people_file, renderer.head)
    apart, only = (set(filter(None, words.split(","))) for words in (given.leave_out, given.only))
    people = People(bank, [n for n in bank.names if n not in apart and (not only or n in only)])
    maker = CropMaker(renderer, CropSettings(size=SIDE, align="umeyama68", coverage=COVERAGE, jitter=JITTER))
    for k in numbers:
        path, rng = given.out / f"swaps_{k:04d}.npz", np.random.default_rng([7, k])
        if not path.exists():
            drawn = [bank.person(n) for n in sorted(only)]
            some = drawn or [people.draw(rng, f"mix{k:04d}_{j:03d}") for j in range(given.people)]
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, **shard(maker, some, given.per_shard, rng))  # type: ignore[arg-type]
            sys.stdout.write(f"{path}\n")


def shard(maker: CropMaker, people: list[Actor], count: int, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """Render some swaps of some people."""
    blobs: dict[str, list[NDArray[np.uint8]]] = {"jpeg": [], "truth": [], "source": []}
    points = []
    for _ in range(count):
        pictures, where = swap(maker, people, rng)
        points.append(where)
        for name, image in zip(blobs, pictures, strict=True):
            code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            blobs[name].append(np.asarray(code).ravel())
    out: dict[str, NDArray[np.generic]] = {"landmarks68": np.asarray(points, np.float32)}
    for name, data in blobs.items():
        out["jpeg" if name == "jpeg" else f"{name}_jpeg"] = np.concatenate(data)
        out[f"{name}_end"] = np.cumsum([len(d) for d in data])
    return out


def swap(maker: CropMaker, people: list[Actor], rng: np.random.Generator) -> tuple[tuple[Image, Image, Image], Points]:
    """Render one swap -> (target, truth, source), landmarks of the target."""
    i, j = (int(k) for k in rng.choice(len(people), 2, replace=False))
    if rng.random() < SAME:
        j = i
    seeds = [int(n) for n in rng.integers(1 << 31, size=5)]
    act, other, noise = snapshot(np.random.default_rng(seeds[0])), snapshot(np.random.default_rng(seeds[1])), maker.noise(rng)
    back, behind = backdrop(seeds[2], SIDE, SIDE), backdrop(seeds[3], SIDE, SIDE)
    target, _, points = maker.crop(people[i], act, back, noise)
    truth, renderer = target, maker.renderer
    if i != j:  # at the target's own place
        camera = maker.camera(renderer.pose(people[i], act, 0), noise)
        both = swapped(renderer.head, people[i], people[j])
        truth = renderer.draw(renderer.pose(both, act, 0), camera, back, act, 0)[0]
    if rng.random() < HIDDEN:
        target, hidden = occlude(str(rng.choice(OCCLUDERS)), target, points, seeds[4])
        share = hidden[..., None].astype(np.float32) / 255
        truth = np.asarray(np.clip(target * share + truth * (1 - share) + 0.5, 0, 255), np.uint8)
    source = maker.crop(people[j], other, behind, maker.noise(rng))[0]
    return (target, truth, source), points


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people_file", metavar="PEOPLE.npz", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--ict")
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cores", type=int, default=1, help="processes that render at a time")
    parser.add_argument("--per-shard", type=int, default=250)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--only", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
