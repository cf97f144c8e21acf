"""People on disk: one npz with the shapes, cameras and textures (JPEG) of fitted people; names such as ``ana+ben*2``."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor, mix
from bianlian.actors.atlas import Texture
from bianlian.actors.head import Head
from bianlian.actors.layout import ATLAS_HEIGHT, ATLAS_WIDTH
from bianlian.errors import InputError
from bianlian.files import open_plain, replacing

RANDOM = "random:"
_QUALITY = 92
_MOST_INFO = 1 << 24


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a photo gave. coefficients (K,), offsets (68, 3): see ``head.Head.shape``. Where the camera was: image =
    scale * (rotation @ vertex)[:2] + shift with y up, pixels of the photo. error: mean distance of the landmarks before the
    offsets, over that of the outer eye corners."""

    coefficients: NDArray[np.float32]
    offsets: NDArray[np.float32]
    scale: float
    rotation: NDArray[np.float32]
    shift: NDArray[np.float32]
    error: float


def write_people(
    path: Path, names: Sequence[str], fits: Sequence[Fitted], textures: Sequence[Texture], info: Sequence[Mapping[str, object]]
) -> None:
    """Write people to one npz. Raises OutputError."""
    jpegs = [np.asarray(cv2.imencode(".jpg", t[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]).ravel() for t in textures]
    columns: dict[str, NDArray[np.generic]] = {
        "names": np.array(names),
        "info": np.array(json.dumps([dict(i) for i in info])),
        "coefficients": np.stack([f.coefficients for f in fits]),
        "offsets": np.stack([f.offsets for f in fits]),
        "camera_scale": np.array([f.scale for f in fits], np.float32),
        "camera_rotation": np.stack([f.rotation for f in fits]),
        "camera_shift": np.stack([f.shift for f in fits]),
        "fit_error": np.array([f.error for f in fits], np.float32),
        "jpeg": np.concatenate(jpegs),
        "jpeg_end": np.cumsum([len(j) for j in jpegs]),
    }
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **columns)  # type: ignore[arg-type]


@final
class Bank:
    """People of one file; textures are decoded when somebody is asked for. names: of all; info: what is known about each."""

    def __init__(self, path: Path, head: Head) -> None:
        """Open a file of ``write_people``. Raises InputError."""
        self._path, self.head = path, head
        try:
            with open_plain(path) as file, np.load(file, allow_pickle=False) as data:
                self.names = tuple(str(n) for n in data["names"])
                self.info = list[Mapping[str, object]](json.loads(str(data["info"])[:_MOST_INFO]))
                self._shapes = [np.asarray(data[k], np.float32) for k in ("coefficients", "offsets")]
                self._camera = [np.asarray(data[f"camera_{k}"], np.float32) for k in ("scale", "rotation", "shift")]
                self._error = np.asarray(data["fit_error"], np.float32)
                self._jpeg, ends = np.asarray(data["jpeg"], np.uint8), np.asarray(data["jpeg_end"], np.int64)
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist; `bianlian actors fit PHOTOS -o {path}` makes it of photos") from error
        except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, RecursionError) as error:
            raise InputError(f"{path} holds no people ({error}); `bianlian actors fit` makes such a file of photos") from error
        self._bounds = np.concatenate([[0], ends])
        n, known = len(self.names), len(head.identity)
        shapes = (self._shapes[0].shape, self._shapes[1].shape, len(self.info), len(ends), len(self._error))
        if not n or shapes != ((n, known), (n, 68, 3), n, n, n) or not all(np.isfinite(s).all() for s in self._shapes):
            raise InputError(f"{path} holds people that do not fit the head model; make it anew with `bianlian actors fit`")
        if [c.shape for c in self._camera] != [(n,), (n, 3, 3), (n, 2)]:
            raise InputError(f"{path} holds cameras that are none; make it anew with `bianlian actors fit`")
        self._known: dict[str, Actor] = {}

    def fitted(self, name: str) -> Fitted:
        """Give what somebody's photo gave. Raises InputError for an unknown name."""
        k = self._row(name)
        (coefficients, offsets), (scale, rotation, shift) = self._shapes, self._camera
        return Fitted(coefficients[k], offsets[k], float(scale[k]), rotation[k], shift[k], float(self._error[k]))

    def person(self, name: str) -> Actor:
        """Give somebody by their own name. Raises InputError for an unknown name or a damaged texture."""
        if name not in self._known:
            k = self._row(name)
            jpeg = self._jpeg[self._bounds[k] : self._bounds[k + 1]]
            texture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB) if len(jpeg) else None
            if texture is None or texture.shape != (ATLAS_HEIGHT, ATLAS_WIDTH, 3):
                raise InputError(f"the texture of {name} in {self._path} is damaged; make the file anew with `bianlian actors fit`")
            vertices = self.head.shape(*(s[k] for s in self._shapes))
            self._known[name] = Actor(name, vertices, np.asarray(texture, np.uint8), dict(self.info[k]))
        return self._known[name]

    def find(self, text: str) -> Actor:
        """Give somebody by what a user writes: a name, ``ana+ben``, ``ana*2+ben``, or ``random:7``. Raises InputError."""
        if text.startswith(RANDOM):
            if not text.removeprefix(RANDOM).isdecimal():
                raise InputError(f"{text!r} is no random person; wanted random: and a number of 0 or more")
            return self.random(np.random.default_rng(int(text.removeprefix(RANDOM))), text)
        parts = [part.partition("*") for part in text.split("+")]
        if len(parts) == 1 and not parts[0][1]:
            return self.person(text)
        try:
            weights = [float(weight) if star else 1.0 for _, star, weight in parts]
        except ValueError as error:
            raise InputError(f"{text!r} is no mix of people; wanted NAME+NAME or NAME*2+NAME") from error
        if not (np.isfinite(weights).all() and min(weights) >= 0 and sum(weights) > 0):
            raise InputError(f"the weights of {text!r} must be 0 or more, and not all 0")
        return mix(self.head, [self.person(name) for name, _, _ in parts], weights, text)

    def random(self, rng: np.random.Generator, name: str) -> Actor:
        """Mix someone of two or three people, of one gender where that is known. Raises InputError for less than two people."""
        if len(self.names) < 2:
            raise InputError(f"a random person is mixed of two or more, {self._path} holds {len(self.names)}")
        first = int(rng.integers(len(self.names)))
        gender = self.info[first].get("gender")
        others = [i for i in range(len(self.names)) if i != first]
        alike = [i for i in others if self.info[i].get("gender") == gender] or others
        count = min(len(alike), int(rng.integers(1, 3)))
        pick = [first, *(int(i) for i in rng.choice(alike, count, replace=False))]
        weights = rng.dirichlet(np.full(len(pick), 8.0)).tolist()
        return mix(self.head, [self.person(self.names[i]) for i in pick], weights, name, rng)

    def _row(self, name: str) -> int:
        if name not in self.names:
            raise InputError(f"{self._path} knows nobody called {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)
