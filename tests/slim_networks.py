"""Networks for tests: the light ones of 64 px at a quarter of their widths, a sixteenth of the work."""

from __future__ import annotations

import pytest

from bianlian.model.autoencoder import WIDTHS, Widths
from bianlian.model.gan_nets import JUDGE


def slim_networks(patch: pytest.MonkeyPatch) -> None:
    """Narrow the light networks of 64 px until ``patch`` is undone."""
    patch.setitem(WIDTHS, ("light", 64), Widths((16, 32, 64, 48), 96, 48, (32, 16, 8)))
    patch.setitem(JUDGE, "light", (8, 16, 32, 32))
