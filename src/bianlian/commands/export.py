"""``bianlian export``: a trained run -> a network file for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian.swap.export import export


@dataclass(frozen=True)
class Export:
    """Write the network that draws one person of a run: FILE.onnx, or FILE.xml with FILE.bin (OpenVINO).

    It takes and gives aligned faces, (N, 3, S, S) floats in [0, 1], and some models a mask as a fourth channel; FILE.json beside it
    says so, and how they are aligned. The file is read back and compared with the run's own network before the command ends.
    """

    run_folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of a run that `bianlian train` made."""

    to: str
    """Whose face is drawn."""

    out: Annotated[Path, arg(aliases=["-o"])]
    """File to write; .onnx or .xml decides the format."""

    weights: Literal["f32", "f16", "int8"] = "f32"
    """How weights are stored in an .xml file: f16 half as large, int8 a quarter, with small differences."""

    at: int | None = None
    """Iteration of a snapshot (train --snapshot-every); the newest checkpoint when left out."""

    def run(self) -> None:
        """Write and compare. Raises RunError, ConfigError, OutputError."""
        told = export(self.run_folder, self.to, self.out, weights=self.weights, at=self.at)
        Console(highlight=False, markup=False, soft_wrap=True).print(
            f"{self.out}: {told.person}, {told.size} px, {told.bytes / 1e6:.1f} MB, differs by {told.difference:.1g} at most"
        )
