"""Performances: how a head moves, speaks and looks, and the light on it; without identity, so that any head plays any of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import ConfigError, InputError
from bianlian.files import open_plain

Curve = NDArray[np.float32]
SHAPES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("yaw", "pitch", "roll", "scale", "ambient", "diffuse"), ()),
    **dict.fromkeys(("shift", "gaze"), (2,)),
    **dict.fromkeys(("light", "tint"), (3,)),
}
"""Curves of a performance, and the shape of one frame's value."""
_EXPRESSION = "expr_"
_MOST_FRAMES, _MOST_RATE = 1 << 20, 1000
_REACH = {"yaw": 40.0, "pitch": 18.0, "roll": 15.0}
"""Angles beyond which painted hair and the cut neck show."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A script of n frames, all float32.

    yaw, pitch, roll (n,): degrees, as ``head.rotation``. shift (n, 2): of the frame's side, x right, y down. scale (n,): 1 as it
    is. gaze (n, 2): degrees against the head, yaw right, pitch down. light (n, 3): unit vectors towards it, camera space. ambient,
    diffuse (n,): levels of light, 1 leaves a texel as it is. tint (n, 3): RGB gains. expression: weights (n,) in [0, 1] by name.
    backdrop: seed of the picture behind. rate: frames a second. Raises InputError for curves that do not fit together.
    """

    yaw: Curve
    pitch: Curve
    roll: Curve
    shift: Curve
    scale: Curve
    gaze: Curve
    light: Curve
    ambient: Curve
    diffuse: Curve
    tint: Curve
    expression: Mapping[str, Curve] = field(default_factory=dict)
    backdrop: int = 0
    rate: Fraction = Fraction(25)

    def __post_init__(self) -> None:
        n = len(self.yaw)
        curves = {name: (getattr(self, name), (n, *shape)) for name, shape in SHAPES.items()}
        curves |= {name: (curve, (n,)) for name, curve in self.expression.items()}
        for name, (curve, shape) in curves.items():
            if curve.shape != shape or not np.isfinite(curve).all():
                raise InputError(f"a performance of {n} frames wants {name} as {shape} finite numbers, got {curve.shape}")
        if not 0 < n <= _MOST_FRAMES or not 0 < self.rate <= _MOST_RATE or self.backdrop < 0:
            raise InputError(f"a performance wants frames, a rate up to {_MOST_RATE} and a seed of 0 or more; got {n}, {self.rate}")

    def __len__(self) -> int:
        return len(self.yaw)

    def weights(self, frame: int) -> dict[str, float]:
        """Give the expression of a frame."""
        return {name: float(curve[frame]) for name, curve in self.expression.items()}

    def frame(self, k: int) -> Performance:
        """Cut out one frame as a performance of its own."""
        curves = {name: getattr(self, name)[k : k + 1] for name in SHAPES}
        return replace(self, **curves, expression={name: curve[k : k + 1] for name, curve in self.expression.items()})

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Write as arrays, by name, for a truth file."""
        rate = np.array([self.rate.numerator, self.rate.denominator])
        curves = {name: getattr(self, name) for name in SHAPES} | {_EXPRESSION + k: v for k, v in self.expression.items()}
        return {**curves, "backdrop": np.array(self.backdrop), "rate": rate}


def read_performance(path: Path) -> Performance:
    """Read what ``columns`` wrote into a truth file (npz). Raises InputError."""
    try:
        with open_plain(path) as file, np.load(file, allow_pickle=False) as data:
            curves = {name: np.asarray(data[name], np.float32) for name in SHAPES}
            expression = {k.removeprefix(_EXPRESSION): np.asarray(data[k], np.float32) for k in data if k.startswith(_EXPRESSION)}
            up, down = (int(x) for x in data["rate"])
            return Performance(**curves, expression=expression, backdrop=int(data["backdrop"]), rate=Fraction(up, down))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; wanted the truth (.npz) of a rendered clip, to play it again") from error
    except (OSError, KeyError, ValueError, TypeError, EOFError, ZeroDivisionError, OverflowError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no performance ({error}); wanted the truth (.npz) of a rendered clip") from error


@dataclass(frozen=True)
class Script:
    """What a random performance is to be like.

    frames: how many; rate: a second. yaw, pitch, roll: peak angles, degrees, at most 40, 18 and 15. talk: how much the mouth
    speaks, 0 to 1. Raises ConfigError for a value out of range.
    """

    frames: int
    rate: Fraction = Fraction(25)
    yaw: float = 36.0
    pitch: float = 15.0
    roll: float = 12.0
    talk: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.frames <= _MOST_FRAMES or not 1 <= self.rate <= _MOST_RATE:
            raise ConfigError(f"a clip wants 1 frame or more, and 1 to {_MOST_RATE} a second; got {self.frames} and {self.rate}")
        for name, most in (*_REACH.items(), ("talk", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must lie in 0 to {most:g}, got {getattr(self, name)}")


def random_performance(seed: int, script: Script) -> Performance:
    """Draw a head that talks, turns, blinks, smiles and looks around under a light that moves; the same for the same seed.

    Raises ConfigError for a seed below 0.
    """
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more, got {seed}")
    draw = _Curves(np.random.default_rng(seed), script.frames, float(script.rate) / 25)
    angles = draw.curve(32, script.yaw), draw.curve(30, script.pitch), draw.curve(36, script.roll)
    mouth, face = _mouth(draw, script.talk), _face(draw)
    blink = _blinks(draw)
    gaze = _gaze(draw)
    expression = {**mouth, **_both_sides(face, blink, gaze)}
    azimuth, height = np.radians(draw.curve(120, 55)), np.radians(25 + draw.curve(90, 18))
    light = np.stack([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)], 1)
    warm, n = draw.curve(150, 0.05), script.frames
    return Performance(
        yaw=angles[0],
        pitch=angles[1],
        roll=angles[2],
        shift=np.stack([draw.curve(60, 0.06), draw.curve(60, 0.03)], 1),
        scale=_f32(1.01 + draw.curve(80, 0.07)),
        gaze=gaze,
        light=_f32(light),
        ambient=_f32(0.63 + draw.curve(140, 0.07)),
        diffuse=_f32(0.46 + draw.curve(130, 0.08)),
        tint=_f32(np.stack([1 + warm, np.ones(n), 1 - warm], 1)),
        expression={name: _f32(curve) for name, curve in expression.items()},
        backdrop=seed,
        rate=script.rate,
    )


def still(seed: int) -> Performance:
    """Give one frame of a head that looks straight into the camera, its mouth shut, in soft light from the front."""
    plain = random_performance(seed, Script(1, yaw=0, pitch=0, roll=0, talk=0))
    zero, light = np.zeros((1, 2), np.float32), np.array([[0.0, 0.3, 0.954]], np.float32)
    return replace(plain, expression={}, shift=zero, gaze=zero, light=light)


def snapshot(rng: np.random.Generator) -> Performance:
    """Draw one pose, expression and light."""
    act = random_performance(int(rng.integers(1 << 31)), Script(64, yaw=40, pitch=18, roll=15))
    return act.frame(int(rng.integers(64)))


class _Curves:
    """Draws smooth curves. pace: how much longer everything takes in frames than at 25 a second."""

    def __init__(self, rng: np.random.Generator, n: int, pace: float) -> None:
        self.rng, self.n, self.pace = rng, n, pace

    def curve(self, period: float, reach: float = 1.0) -> Curve:
        """Draw a curve (n,) that peaks at ``reach`` on one side of 0 and turns about every ``period`` frames."""
        period *= self.pace
        knots = self.rng.normal(size=max(4, int(self.n / period) + 4))
        steps = _f32(np.interp(np.linspace(0, len(knots) - 1, self.n), np.arange(len(knots)), knots))
        x = np.asarray(cv2.GaussianBlur(steps.reshape(1, -1), (0, 0), max(0.5, period / 4)).ravel(), np.float32)
        return _f32(x / (np.abs(x).max() + 1e-6) * reach)

    def rise(self, period: float, reach: float = 1.0) -> Curve:
        """Draw a curve (n,) in [0, 1] that is 0 half of the time."""
        return np.clip(self.curve(period, reach), 0, 1)

    def smooth(self, x: NDArray[np.floating], sigma: float) -> Curve:
        """Blur over time."""
        return np.asarray(cv2.GaussianBlur(_f32(x).reshape(1, -1), (0, 0), sigma * self.pace).ravel(), np.float32)


def _mouth(draw: _Curves, talk: float) -> dict[str, Curve]:
    speech = np.clip(draw.curve(5) * 0.9 + 0.15, 0, 1) * (draw.curve(40) > -0.35)
    funnel = draw.rise(9, 0.6) * talk
    pucker = draw.rise(11, 0.5) * talk * (1 - funnel)
    upper, lower = draw.rise(8, 0.4) * talk, draw.rise(8, 0.5) * talk
    mouth = {"jawOpen": 0.42 * talk * draw.smooth(speech, 0.8), "mouthFunnel": funnel, "mouthPucker": pucker}
    for side in "LR":
        mouth |= {f"mouthUpperUp_{side}": upper, f"mouthLowerDown_{side}": lower}
    return mouth


def _face(draw: _Curves) -> dict[str, Curve]:
    smile = draw.rise(45) * 0.8
    return {
        "smile": smile,
        "up": draw.rise(25, 0.9),
        "down": draw.rise(40, 0.8),
        "squint": draw.rise(50, 0.5),
        "lopsided": draw.curve(60, 0.12),
    }


def _both_sides(face: Mapping[str, Curve], blink: Curve, gaze: Curve) -> dict[str, Curve]:
    out = {}
    for side, sign in (("L", 1), ("R", -1)):
        out[f"mouthSmile_{side}"] = np.clip(face["smile"] * (1 + sign * face["lopsided"]), 0, 1)
        out[f"browInnerUp_{side}"], out[f"browOuterUp_{side}"] = face["up"], face["up"] * 0.6
        out[f"browDown_{side}"] = face["down"] * (1 - face["up"])
        out[f"eyeSquint_{side}"] = np.clip(face["squint"] + 0.4 * face["smile"], 0, 1) * (1 - blink)
        out[f"cheekSquint_{side}"] = face["smile"] * 0.6
        out[f"eyeBlink_{side}"] = blink
        out[f"eyeLookUp_{side}"] = np.clip(-gaze[:, 1] / 25, 0, 1) * (1 - blink)
        out[f"eyeLookDown_{side}"] = np.clip(gaze[:, 1] / 25, 0, 1) * (1 - blink)
    return out


def _blinks(draw: _Curves) -> Curve:
    blink = np.zeros(draw.n)
    at = int(draw.rng.integers(10, 40) * draw.pace)
    while at < draw.n:
        lids = np.interp(np.arange(0, 5 * draw.pace) / draw.pace, np.arange(5), (0.5, 1, 1, 0.6, 0.2))[: draw.n - at]
        blink[at : at + len(lids)] = lids
        at += max(1, int(draw.rng.integers(45, 110) * draw.pace))
    return _f32(blink)


def _gaze(draw: _Curves) -> Curve:
    """Jump to another place every 8 frames."""
    steps = [np.repeat(draw.rng.normal(0, reach, draw.n // 8 + 2), 8)[: draw.n] for reach in (9, 4)]
    return _f32(np.clip(np.stack([draw.smooth(x, 1.0) for x in steps], 1), [-18, -9], [18, 9]))


def _f32(x: NDArray[np.floating]) -> Curve:
    return np.asarray(x, np.float32)
