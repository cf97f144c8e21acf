"""How long training takes to come near the truth: from the base, and from scratch; curves, and a picture of them.

usage: python bench/quality/time_to_quality.py --pair NAME SOURCE.mp4 FOLDER [--pair ...] -o OUT.png
       [--base-minutes 4] [--scratch-minutes 40] [--size 128] [--width light] [--mark 2]

FOLDER holds target.mp4 and truth_face.mp4, the same performance with the source's inner face. SOURCE.mp4 shows the source person
in another performance. Both people's faces are extracted and trained on; after each slice of training, whose lengths grow by half,
the clock stands still and every fourth frame of the target is drawn as the source.

The distance is measured in the model's aligned picture, under the face's hull: mean absolute difference of grey levels (of 255)
from the truth, after the drawn face has taken over the target's mean and spread of colour as a swap lets it (the truth has the
target's skin tone). "no swap" is the distance of the target itself. The last line of a pair says how long each start needs to be
as near as the base is at ``--mark`` minutes; ``>`` means not within its time. OUT.json beside the picture holds all numbers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bianlian import align, api, plugins
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.mask.hull import hull_mask
from bianlian.swap.color import lab_mean_std
from bianlian.train.batches import to_tensor
from bianlian.train.checkpoint import load_average, newest
from bianlian.train.loop import Limits, train
from bianlian.train.preview import to_uint8
from bianlian.train.run import open_run
from bianlian.train.start import Choices, begin, resume
from bianlian.types import Image, Mask
from bianlian.video import frames

EVERY = 4
STARTS = ("base", "scratch")
COLOURS = {"base": (30, 110, 220), "scratch": (200, 60, 50)}


@dataclass
class Curve:
    """Distance to the truth over minutes of training, from one start."""

    pair: str
    start: str
    minutes: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)

    def reaches(self, distance: float) -> float | None:
        """Minutes after which the curve is first at or below a distance, on the line between two measurements."""
        for k, (minute, value) in enumerate(zip(self.minutes, self.distance, strict=True)):
            if value <= distance:
                if k == 0 or self.distance[k - 1] <= value:
                    return minute
                share = (self.distance[k - 1] - distance) / (self.distance[k - 1] - value)
                return self.minutes[k - 1] + share * (minute - self.minutes[k - 1])
        return None


@dataclass(frozen=True, eq=False)
class Shot:
    """One aligned frame: the target, the truth, and where the face is."""

    target: Image
    truth: Image
    mask: Mask


def shots(folder: Path, size: int) -> list[Shot]:
    """Align frames of target and truth by the target's landmarks."""
    detector, marker = plugins.load("detector", "duo")(), plugins.load("landmarker", "facemesh")()
    found = []
    pairs = zip(frames(folder / "target.mp4"), frames(folder / "truth_face.mp4"), strict=True)
    for target, truth in islice(pairs, 0, None, EVERY):
        faces = detector.detect([target.image])[0]
        face = marker.mark(target.image, [max(faces, key=lambda f: f.area)])[0] if faces else None
        if face is None:
            continue
        crop_from_frame = align.crop_from_frame(face.landmarks, size)
        points = apply(crop_from_frame, convert(face.landmarks, "ibug68").points)
        mask = hull_mask(np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float64), (size, size))
        cut = [align.cut(image, crop_from_frame, size).image for image in (target.image, truth.image)]
        found.append(Shot(cut[0], cut[1], mask))
    return found


def distance(drawn: Sequence[Image], wanted: Sequence[Shot]) -> float:
    """Mean absolute difference from the truth under the masks, grey levels of 255."""
    errors = []
    for picture, shot in zip(drawn, wanted, strict=True):
        apart = np.abs(picture.astype(np.float64) - shot.truth).mean(2)
        errors.append(float((apart * shot.mask).sum() / shot.mask.sum()))
    return float(np.mean(errors))


def drawn(run: Path, person: str, wanted: Sequence[Shot]) -> list[Image]:
    """Draw a person on the targets of shots, in the target's colours."""
    config = open_run(run)
    model = config.build()
    model.networks.load_state_dict(load_average(newest(run)))
    path = model.path(config.names.index(person)).eval()
    pictures: list[Image] = []
    with torch.no_grad():
        for k in range(0, len(wanted), 16):
            part = wanted[k : k + 16]
            faces = to_uint8(path(to_tensor(np.stack([s.target for s in part]))))
            pictures += [lab_mean_std(f, s.target, s.mask) for f, s in zip(faces, part, strict=True)]
    return pictures


def learn(curve: Curve, facesets: list[Path], wanted: Sequence[Shot], run: Path, choices: Choices, minutes: float) -> None:
    """Train in slices and measure after each."""
    spent, length = 0.0, 0.1
    while spent < minutes:
        begun = resume(run, facesets) if run.exists() else begin(run, facesets, choices)
        quiet = Limits(minutes=min(length, minutes - spent + 1e-3), preview_every=10**6, save_every=10**6)
        spent += train(begun, run, quiet).seconds / 60
        length = max(length, 0.5 * spent)
        curve.minutes.append(round(spent, 3))
        curve.distance.append(round(distance(drawn(run, "source", wanted), wanted), 3))
        print(f"  {curve.start:<8}{spent:7.2f} min   L1 {curve.distance[-1]:6.2f}", flush=True)


def plot(curves: Sequence[Curve], none: dict[str, float], out: Path) -> None:
    """Draw all curves: minutes on a logarithmic axis, distance from 0."""
    width, height, left, bottom = 900, 520, 70, 50
    canvas = np.full((height, width, 3), 255, np.uint8)
    first, last = 0.05, 1.1 * max(m for c in curves for m in c.minutes)
    top = 1.05 * max([*none.values(), *(d for c in curves for d in c.distance)])

    def at(minute: float, value: float) -> tuple[int, int]:
        x = left + (width - left - 20) * np.log(max(first, minute) / first) / np.log(last / first)
        return round(float(x)), round(height - bottom - (height - bottom - 20) * value / top)

    def text(where: tuple[int, int], words: str, colour: tuple[int, int, int] = (60, 60, 60)) -> None:
        cv2.putText(canvas, words, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)

    for minute in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200):
        if first < minute < last:
            cv2.line(canvas, at(minute, 0), at(minute, top), (230, 230, 230), 1)
            text((at(minute, 0)[0] - 10, height - bottom + 18), f"{minute:g}")
    for value in np.linspace(0, top, 6):
        cv2.line(canvas, at(first, value), at(last, value), (230, 230, 230), 1)
        text((8, at(first, value)[1] + 4), f"{value:.1f}")
    for value in none.values():
        cv2.line(canvas, at(first, value), at(last, value), (150, 150, 150), 1, cv2.LINE_AA)
    for curve in curves:
        line = np.array([at(m, d) for m, d in zip(curve.minutes, curve.distance, strict=True)], np.int32)
        cv2.polylines(canvas, [line], isClosed=False, color=COLOURS[curve.start], thickness=2, lineType=cv2.LINE_AA)
        for point in line:
            cv2.circle(canvas, (int(point[0]), int(point[1])), 3, COLOURS[curve.start], -1, cv2.LINE_AA)
        text((int(line[-1][0]) - 90, int(line[-1][1]) - 8), f"{curve.start} {curve.pair}", COLOURS[curve.start])
    text((width // 2 - 140, height - 10), "minutes of training (logarithmic); grey: no swap")
    text((8, 14), "L1 to the truth, grey levels of 255")
    rgb: NDArray[np.uint8] = canvas
    out.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1].tobytes())


def tell(curves: Sequence[Curve], mark: float) -> None:
    """Print how long each start needs to be as near as the base is at the mark."""
    base, scratch = curves
    aim = float(np.interp(mark, base.minutes, base.distance))
    times = [c.reaches(aim) for c in (base, scratch)]
    words = [f"{t:.1f}" if t is not None else f"> {c.minutes[-1]:.0f}" for t, c in zip(times, curves, strict=True)]
    factor = (times[1] or scratch.minutes[-1]) / (times[0] or mark)
    more = "" if times[1] is not None else "more than "
    print(
        f"{base.pair}: L1 {aim:.2f} takes {words[0]} min from the base, {words[1]} from scratch: {more}{factor:.1f} times as long"
    )


def main() -> None:
    """Measure all pairs and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", nargs=3, action="append", required=True, metavar=("NAME", "SOURCE", "FOLDER"))
    parser.add_argument("--base-minutes", type=float, default=4)
    parser.add_argument("--scratch-minutes", type=float, default=40)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", default="light")
    parser.add_argument("--mark", type=float, default=2, help="minutes from the base whose distance is to be reached")
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    curves: list[Curve] = []
    none: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for pair, source, folder in given.pair:
            facesets = [work / pair / person for person in ("source", "target")]
            for faceset, clip in zip(facesets, (Path(source), Path(folder) / "target.mp4"), strict=True):
                api.extract([clip], faceset.name, faceset, every=2, consent="virtual person")
            wanted = shots(Path(folder), given.size)
            none[pair] = distance([s.target for s in wanted], wanted)
            print(f"{pair}: {len(wanted)} frames, no swap L1 {none[pair]:.2f}", flush=True)
            for start, minutes in zip(STARTS, (given.base_minutes, given.scratch_minutes), strict=True):
                choices = Choices(size=given.size, width=given.width, start=start)
                curves.append(Curve(pair, start))
                learn(curves[-1], facesets, wanted, work / pair / start, choices, minutes)
            tell(curves[-2:], given.mark)
    plot(curves, none, given.out)
    rows = {"no_swap": none, "curves": [asdict(c) for c in curves], "size": given.size, "width": given.width}
    given.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
