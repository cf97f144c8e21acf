"""Render true swaps of many virtual people: targets, sources, and the sources' inner faces on the targets' heads.

usage: python bench/tools/render_swaps.py RENDERER DATA OUT [--shards 20] [--first 0] [--people 100] [--leave-out 030,064]

RENDERER is the folder of the head renderer, DATA holds its `ict_facekit` and `identities_dev.npz`. Where the renderer's own `crops
--pairs` draw the source's whole head as the answer, these draw the swap itself: same head, hair, ears and neck, another inner face
in the target's skin tone, and what is before the face on top. Each shard has people of its own: three in ten as they are, others
mixed of two or three, evenly or region by region (both halves of the face alike), and their shapes pushed from the mean.
``--leave-out`` keeps people out of all that, for measurements; ``--only`` takes nobody else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE, COVERAGE, JITTER, QUALITY = 256, 0.6, 0.02, 92
PURE, SAME, HIDDEN = 0.3, 0.1, 0.12
"""Shares: of people as they are, of swaps with oneself, of swaps with something before the face."""
FACE = 768
"""Side of the face's part of a texture atlas."""


class People:
    """Draws virtual people. bank: of the renderer; names: whom they are made of."""

    def __init__(self, head: Any, bank: Any, names: list[str], identity: Any) -> None:
        self._head, self._bank, self._names, self._identity = head, bank, names, identity
        self._gender = {n: info.get("gender") for n, info in zip(bank.names, bank.info, strict=True)}
        self._mean = np.mean([bank[n].vertices for n in names], 0)
        height, width = bank[names[0]].atlas.shape[:2]
        at = np.clip(head.vertex_texel().astype(int), 0, [width - 1, height - 1])
        self._rows, self._columns, self._shape = at[:, 1], at[:, 0], (height, width)

    def draw(self, rng: np.random.Generator, name: str) -> Any:
        """Draw one."""
        if rng.random() < PURE:
            return self._bank[str(rng.choice(self._names))]
        first = str(rng.choice(self._names))
        alike = [n for n in self._names if n != first and (self._gender[n] == self._gender[first] or rng.random() < 0.15)]
        parts = [self._bank[n] for n in (first, *map(str, rng.choice(alike, int(rng.integers(1, 3)), replace=False)))]
        mixed = self._head.mix(parts, rng.dirichlet(np.full(len(parts), 4.0)), rng, name)
        vertices, atlas = mixed.vertices, mixed.atlas
        if rng.random() < 0.5:
            vertices, atlas = self._by_regions(parts, mixed, rng)
        pushed = self._mean + (vertices - self._mean) * rng.uniform(1.0, 1.35)
        return self._identity(name, pushed.astype(np.float32), atlas, {})

    def _by_regions(self, parts: list[Any], mixed: Any, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        weights = self._weights(len(parts), rng)
        vertices = sum(w[:, None] * p.vertices for w, p in zip(weights[:, self._rows, self._columns], parts, strict=True))
        atlas = sum(w[..., None] * p.atlas for w, p in zip(weights, parts, strict=True))
        kept = np.array(self._head.atlas_map("hair"))  # hair and eyeballs are one person's
        kept[:, FACE:] = 1
        gain = 1 + rng.normal(0, 0.05) + rng.normal(0, 0.012, 3)
        return np.asarray(vertices), np.clip((atlas * (1 - kept) + mixed.atlas * kept) * gain, 0, 255).astype(np.uint8)

    def _weights(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw smooth weights of some people (count, H, W), their sum 1 everywhere."""
        maps = np.empty((count, *self._shape), np.float32)
        for plane, small in zip(maps, rng.normal(0, 2.2, (count, 7, 4)).astype(np.float32), strict=True):
            half = cv2.resize(small, (FACE // 2, FACE), interpolation=cv2.INTER_CUBIC)
            plane[:] = small.mean()
            plane[:FACE, :FACE] = np.concatenate([half, half[:, ::-1]], axis=1)
        powers = np.exp(maps - maps.max(0))
        return np.asarray(powers / powers.sum(0), np.float32)


def main() -> None:
    """Render shards; those that are there already are kept."""
    given = arguments()
    cv2.setNumThreads(1)
    sys.path.insert(0, str(given.renderer))
    import crops  # type: ignore[import-not-found]
    import head as heads  # type: ignore[import-not-found]

    head = heads.MorphableHead(given.data / "ict_facekit")
    bank = heads.IdentityBank(given.data / "identities_dev.npz", head)
    apart, only = (set(filter(None, words.split(","))) for words in (given.leave_out, given.only))
    people = People(head, bank, [n for n in bank.names if n not in apart and (not only or n in only)], heads.Identity)
    maker = crops.CropMaker(head, bank, SIDE, "umeyama68", COVERAGE, JITTER, 2)
    given.out.mkdir(parents=True, exist_ok=True)
    for k in range(given.first, given.first + given.shards):
        path, rng = given.out / f"swaps_{k:04d}.npz", np.random.default_rng([7, k])
        if not path.exists():
            some = (
                [bank[n] for n in sorted(only)] if only else [people.draw(rng, f"mix{k:04d}_{j:03d}") for j in range(given.people)]
            )
            np.savez(path, **shard(maker, some, given.per_shard, rng))
            sys.stdout.write(f"{path}\n")


def shard(maker: Any, people: list[Any], count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Render some swaps of some people."""
    blobs: dict[str, list[NDArray[np.uint8]]] = {"jpeg": [], "truth": [], "source": []}
    points = []
    for _ in range(count):
        pictures, where = swap(maker, people, rng)
        points.append(where)
        for name, image in zip(blobs, pictures, strict=True):
            blobs[name].append(np.asarray(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]).ravel())
    out: dict[str, Any] = {"landmarks68": np.asarray(points, np.float32)}
    for name, data in blobs.items():
        out["jpeg" if name == "jpeg" else f"{name}_jpeg"] = np.concatenate(data)
        out[f"{name}_end"] = np.cumsum([len(d) for d in data])
    return out


def swap(maker: Any, people: list[Any], rng: np.random.Generator) -> tuple[tuple[Any, Any, Any], NDArray[np.float64]]:
    """Render one swap -> (target, truth, source), landmarks of the target."""
    from crops import crop_transform, snapshot
    from performance import make_backdrop  # type: ignore[import-not-found]
    from scene import OCCLUDERS, draw_occluder, frame_camera  # type: ignore[import-not-found]

    i, j = rng.choice(len(people), 2, replace=False)
    if rng.random() < SAME:
        j = i
    seeds = [int(n) for n in rng.integers(1 << 31, size=5)]
    act, other, noise = snapshot(seeds[0], rng), snapshot(seeds[1], rng), rng.normal(0, JITTER, 3)
    back, behind = make_backdrop(seeds[2], SIDE, SIDE), make_backdrop(seeds[3], SIDE, SIDE)
    target, _, points = maker.crop(people[i], act, 0, back, noise)
    truth = target
    if i != j:  # at the target's own place
        camera, renderer = frame_camera(1000), maker.renderer
        turned = renderer.geometry(people[i], act, 0)[0]
        m = crop_transform(renderer.landmarks(turned, camera), SIDE, "umeyama68", maker.template) * (1 + noise[0])
        m[:, 2] += SIDE * (noise[1:] - noise[0] / 2)
        to_crop = np.concatenate([m[:, :2] @ camera[:, :2], (m[:, :2] @ camera[:, 2] + m[:, 2])[:, None]], 1)
        both = maker.head.transplant(people[i], people[j])
        truth = renderer.draw(both, *renderer.geometry(both, act, 0), to_crop, back, act, 0)[0]
    if rng.random() < HIDDEN:
        target, hidden = draw_occluder(str(rng.choice(OCCLUDERS)), target, points, seeds[4])
        share = hidden[..., None].astype(np.float32) / 255
        truth = np.clip(target * share + truth * (1 - share) + 0.5, 0, 255).astype(np.uint8)
    source = maker.crop(people[j], other, 0, behind, rng.normal(0, JITTER, 3))[0]
    return (target, truth, source), points


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("renderer", "data", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--per-shard", type=int, default=250)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--only", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
