"""Which vertex of the head model lies under each point of the face mesh: prints the table of ``bianlian.actors.photo``.

usage: python bench/tools/mesh_map.py ICT PEOPLE.npz [--frames 240] [--check]

Heads of known geometry are rendered with their mouths shut and turned up to 15 degrees, the mesh is found in each, and each of its
points is given the vertex whose place it marks with the least mean distance. Prints that distance too, in % of the eye distance.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from bianlian.actors.backdrop import backdrop
from bianlian.actors.bank import Bank
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.layout import PARTS
from bianlian.actors.performance import snapshot
from bianlian.actors.renderer import Renderer, frame_camera
from bianlian.detect.blazeface import BlazeFace
from bianlian.geometry import apply
from bianlian.landmark.facemesh478 import FaceMesh478

SIDE = 512


def main() -> None:
    """Render, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ict")
    parser.add_argument("people", type=Path)
    parser.add_argument("--frames", type=int, default=240)
    given = parser.parse_args()
    renderer = Renderer(Head(open_model(given.ict)), samples=1)
    bank, rng = Bank(given.people, renderer.head), np.random.default_rng(3)
    detector, mesh, face = BlazeFace(), FaceMesh478(), PARTS["face"][1] + 1
    total, seen = np.zeros((468, face), np.float32), 0
    for k in range(given.frames):
        actor = bank.person(bank.names[k % len(bank.names)])
        act = snapshot(rng)
        turned = {name: getattr(act, name) * 0.4 for name in ("yaw", "pitch", "roll", "gaze")}
        act = replace(act, **turned, expression={})
        posed, camera = renderer.pose(actor, act, 0), frame_camera(SIDE)
        image, _ = renderer.draw(posed, camera, backdrop(k, SIDE, SIDE), act, 0)
        marked = [f for f in mesh.mark(image, detector.detect([image])[0]) if f is not None and f.landmarks is not None]
        if len(marked) != 1 or marked[0].landmarks is None:
            continue
        true = apply(camera, posed.vertices[:face, :2]).astype(np.float32)
        eye = np.linalg.norm(true[renderer.head.landmarks[36]] - true[renderer.head.landmarks[45]])
        found = (marked[0].landmarks.points[:468] / eye).astype(np.float32)
        total += np.sqrt(((found[:, None] - true[None] / eye) ** 2).sum(2))
        seen += 1
    best = total.argmin(1)
    error = 100 * total[np.arange(468), best] / seen
    print(", ".join(map(str, best)))
    most = np.percentile(error, 90)
    print(f"{seen} frames; mean distance {error.mean():.2f} % of the eye distance, 90 % of the points below {most:.2f}")


if __name__ == "__main__":
    main()
