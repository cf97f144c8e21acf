"""Settings of a swap, checked before any work begins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bianlian.errors import ConfigError
from bianlian.plugins import names
from bianlian.provenance.label import SPANS, TEXTS, Language, Span
from bianlian.swap.paste import ERODE, FEATHER
from bianlian.swap.refine import SHARE as REFINED
from bianlian.swap.shade import SHARE
from bianlian.swap.sharpen import GRAIN, LIMIT
from bianlian.video import Encoding
from bianlian.video.span import read_moment

FACES = re.compile(r"main|all|\d{1,9}(,\d{1,9})*")
"""Whose faces are swapped: those of the most prominent person, every one, or those of the tracks with these numbers."""

MASKS = ("hull", "face", "learned")
"""What of a face can be replaced."""


@dataclass(frozen=True)
class SwapSettings:
    """How a target is swapped. The defaults are the best of those measured; see each module.

    detector, landmarker, describer, blend, color: plug-in names. mask: what is replaced: ``hull``, the inner face; ``face``, the
    forehead too; ``learned``, the inner face less what is in front of it (``swap.front``). erode, feather: of the mask, % of face
    size (``mask.hull``). refine: share of the refiner's correction (``swap.refine``). shade: share of the target's light and shade
    that is taken over (``swap.shade``). sharpen: highest gain of the finest detail. grain: grey levels of target texture laid over
    the face. These four: 0 for off. super: refine faces much larger than the network's at up to four times its resolution. faces:
    ``main``, ``all``, or track numbers such as ``0,3``. who: whose face is replaced: a name in the tracks (``person1``), or the
    path of a picture or a folder of pictures; takes the place of ``faces``. sure: distance of
    descriptions up to which a face is taken to be that person's, None for the describer's own. smooth: sigma of the landmarks'
    smoothing over time, seconds. fade: seconds over which a face that comes or goes fades (``swap.fade``). steady: seconds over
    which colour may follow the light, 0 for each frame by itself. gap: seconds without a detection that are bridged. smallest:
    pixels of face size below which a face is left alone. batch: faces a call of the network. segment: frames that are finished
    together and outlive an interruption (``swap.work``); each begins with a key frame, which encoders set about as often by
    themselves. start, end: the part of the target that is swapped and written, the end left out: times since its first frame
    (``62.5``, ``1:02.5``) or frames (``120f``), see ``video.find_span``. encoding: of a video. label: whether the picture says
    that it was made by a machine, ``none``, ``start`` (the first three seconds) or ``all``; label_lang: in what language, ``zh``
    or ``en``. There is no setting for the marks that do not show: every output has them.
    Raises ConfigError for a value out of range or an unknown name.
    """

    detector: str = "duo"
    landmarker: str = "facemesh"
    describer: str = "dlib"
    mask: str = "learned"
    blend: str = "mask"
    color: str = "lab"
    erode: float = ERODE
    feather: float = FEATHER
    refine: float = REFINED
    super: bool = False
    shade: float = SHARE
    sharpen: float = LIMIT
    grain: float = GRAIN
    faces: str = "main"
    who: str | None = None
    sure: float | None = None
    smooth: float = 0.06
    fade: float = 0.16
    steady: float = 0.2
    gap: float = 0.3
    smallest: float = 16.0
    batch: int = 8
    segment: int = 250
    start: str | None = None
    end: str | None = None
    encoding: Encoding = field(default_factory=Encoding)
    label: Span = "none"
    label_lang: Language = "en"

    def __post_init__(self) -> None:
        for kind, name in (
            ("detector", self.detector),
            ("landmarker", self.landmarker),
            ("describer", self.describer),
            ("blend", self.blend),
            ("color", self.color),
        ):
            if name not in names(kind):
                raise ConfigError(f"{kind} must be one of {', '.join(names(kind))}, got {name!r}")
        if self.mask not in MASKS:
            raise ConfigError(f"mask must be one of {', '.join(MASKS)}, got {self.mask!r}")
        if self.label not in SPANS or self.label_lang not in TEXTS:
            wanted = f"label must be one of {', '.join(SPANS)} and label_lang one of {', '.join(TEXTS)}"
            raise ConfigError(f"{wanted}, got {self.label!r} and {self.label_lang!r}")
        if not FACES.fullmatch(self.faces):
            raise ConfigError(f"faces must be main, all, or track numbers such as 0,3, got {self.faces!r}")
        if self.who is not None and self.faces != "main":
            raise ConfigError(f"who and faces both say whose face is replaced: {self.who!r} and {self.faces!r}; give one of them")
        if self.super and self.refine <= 0:
            raise ConfigError("super is what the refiner does at a higher resolution: it needs refine above 0")
        for moment in (self.start, self.end):
            if moment is not None:
                read_moment(moment)
        if self.sure is not None and not 0 < self.sure <= 2:
            raise ConfigError(f"sure must lie in (0, 2], got {self.sure}")
        for name, value, low, high in (
            ("erode", self.erode, -50, 50),
            ("feather", self.feather, 0, 100),
            ("refine", self.refine, 0, 1),
            ("shade", self.shade, 0, 1),
            ("sharpen", self.sharpen, 0, 10),
            ("grain", self.grain, 0, 255),
            ("smooth", self.smooth, 0, 2),
            ("fade", self.fade, 0, 5),
            ("steady", self.steady, 0, 60),
            ("gap", self.gap, 0, 5),
            ("smallest", self.smallest, 4, 4096),
            ("batch", self.batch, 1, 1024),
            ("segment", self.segment, 1, 1_000_000),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} must lie in [{low}, {high}], got {value}")
