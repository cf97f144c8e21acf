"""BlazeFace and MTCNN together: one is fast and knows turned faces, the other finds the small ones of a crowd.

BlazeFace looks at the whole picture. That is all when it finds one or two large faces and doubts none, as in most footage.
Otherwise MTCNN searches the picture at full size. What it is all but sure of is kept; any other face that it proposes is looked at
close up by BlazeFace's short-range network, level and from the other three sides, and both scores decide, the closer look's twice:
of 2460 faces of 9 to 90 pixels that MTCNN finds in drawn crowds all but 4 are kept, and of its 18 doubtful false alarms on 1128
views without a face none. When there is still nothing, BlazeFace looks at the picture turned by quarters, and MTCNN at turned
copies, for faces not quite as small.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bianlian.detect._blazenet import OVERLAP, Candidate
from bianlian.detect.blazeface import SMALL, BlazeFace, distinct, face_of, is_new
from bianlian.detect.pyramid import Pyramid
from bianlian.detect.turned import turn, turned_back
from bianlian.errors import ConfigError
from bianlian.geometry import iou
from bianlian.types import Face, Image, check_image
from bianlian.weights import CARDS, locate

if TYPE_CHECKING:
    from bianlian.detect.mtcnn import Mtcnn

_CROWD = 3  # so many faces in the whole view hint at more
_FINEST = 160  # faces below this part of the longer side are not looked for: bounds the time for very large pictures
_TURNED_FINEST = 24  # the same for turned copies, of which there are three
_SURE = 0.96  # a face that MTCNN is as sure of needs no second opinion: what it wrongly takes for one scores less
_DOUBT = 0.77
"""A face that BlazeFace scores lower may lie elsewhere, as one half covered does: MTCNN is asked, and believed where it is sure."""
_ELSEWHERE = 0.7
_NOT_SMALLER = 0.4  # of the smallest face that BlazeFace found: where it doubts that alone, no crowd of smaller ones is searched
_SIDE = 1.12  # side of BlazeFace's square over that of the box from brow to chin


class Duo:
    """Finds faces with BlazeFace and MTCNN; keeps the contract ``Detector``. For one thread at a time.

    threshold: least score of a face that BlazeFace finds, in [0, 1]. crowd_threshold: least score of a face that MTCNN finds, both
    opinions weighed (one third its own). smallest: side in pixels of the smallest face looked for. rotate: search turned copies of
    a picture in which no upright face is found.
    """

    def __init__(self, *, threshold: float = 0.65, crowd_threshold: float = 0.72, smallest: int = 16, rotate: bool = True) -> None:
        """Load all networks. Raises ConfigError for a setting out of range and WeightsError when weights cannot be had."""
        if not 0 <= crowd_threshold <= 1:
            raise ConfigError(f"crowd_threshold must lie in [0, 1], got {crowd_threshold}; 0.72 is the default")
        self._blaze = BlazeFace(threshold=threshold, tiles=False, rotate=False)
        if smallest < 12:
            raise ConfigError(f"smallest must be 12 or more, got {smallest}; 16 is the default")
        for name in ("mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet"):
            locate(CARDS[name])
        self._threshold, self._smallest, self._rotate = crowd_threshold, smallest, rotate

    @cached_property
    def _mtcnn(self) -> Mtcnn:
        """Load MTCNN, and torch with it, when a picture first needs it: footage of one large face never does."""
        from bianlian.detect.mtcnn import Mtcnn

        return Mtcnn(min_face=self._smallest, rotate=False)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; each carries ``five`` landmarks (mouth corners estimated, see ``blazeface``).

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first.
        """
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        return [[face_of(c) for c in self._search(image)] for image in images]

    def glance(self, images: Sequence[Image]) -> list[list[Face]]:
        """Let BlazeFace look once at the whole of each picture, see ``Glancing``."""
        return self._blaze.glance(images)

    def _search(self, image: Image) -> list[Candidate]:
        pyramid, (height, width) = Pyramid(image), image.shape[:2]
        found, proposed = self._blaze.whole(pyramid, width, height)
        large = bool(found) and min(c.side for c in found) >= SMALL * max(width, height)
        finest = max(self._smallest, max(width, height) // _FINEST)
        if large and len(found) == proposed < _CROWD:
            if min(c.score for c in found) >= _DOUBT:
                return found
            finest = max(finest, int(_NOT_SMALLER * min(c.side for c in found)))
        faces = self._mtcnn.upright([image], finest)[0]
        found = [c for c in found if c.score >= _DOUBT or not any(_elsewhere(c, face) for face in faces)]
        found = distinct([*found, *self._confirm(pyramid, faces, found)])
        if found or not self._rotate:
            return found
        return self._blaze.turned(pyramid, width, height) or self._turned(pyramid, image)

    def _turned(self, pyramid: Pyramid, image: Image) -> list[Candidate]:
        finest = max(self._smallest, max(image.shape) // _TURNED_FINEST)
        copies = [turn(image, degrees) for degrees in (90, 270, 180)]
        faces = self._mtcnn.upright([copy for copy, _ in copies], finest)
        back = [turned_back(f, frame_from_copy) for (_, frame_from_copy), there in zip(copies, faces, strict=True) for f in there]
        return self._confirm(pyramid, back, ())

    def _confirm(self, pyramid: Pyramid, faces: Sequence[Face], known: Sequence[Candidate]) -> list[Candidate]:
        """Keep MTCNN's new faces that it is sure of, as they are, and those that BlazeFace confirms, with its box and points."""
        kept = []
        for proposal in map(_proposal, faces):
            if not is_new(proposal, known):
                continue
            if proposal.score >= _SURE:
                kept.append(proposal)
            elif (closer := self._blaze.closer(pyramid, proposal)) is not None:
                kept.append(Candidate((proposal.score + 2 * closer.score) / 3, closer.centre, closer.side, closer.points))
        return distinct([candidate for candidate in kept if candidate.score >= self._threshold])


def _elsewhere(candidate: Candidate, face: Face) -> bool:
    """Tell whether MTCNN is sure of the same face, but in another place."""
    return face.score >= _SURE and OVERLAP < iou(_proposal(face).square, candidate.square) < _ELSEWHERE


def _proposal(face: Face) -> Candidate:
    """Make a face with five points a candidate; the points that the five lack are left where the eyes are."""
    if face.landmarks is None:
        raise ConfigError("a face without landmarks cannot be looked at close up")
    five = face.landmarks.points
    points = np.concatenate([five[:3], five[3:].mean(0, keepdims=True), five[:2]])
    return Candidate(face.score, (face.box[:2] + face.box[2:]) / 2, _SIDE * float(np.sqrt(face.area)), points)
