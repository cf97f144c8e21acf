"""Say under which terms weights come, when they are not free for every use."""

from __future__ import annotations

import warnings

from bianlian.errors import TermsWarning
from bianlian.weights import WeightsCard


def show_terms(card: WeightsCard) -> None:
    """Warn, in one line, of the terms of a card's weights."""
    message = f"the weights {card.name} ({card.origin}) come under other terms than bianlian: {card.licence}; {card.licence_url}"
    warnings.warn(message, TermsWarning, stacklevel=3)
