"""One face of a faceset: a frozen record and its one line of JSON.

The line is checked key by key, since a faceset may come from anywhere: unknown, doubled or missing keys, other types or shapes,
numbers that are not finite and crop paths outside of ``crops/`` are errors. Reading never runs code.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import FacesetError, InputError
from bianlian.types import SCHEMES, Landmarks, Matrix

LONGEST_LINE = 1 << 18
"""Most bytes of one line; the longest scheme needs a tenth of it."""
LARGEST = 2**53
"""Numbers beyond it, either way, are damage: a JSON reader elsewhere could not hold them exactly."""
_CROP = re.compile(r"crops/[0-9A-Za-z_-]{1,64}\.(png|jpg)")


@dataclass(frozen=True, eq=False)
class FaceRecord:
    """What a faceset knows of one face. Pixels are frame pixels, centres on integers; angles are degrees.

    id: 0 or more, grows from line to line. file: a video's name, or a path relative to the folder that was given. frame: index
    in that file. pts, time_base: presentation time, None outside a video. box: (4,) x1, y1, x2, y2. score: in [0, 1].
    landmarks: their scheme included. crop_from_frame: (2, 3). crop: ``crops/NAME.png`` or ``.jpg``. sharpness: 0 or more, see
    ``quality.sharpness``. pose: yaw, pitch, roll. kept: whether training uses it; reason: why not, None exactly when kept.
    """

    id: int
    file: str
    frame: int
    pts: int | None
    time_base: Fraction | None
    box: NDArray[np.float64]
    score: float
    landmarks: Landmarks
    crop_from_frame: Matrix
    crop: str
    sharpness: float
    pose: tuple[float, float, float]
    kept: bool
    reason: str | None

    def __post_init__(self) -> None:
        _want(0 <= self.id <= LARGEST, "id", "0 or more", self.id)
        _want(0 < len(self.file) <= 4096, "file", "a path", self.file)
        _want(0 <= self.frame <= LARGEST, "frame", "0 or more", self.frame)
        _want((self.pts is None) == (self.time_base is None), "pts", "given together with time_base", self.pts)
        _want(self.time_base is None or self.time_base > 0, "time_base", "more than 0", self.time_base)
        _want(self.box.shape == (4,) and bool(np.isfinite(self.box).all()), "box", "4 finite numbers", self.box.tolist())
        _want(bool((self.box[2:] > self.box[:2]).all()), "box", "x1 < x2 and y1 < y2", self.box.tolist())
        _want(0 <= self.score <= 1, "score", "in [0, 1]", self.score)
        matrix = self.crop_from_frame
        _want(matrix.shape == (2, 3) and bool(np.isfinite(matrix).all()), "crop_from_frame", "2 x 3 finite numbers", matrix.shape)
        _want(abs(float(np.linalg.det(matrix[:, :2]))) > 1e-12, "crop_from_frame", "an invertible map", matrix.tolist())
        _want(_CROP.fullmatch(self.crop) is not None, "crop", "crops/NAME.png or crops/NAME.jpg", self.crop)
        _want(0 <= self.sharpness < math.inf, "sharpness", "0 or more", self.sharpness)
        _want(len(self.pose) == 3 and all(map(math.isfinite, self.pose)), "pose", "3 finite numbers", self.pose)
        _want(self.kept == (self.reason is None), "reason", "null when kept and given when not", self.reason)

    @property
    def scheme(self) -> str:
        """Landmark scheme, one of ``types.SCHEMES``."""
        return self.landmarks.scheme


def to_line(record: FaceRecord) -> str:
    """Write a record as one line of JSON, without its newline; ``from_line`` gives exactly the same record back."""
    r = record
    fields = {
        "id": r.id,
        "file": r.file,
        "frame": r.frame,
        "pts": r.pts,
        "time_base": None if r.time_base is None else f"{r.time_base.numerator}/{r.time_base.denominator}",
        "box": r.box.tolist(),
        "score": float(r.score),
        "landmarks": r.landmarks.points.tolist(),
        "scheme": r.scheme,
        "crop_from_frame": r.crop_from_frame.tolist(),
        "crop": r.crop,
        "sharpness": float(r.sharpness),
        "pose": [float(angle) for angle in r.pose],
        "kept": r.kept,
        "reason": r.reason,
    }
    return json.dumps(fields, allow_nan=False)


def from_line(line: str | bytes, where: str) -> FaceRecord:
    """Read one line of ``faces.jsonl``.

    where: file and line number, for the error. Raises FacesetError that names it and the key that is wrong.
    """
    fields = parse_object(line, where)
    try:
        check_keys(fields, _READERS)
        values = {key: read(fields[key], key) for key, read in _READERS.items()}
        values["landmarks"] = _landmarks(values["landmarks"], values.pop("scheme"))
        yaw, pitch, roll = values["pose"].tolist()
        return FaceRecord(**(values | {"pose": (yaw, pitch, roll)}))
    except InputError as error:
        raise FacesetError(f"{where}: {error}") from error


def parse_object(line: str | bytes, where: str) -> dict[str, Any]:
    """Read one JSON object, no key twice, no NaN. Raises FacesetError that begins with ``where``."""
    try:
        found = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise FacesetError(f"{where}: wanted one JSON object, got something damaged ({_short(error)})") from error
    if not isinstance(found, dict):
        raise FacesetError(f"{where}: wanted one JSON object, got {type(found).__name__}")
    return found


def check_keys(fields: Collection[str], wanted: Collection[str]) -> None:
    """Raise FacesetError unless ``fields`` has exactly the wanted keys; it names those that are missing or unknown."""
    missing, unknown = [k for k in wanted if k not in fields], [k for k in fields if k not in wanted]
    if missing or unknown:
        parts = [f"{name} {_short(', '.join(keys))}" for name, keys in (("missing", missing), ("unknown", unknown)) if keys]
        raise FacesetError(f"keys must be {', '.join(wanted)}; {'; '.join(parts)}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _want(good: bool, key: str, wanted: str, got: object) -> None:
    if not good:
        raise FacesetError(f"{key} must be {wanted}, got {_short(got)}")


def _integer(value: Any, key: str) -> int:
    _want(type(value) is int and abs(value) <= LARGEST, key, "a whole number", type(value).__name__)
    return int(value)


def _number(value: Any, key: str) -> float:
    _want(type(value) in (int, float) and abs(value) <= LARGEST, key, "a finite number", type(value).__name__)
    return float(value)


def _text(value: Any, key: str) -> str:
    _want(type(value) is str, key, "text", type(value).__name__)
    return str(value)


def _flag(value: Any, key: str) -> bool:
    _want(type(value) is bool, key, "true or false", value)
    return bool(value)


def _fraction(value: Any, key: str) -> Fraction:
    match = re.fullmatch(r"([0-9]{1,15})/([0-9]{1,15})", _text(value, key))
    if match is None or int(match[2]) == 0:
        raise FacesetError(f'{key} must be a fraction such as "1/12800", got {_short(value)}')
    return Fraction(int(match[1]), int(match[2]))


def _numbers(count: int) -> Callable[[Any, str], NDArray[np.float64]]:
    def read(value: Any, key: str) -> NDArray[np.float64]:
        _want(type(value) is list and len(value) == count, key, f"a list of {count} numbers", value)
        return np.array([_number(v, key) for v in value], np.float64)

    return read


def _rows(value: Any, key: str, width: int, count: int) -> NDArray[np.float64]:
    _want(type(value) is list and len(value) == count, key, f"a list of {count} rows", value)
    flat = [number for row in value if type(row) is list and len(row) == width for number in row]
    if len(flat) == width * count and {*map(type, flat)} <= {int, float} and max(map(abs, flat)) <= LARGEST:
        return np.array(flat, np.float64).reshape(count, width)
    row = _numbers(width)  # names what is wrong, number by number: too slow for the many lines that are right
    return np.stack([row(v, key) for v in value])


def _landmarks(points: Any, scheme: str) -> Landmarks:
    _want(scheme in SCHEMES, "scheme", f"one of {', '.join(SCHEMES)}", scheme)
    return Landmarks(_rows(points, "landmarks", 2, SCHEMES[scheme]), scheme)


def _or_none(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, key: None if value is None else read(value, key)


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "id": _integer,
    "file": _text,
    "frame": _integer,
    "pts": _or_none(_integer),
    "time_base": _or_none(_fraction),
    "box": _numbers(4),
    "score": _number,
    "landmarks": lambda value, key: value,
    "scheme": _text,
    "crop_from_frame": lambda value, key: _rows(value, key, 3, 2),
    "crop": _text,
    "sharpness": _number,
    "pose": _numbers(3),
    "kept": _flag,
    "reason": _or_none(_text),
}
"""Reader of each key of a line, in the order they are written."""


def reason_kind(reason: str) -> str:
    """Shorten a reason to its kind, the part before the colon: ``partial: 63 % of ...`` -> ``partial``."""
    return reason.partition(":")[0]
