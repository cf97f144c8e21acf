"""``bianlian`` with slim networks, for ``torchrun`` to start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

if __name__ == "__main__":
    from bianlian.cli import main
    from slim_networks import slim_networks

    with pytest.MonkeyPatch.context() as patch:
        slim_networks(patch)
        sys.exit(main(sys.argv[1:]))
