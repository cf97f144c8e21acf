"""Find the face that was swapped, frame by frame, without detecting in every frame.

The tracks that a swap wrote beside its output say where faces are; without them faces are detected once in a while and followed by
their landmarks in between. Of several faces the one whose pixels the output changed most is the one that was swapped; it is kept
until it is lost, or the picture cuts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import cv2
import numpy as np

from bianlian.detect import Detector
from bianlian.geometry import iou
from bianlian.landmark import Landmarker
from bianlian.swap.tracks import Analysis
from bianlian.types import Face, Image

AGAIN = 30
"""Frames after which faces are detected again, to see whether another one is the swapped one."""
CUT = 20.0
"""Mean change of the frame's thumbnail, grey levels, from which on it is another shot."""
CHANGED = 2.0
"""Mean change of a face's pixels by the output, grey levels, below which it counts as untouched."""
_THUMB = (32, 18)


@final
class Follower:
    """Follows the swapped face. For one thread at a time; frames come in order."""

    def __init__(self, detector: Detector, landmarker: Landmarker, analysis: Analysis | None = None) -> None:
        self._detector, self._landmarker = detector, landmarker
        self._tracks = None if analysis is None else _by_frame(analysis)
        self._last: Face | None = None
        self._since = AGAIN
        self._thumb: Image | None = None
        self.cut = False
        """Whether the last frame began another shot."""

    def find(self, index: int, target: Image, out: Image) -> Face | None:
        """Find the swapped face of a frame in the target -> roughly where it is, with landmarks; None where there is none."""
        thumb = np.asarray(cv2.resize(target, _THUMB, interpolation=cv2.INTER_AREA), np.uint8)
        self.cut = self._thumb is not None and float(np.abs(self._thumb.astype(np.float32) - thumb).mean()) > CUT
        self._thumb = thumb
        if self._tracks is not None:
            faces = list(self._tracks.get(index, ()))
        else:
            if not self.cut and self._last is not None and self._since < AGAIN:
                self._since += 1
                return self._last
            marked = self._landmarker.mark(target, self._detector.detect([target])[0])
            faces = [f for f in marked if f is not None and f.landmarks is not None]
            self._since = 0
        self._last = _swapped(faces, target, out, None if self.cut else self._last)
        return self._last

    def saw(self, face: Face | None) -> None:
        """Learn where the landmarks are in the target; None: they are lost."""
        self._last = face if face is not None or self._tracks is not None else None


def _by_frame(analysis: Analysis) -> Mapping[int, Sequence[Face]]:
    found: dict[int, list[Face]] = {}
    for track in analysis.tracks:
        for point in track.points:
            if point.face.landmarks is not None:
                found.setdefault(point.frame, []).append(point.face)
    return found


def _swapped(faces: Sequence[Face], target: Image, out: Image, last: Face | None) -> Face | None:
    if not faces:
        return None
    if len(faces) == 1:
        return faces[0]
    changes = [_change(face, target, out) for face in faces]
    if max(changes) > CHANGED:
        return faces[int(np.argmax(changes))]
    if last is not None:
        return max(faces, key=lambda f: iou(f.box, last.box))
    return max(faces, key=lambda f: f.area)


def _change(face: Face, target: Image, out: Image) -> float:
    height, width = target.shape[:2]
    x1, y1, x2, y2 = (int(v) for v in np.clip(face.box.round(), 0, (width, height, width, height)))
    if x2 <= x1 or y2 <= y1:
        return 0.0
    return float(cv2.absdiff(target[y1:y2, x1:x2], out[y1:y2, x1:x2]).mean())
