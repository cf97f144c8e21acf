"""Coverage: in how many frames with a face in the target there is one in the output.

Definition: frames in which the landmark network sees a face in the output, where the target's face is, over frames in which it
sees the target's. Ours.
"""

from __future__ import annotations

from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair

CARD = Card(
    name="coverage",
    title="Faces kept",
    unit="%",
    better="up",
    ideal=100.0,
    says="frames with a face in the output, of those with a face in the target",
    source="share of frames; ours",
    digits=1,
    part="steadiness",
    bad=80.0,
    good=100.0,
)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    return (100.0 if now.out.landmarks is not None else 0.0,)


METRIC = Metric(CARD, _look, near(100.0, 0.0, 5.0))
