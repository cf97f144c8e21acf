"""How a run trains, apart from the model's own settings: batches a step, learning rate over time, average, fairness to people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bianlian.errors import ConfigError

MOST_BATCHES = 1024
"""Of a step."""
FLOOR = 0.02
"""Share of the learning rate that a falling schedule ends at."""


def constant(_: float) -> float:
    """Keep the rate. -> 1."""
    return 1.0


def cosine(share: float) -> float:
    """Let the rate fall along half a cosine wave, slowly at both ends. share: of the planned iterations, [0, 1] -> [0.02, 1]."""
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * share)) / 2


def linear(share: float) -> float:
    """Let the rate fall along a line. share: of the planned iterations, [0, 1] -> [0.02, 1]."""
    return 1 - (1 - FLOOR) * share


SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType({"constant": constant, "cosine": cosine, "linear": linear})
"""Name -> factor of the learning rate by the share of the planned iterations that is done."""


@dataclass(frozen=True)
class TrainSettings:
    """How a run trains.

    accumulate: batches whose gradients make one step; memory is that of one. schedule: a name in ``SCHEDULES``; planned:
    iterations that a falling one is laid out for, 0 for none. warm_up: steps over which the rate rises to its value. average:
    share of the moving average of the weights that stays, a step; 0 for no average. held_out: share of each person's faces that
    training never sees. balance: how strongly the batches favour who is drawn worse, 0 for equal batches; balance_every:
    iterations between two looks at that.
    """

    accumulate: int = 1
    schedule: str = "constant"
    planned: int = 0
    warm_up: int = 20
    average: float = 0.99
    held_out: float = 0.1
    balance: float = 0.0
    balance_every: int = 250

    def __post_init__(self) -> None:
        if not 1 <= self.accumulate <= MOST_BATCHES:
            raise ConfigError(f"accumulate must be 1 to {MOST_BATCHES}, got {self.accumulate}")
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"no schedule is called {self.schedule!r}; there are: {', '.join(SCHEDULES)}")
        if self.schedule != "constant" and self.planned < 1:
            raise ConfigError(f"the schedule {self.schedule} needs a planned end: give --iterations")
        if self.planned < 0 or self.warm_up < 0:
            raise ConfigError(f"planned and warm_up must be 0 or more, got {self.planned} and {self.warm_up}")
        if not (0 <= self.average < 1 and 0 <= self.held_out <= 0.5):
            raise ConfigError(f"average must lie in [0, 1) and held_out in [0, 0.5], got {self.average} and {self.held_out}")
        if not 0 <= self.balance <= 4 or self.balance_every < 1:
            raise ConfigError(
                f"balance must lie in [0, 4] and be looked at every 1 or more, got {self.balance}, {self.balance_every}"
            )

    def rate(self, iteration: int) -> float:
        """Factor of the learning rate of the step after ``iteration`` steps. -> (0, 1]."""
        risen = min(1.0, (iteration + 1) / max(1, self.warm_up))
        return risen * SCHEDULES[self.schedule](min(1.0, iteration / max(1, self.planned)))

    def stays(self, iteration: int) -> float:
        """Share of the moving average that stays at step ``iteration``, 1 or more; less in the first steps."""
        return min(self.average, iteration / (iteration + 10))
