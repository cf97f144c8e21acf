"""How good a swap is, in numbers: one file a metric, controls with every run, a report to look at.

from bianlian.score import score, write_report
found = score(Path("out.mp4"), Path("target.mp4"), Path("faces/anna"))
write_report(found, Path("report"))
"""

from __future__ import annotations

from bianlian.score.report import write_report
from bianlian.score.score import Score, score
from bianlian.score.settings import ScoreSettings

__all__ = ["Score", "ScoreSettings", "score", "write_report"]
