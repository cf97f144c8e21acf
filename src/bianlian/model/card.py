"""What a table of models says about one: ``bianlian models``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelCard:
    """About a model. purpose: what it is for; origin: where its idea comes from; licence: of its code (SPDX)."""

    purpose: str
    origin: str
    licence: str = "Apache-2.0"
