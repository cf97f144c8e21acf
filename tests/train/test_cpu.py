"""What is set on the processor before training."""

from __future__ import annotations

import platform

import pytest
import torch

from bianlian.train.cpu import flushed


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="a mode of x86 processors")
def test_what_is_nearer_to_nothing_than_a_number_can_say_in_full_is_nothing_for_a_while() -> None:
    tiny = torch.tensor([1e-30])
    assert float(tiny * 1e-9) > 0
    with flushed(), flushed():
        assert float(tiny * 1e-9) == 0
        assert float(tiny * 1e-7) > 0
    assert float(tiny * 1e-9) > 0
