"""Measure a swap against its target and, where there is one, its truth.

usage: python bench/tools/swap_truth.py OUT TARGET [TRUTH]

Prints: mouth-opening correlation with the target, sharpness of the inner face over the target's, L1 to the truth in the inner
face for the output and for the target itself (no swap), PSNR outside the face, and whether frame count, times and sound are
equal. TRUTH is the same performance with the source's inner face (a renderer's ``truth_face.mp4``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import cv2
import numpy as np

from bianlian import plugins
from bianlian.geometry import box_of
from bianlian.landmark.schemes import convert
from bianlian.types import Image, Points
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
        rows: list[object] = []
        for packet in container.demux(streams[:1]) if streams else []:
            if packet.pts is not None:
                rows.append((packet.pts * packet.time_base, bytes(packet) if kind == "audio" else None))
        return sorted(rows, key=lambda r: r[0])  # type: ignore[index]


def main(out: str, target: str, truth: str | None = None) -> None:
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
        x1, y1, x2, y2 = box_of(p)
        outside = ~hull(p, o.shape, int(0.12 * max(x2 - x1, y2 - y1)))
        error.append(float(((o[outside].astype(float) - t[outside]) ** 2).mean()))
    print(f"PSNR outside the face {10 * np.log10(255**2 / max(1e-9, np.mean(error))):.1f} dB")
    if truth is not None:
        right = [f.image.astype(float) for f in frames(Path(truth))]
        l1 = [np.mean([np.abs(a - r)[m].mean() for a, r, m in zip(x, right, inner, strict=True)]) for x in (ours, theirs)]
        print(f"L1 to the truth {l1[0]:.2f}, of no swap {l1[1]:.2f} (grey levels of 255)")
        r = np.corrcoef([mouth(p) for p in p_out], [mouth(p) for p in landmarks([x.astype(np.uint8) for x in right])])[0, 1]
        print(f"mouth correlation with the truth {r:.3f}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
