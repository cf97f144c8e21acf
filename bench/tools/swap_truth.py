"""Measure a swap against its target and, where there is one, its truth.

usage: python bench/tools/swap_truth.py OUT TARGET [TRUTH] [--source CLIP]

Prints: mouth-opening correlation with the target, sharpness of the inner face over the target's, L1 to the truth in the inner
face for the output and for the target itself (no swap), PSNR outside the face, and whether frame count, times and sound are
equal. TRUTH is the same performance with the source's inner face (a renderer's ``truth_face.mp4``). With --source, a clip of the
source person: how far a recogniser's descriptions of the output are from that person's centre and from the target's frame, and the
share of frames that are nearer to the source.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.geometry import box_of
from bianlian.identity.people import centre
from bianlian.landmark.schemes import convert
from bianlian.types import Face, Image, Landmarks, Points
from bianlian.video import frames


def landmarks(images: list[Image]) -> list[Points]:
    """68 points of the largest face of each picture; the last known ones where none is found."""
    detector, mesh = plugins.load("detector", "blazeface")(), plugins.load("landmarker", "facemesh")()
    found: list[Points] = []
    for image in images:
        faces = detector.detect([image])[0]
        marked = mesh.mark(image, [max(faces, key=lambda f: f.area)])[0] if faces else None
        if marked is not None and marked.landmarks is not None:
            found.append(convert(marked.landmarks, "ibug68").points)
        else:
            found.append(found[-1] if found else np.zeros((68, 2)))
    return found


def hull(points: Points, shape: tuple[int, ...], grow: int = 0) -> np.ndarray:
    """Hull of points as a boolean mask, grown (or, below 0, shrunk) by pixels."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
    return (cv2.dilate(mask, kernel) if grow > 0 else cv2.erode(mask, kernel) if grow < 0 else mask) > 0


def mouth(points: Points) -> float:
    """Opening of the mouth over the inter-ocular distance."""
    return float(np.hypot(*(points[62] - points[66])) / np.hypot(*(points[36] - points[45])))


def blink(points: Points) -> float:
    """Opening of the eyes over the inter-ocular distance."""
    lids = points[[37, 38, 43, 44]] - points[[41, 40, 47, 46]]
    return float(np.hypot(*lids.T).mean() / np.hypot(*(points[36] - points[45])))


def sharpness(image: Image, mask: np.ndarray) -> float:
    """Variance of the Laplacian of the grey picture inside a mask."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F)[mask].var())


def packets(path: str, kind: str) -> list[object]:
    """Packets of the first stream of a kind: times for video, bytes too for sound."""
    with av.open(path) as container:
        streams = [s for s in container.streams if s.type == kind]
        rows: list[tuple[Any, bytes | None]] = []
        for packet in container.demux(streams[:1]) if streams else []:
            if packet.pts is not None:
                rows.append((packet.pts * packet.time_base, bytes(packet) if kind == "audio" else None))
        return sorted(rows, key=lambda r: r[0])  # type: ignore[index]


def described(images: list[Image], marks: list[Points]) -> NDArray[np.float64]:
    """Describe the face of each picture -> (N, 128)."""
    describer = plugins.load("describer", "dlib")()
    faces = [Face(box_of(p), 1.0, Landmarks(p, "ibug68")) for p in marks]
    return np.concatenate([describer.describe(i, [f]) for i, f in zip(images, faces, strict=True)])


def who(name: str, rows: NDArray[np.float64], theirs: NDArray[np.float64], source: NDArray[np.float64]) -> None:
    """Print whom descriptions are nearer to."""
    to_source, to_target = np.linalg.norm(rows - source, axis=1), np.linalg.norm(rows - theirs, axis=1)
    nearer = 100 * (to_source < to_target).mean()
    print(f"{name}: to the source {to_source.mean():.3f}, to the target {to_target.mean():.3f}, nearer to source {nearer:.0f} %")


def main(out: str, target: str, truth: str | None = None, source: str | None = None) -> None:
    """Print the figures."""
    ours, theirs = [f.image for f in frames(Path(out))], [f.image for f in frames(Path(target))]
    p_out, p_target = landmarks(ours), landmarks(theirs)
    inner = [hull(p, im.shape, -3) for p, im in zip(p_target, theirs, strict=True)]
    print(f"frames {len(ours)} / {len(theirs)}, times equal {packets(out, 'video') == packets(target, 'video')}, "
          f"sound equal {packets(out, 'audio') == packets(target, 'audio')} ({len(packets(target, 'audio'))} packets)")  # fmt: skip
    for name, measure in (("mouth", mouth), ("blink", blink)):
        r = np.corrcoef([measure(p) for p in p_out], [measure(p) for p in p_target])[0, 1]
        print(f"{name} correlation {r:.3f}")
    ratio = [sharpness(o, m) / sharpness(t, m) for o, t, m in zip(ours, theirs, inner, strict=True)]
    print(f"sharpness ratio median {np.median(ratio):.3f}, p5 {np.percentile(ratio, 5):.3f}, p95 {np.percentile(ratio, 95):.3f}")
    iod = float(np.median([np.hypot(*(p[36] - p[45])) for p in p_target]))
    jitter = [np.diff(np.stack(p)[:, 17:], n=2, axis=0) for p in (p_out, p_target)]
    print(
        f"jitter of the difference {100 * np.sqrt(((jitter[0] - jitter[1]) ** 2).sum(-1).mean()) / iod:.2f} % of the eye distance"
    )
    error = []
    for o, t, p in zip(ours, theirs, p_target, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box_of(p))
        outside = ~hull(p, o.shape, int(0.12 * max(x2 - x1, y2 - y1)))
        error.append(float(((o[outside].astype(float) - t[outside]) ** 2).mean()))
    print(f"PSNR outside the face {10 * np.log10(255**2 / max(1e-9, np.mean(error))):.1f} dB")
    step = slice(0, None, 4)  # descriptions are slow
    theirs_described, centre_of = None, None
    if source is not None:
        shots = [f.image for f in frames(Path(source))][step]
        centre_of = centre(described(shots, landmarks(shots)))
        theirs_described = described(theirs[step], p_target[step])
        who("identity", described(ours[step], p_out[step]), theirs_described, centre_of)
    if truth is not None:
        right = [f.image.astype(float) for f in frames(Path(truth))]
        l1 = [np.mean([np.abs(a - r)[m].mean() for a, r, m in zip(x, right, inner, strict=True)]) for x in (ours, theirs)]
        print(f"L1 to the truth {l1[0]:.2f}, of no swap {l1[1]:.2f} (grey levels of 255)")
        seen = [x.astype(np.uint8) for x in right]
        p_right = landmarks(seen)
        r = np.corrcoef([mouth(p) for p in p_out], [mouth(p) for p in p_right])[0, 1]
        print(f"mouth correlation with the truth {r:.3f}")
        if theirs_described is not None and centre_of is not None:
            who("identity of the truth", described(seen[step], p_right[step]), theirs_described, centre_of)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out")
    arguments.add_argument("target")
    arguments.add_argument("truth", nargs="?")
    arguments.add_argument("--source")
    main(**vars(arguments.parse_args()))
