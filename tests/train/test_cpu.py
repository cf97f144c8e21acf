"""What is set on the processor before training."""

from __future__ import annotations

import platform

import pytest
import torch

from bianlian.train.cpu import flush_tiny


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="a mode of x86 processors")
def test_what_is_nearer_to_nothing_than_a_number_can_say_in_full_is_nothing() -> None:
    tiny = torch.tensor([1e-30])
    torch.set_flush_denormal(False)  # another test may have trained
    try:
        assert float(tiny * 1e-9) > 0
        assert flush_tiny()
        assert float(tiny * 1e-9) == 0
        assert float(tiny * 1e-7) > 0
    finally:
        torch.set_flush_denormal(False)
