"""Settings of the ``gan`` model: networks, weights of its losses, and the schedule by which they change, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bianlian.errors import ConfigError
from bianlian.model.octave import check_octave

SIZES = (64, 128, 256)
WIDTHS = ("light", "full")
MOST_DENSE = 1 << 14


@dataclass(frozen=True)
class GanWeights:
    """Weights of the losses, of pictures in [-1, 1].

    adversarial, reconstruction, edge (an axis), mask (mean of the mask), hinge (in its place where the schedule says so), variation
    (of the mask, an axis): as named. eyes: on the error under the eye mask, in reconstruction and edge. perceptual: of maps at 1/2,
    1/4, 1/8 and 1/32 of the side. cycle: of the way to the next person and back (10 in the reference, where it is off too);
    cycle_mask: of the difference of the masks there, times cycle. hidden, bare: of the mask's cross-entropy where something is put
    before the face, and where the face is seen, see ``masked.front_loss``; they count where things are put before faces.
    """

    adversarial: float = 0.1
    reconstruction: float = 1.0
    eyes: float = 30.0
    edge: float = 0.1
    perceptual: tuple[float, float, float, float] = (0.1, 0.3, 0.1, 0.01)
    mask: float = 0.01
    hinge: float = 0.1
    variation: float = 0.1
    cycle: float = 0.0
    cycle_mask: float = 0.01
    hidden: float = 1.0
    bare: float = 1.0

    def __post_init__(self) -> None:
        singles = (self.adversarial, self.reconstruction, self.eyes, self.edge, self.mask, self.hinge, self.variation, self.cycle)
        if min(*singles, self.cycle_mask, self.hidden, self.bare, *self.perceptual) < 0:
            raise ConfigError(f"loss weights must be 0 or more, got {self}")


@dataclass(frozen=True)
class Phase:
    """What holds from a share ``start`` of the iterations on.

    adversarial: whether there are judges; without them a step is two of the artists alone, one on each half of the faces.
    perceptual: whether that loss counts. hinge: the mask is pushed above this value (0 to 1) in place of being kept small.
    rate: factor of the learning rates. rotate: on entering, each decoder takes the weights of the next person's.
    """

    start: float
    adversarial: bool = True
    perceptual: bool = True
    hinge: float | None = None
    rate: float = 1.0
    rotate: bool = False


SCHEDULE = (
    Phase(0.0, perceptual=False),
    Phase(1 / 5),
    Phase(3 / 10, hinge=0.5),
    Phase(2 / 5, hinge=0.2),
    Phase(1 / 2, hinge=0.4),
    Phase(2 / 3, rate=0.3),
    Phase(8 / 10, hinge=0.1, rate=0.3, rotate=True),
    Phase(9 / 10, rate=0.1),
)
"""The reference's schedule. Its learning rate factors are read as factors of the first rate, not of the one before."""
SHORT_SCHEDULE = (
    Phase(0.0, adversarial=False, perceptual=False, hinge=0.98, rate=2.0),
    Phase(1 / 2, hinge=0.98),
    Phase(9 / 10, hinge=0.98, rate=0.3),
)
"""For people who start from the base, and for minutes. A step with judges and perceptual loss costs two of the artists' alone,
so who is who is learned first, at ``deepfake``'s rate, and looks come after. Decoders of people who are known already are not
exchanged, and the mask starts open and is kept so. Kept small it closes to 0.53 to 0.68 over the bare face in 600 steps (a face
of one's own under it is the best copy), and a swap shows the target through; a hinge of 0.95 and half the first rate left 18
and 41 % of two pairs' frames nearest to the source, these 71 and 65 %. What is in front of a face is seen by ``visible``.
"""
SCHEDULES = {"reference": SCHEDULE, "short": SHORT_SCHEDULE}


def phase_at(schedule: tuple[Phase, ...], iteration: int, total: int, clock: float = 0.0) -> tuple[Phase, bool]:
    """Find what holds in an iteration -> the phase, and whether this is its first iteration.

    schedule: in order, the first one from 0. iteration: 0 for the first. total: T, iterations of the whole schedule; the last phase
    stays after them. clock: share of the run's minutes that are over, 0 to 1; it counts where it is ahead of the iterations.
    """
    index = max(k for k, phase in enumerate(schedule) if iteration >= _begins(phase, total) or clock >= phase.start)
    return schedule[index], iteration == _begins(schedule[index], total)


def _begins(phase: Phase, total: int) -> int:
    return round(phase.start * total)


@dataclass(frozen=True)
class GanConfig:
    """Settings of the ``gan`` model.

    size: side of the crops in pixels, 64, 128 or 256. width: ``full`` (the reference) or ``light`` (the base's autoencoder, made
    adversarial; for CPUs). dense: length of the code of ``full`` (1024; 2048 is the reference's lighter variant above 64 px).
    norm: ``instance`` or ``none``, of ``full`` and of the judges. judges: one for ``each`` person, or ``one`` for all.
    adversarial: ``mixup`` (least squares, real and drawn mixed) or ``relativistic`` (average, least squares). mixing: both
    parameters of the beta distribution of the mix. lr: Adam's step of encoder and decoders; judge_rate: that of the judges, times
    lr. betas, weight_decay: Adam's. iterations: T of the schedule; schedule: ``reference`` or ``short``. perceptual: name in the
    table of perceptual networks, or ``none``; perceptual_file: its weights, where they neither ship nor have an address.
    octave: share of channels at half resolution. visible: the mask is shut where the mask that ships sees something in front of the
    face, see ``visible.Visible``. face: weight of ``deepfake``'s loss (absolute, structural and edge, each weighted to the face) of
    what is drawn, without the mask; 0 in the reference.
    """

    size: int = 128
    width: str = "light"
    dense: int = 1024
    norm: Literal["instance", "none"] = "instance"
    judges: Literal["each", "one"] = "each"
    adversarial: Literal["mixup", "relativistic"] = "mixup"
    mixing: float = 0.2
    lr: float = 1e-4
    judge_rate: float = 2.0
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-4
    iterations: int = 40_000
    schedule: Literal["reference", "short"] = "reference"
    perceptual: str = "base"
    perceptual_file: str = ""
    octave: float = 0.0
    visible: bool = False
    face: float = 0.0
    weights: GanWeights = field(default_factory=GanWeights)

    def __post_init__(self) -> None:
        check_octave(self.octave)
        if self.size not in SIZES or self.width not in WIDTHS:
            raise ConfigError(f"gan has widths light and full at 64, 128 and 256 px, got {self.width!r} at {self.size} px")
        if not (self.lr > 0 and self.judge_rate > 0 and self.mixing > 0):
            raise ConfigError(f"lr, judge_rate and mixing must be above 0, got {self.lr}, {self.judge_rate} and {self.mixing}")
        if self.face < 0:
            raise ConfigError(f"face must be 0 or more, got {self.face}")
        if self.weight_decay < 0 or self.iterations < 1 or not 1 <= self.dense <= MOST_DENSE:
            raise ConfigError(
                f"weight_decay must be 0 or more, iterations 1 or more, dense 1 to {MOST_DENSE}, got {self.weight_decay},"
                f" {self.iterations} and {self.dense}"
            )
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must lie in [0, 1), got {self.betas}")

    @property
    def base(self) -> tuple[str, int] | None:
        """Width and size of the base that fits: that of the autoencoder inside ``light``."""
        return ("light", self.size) if self.width == "light" and not self.octave else None
