"""``bianlian train``: facesets of some people -> a run that can swap them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Annotated, Literal, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tyro.conf import Positional, arg

from bianlian.config import assigned
from bianlian.errors import Interrupted
from bianlian.train.loop import Limits, train
from bianlian.train.start import BASE, Choices, begin, resume

DEFAULT_ITERATIONS = 20_000


@dataclass(frozen=True)
class Train:
    """Train a model on the facesets of two or more people; any of them can then be put into footage of the others.

    Ctrl-C saves and stops; --resume goes on. Look at the pictures in RUN/previews to see when it is good enough.
    """

    facesets: Positional[tuple[Path, ...]] = ()
    """Facesets, one a person. May be left out with --resume."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("runs/run")
    """Folder of the run."""

    model: str = "deepfake"
    """Model: deepfake, gan, octgan, rgba, facereplace, or a plug-in; `bianlian models` tells them apart."""

    size: int = 128
    """Side of the pictures that the model draws, in pixels: 64, 128 or 256."""

    width: Literal["auto", "light", "full"] = "auto"
    """Width of the network: full is the reference, light trains on a CPU. auto: full where there is a GPU."""

    iterations: int | None = None
    """Stop when the run has this many iterations in all (20 000 when neither this nor --minutes is given)."""

    minutes: float | None = None
    """Stop after this many minutes of training."""

    resume: bool = False
    """Go on with the run in the folder, with its own settings."""

    start: Annotated[str, arg(name="from")] = BASE
    """Weights to start new people from: base (shipped, trained on virtual people), scratch, or a weights file."""

    batch: int | None = None
    """Faces of each person a step; 8 on a CPU, 64 on a GPU when left out."""

    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """Arithmetic: auto takes bf16 where the device computes in it."""

    lr: float | None = None
    """Learning rate; the model's own when left out (deepfake: 5e-5 for full, 4e-4 for light)."""

    preview_every: int = 300
    """Write a picture to previews/ every so many iterations."""

    save_every: int = 500
    """Save a checkpoint every so many iterations; the newest two stay."""

    seed: int = 0
    """Fixes the first weights and the order of the faces."""

    set: tuple[str, ...] = ()
    """More settings of the model, such as octave=0.25 or weights.cycle=10; docs/models.md names them."""

    augment: tuple[str, ...] = ()
    """Settings of the augmentation, such as match=0.5 motion=0.25 denoise=true; docs/models.md names them."""

    def run(self) -> None:
        """Train, show progress, save. Raises Interrupted after Ctrl-C (saved), and the errors of ``train.loop.train``."""
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        iterations = DEFAULT_ITERATIONS if self.iterations is None and self.minutes is None else self.iterations
        limits = Limits(iterations, self.minutes, self.preview_every, self.save_every)
        begun = (
            resume(self.out, self.facesets) if self.resume else begin(self.out, self.facesets, self.choices(), note=console.print)
        )
        for faceset in begun.facesets:
            console.print(f"{faceset.person}: {faceset.kept_count} faces of {faceset.path}")
        with stopping(console) as stop, watching(console, limits) as watch:
            result = train(begun, self.out, limits, stop=stop, watch=watch)
        share = 100 * result.waited / max(result.seconds, 1e-9)
        done = f"{self.out}: iteration {result.iteration} after {result.seconds:.0f} s ({share:.1f} % of it waiting for faces)"
        if stop():
            raise Interrupted(f"{done}; saved, go on with --resume")
        Console(highlight=False, markup=False, soft_wrap=True).print(f"{done}; previews in {self.out / 'previews'}")

    def choices(self) -> Choices:
        """Gather what was chosen for a new run."""
        return Choices(
            self.model,
            self.size,
            self.width,
            self.lr,
            self.batch,
            self.precision,
            self.start,
            self.seed,
            DEFAULT_ITERATIONS if self.iterations is None and self.minutes is None else self.iterations,
            assigned(self.set),
            assigned(self.augment),
        )


@contextmanager
def stopping(console: Console) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish to stop -> a function that tells whether it came; the second one kills."""
    asked = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        console.print("stopping after this step and saving (once more to stop at once)")

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def watching(console: Console, limits: Limits) -> Iterator[Watch]:
    """Show losses, speed and time left: a bar on a terminal, a line every ten seconds elsewhere."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        yield Watch(console, bars, limits)


@final
class Watch:
    """Shows the steps of a training run."""

    def __init__(self, console: Console, bars: Progress, limits: Limits) -> None:
        self._console, self._bars, self._limits = console, bars, limits
        self._task = bars.add_task("training", total=1.0)
        self._first: tuple[int, float] | None = None
        self._next = 0.0

    def __call__(self, iteration: int, seconds: float, losses: Mapping[str, float]) -> None:
        """Show one report of the loop, see ``train.loop.Watcher``."""
        if self._first is None:
            self._first = (iteration, seconds)
        steps, spent = iteration - self._first[0], seconds - self._first[1]
        rate = steps / spent if spent > 0 else 0.0
        shares = [0.0]
        if self._limits.iterations:
            shares.append(iteration / self._limits.iterations)
        if self._limits.minutes:
            shares.append(seconds / 60 / self._limits.minutes)
        each = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        text = f"iteration {iteration}  {rate:.2f}/s  {each}"
        self._bars.update(self._task, completed=min(1.0, max(shares)), description=text)
        if not self._console.is_terminal and monotonic() >= self._next:
            self._next = monotonic() + 10
            self._console.print(f"{text}  {100 * min(1.0, max(shares)):.0f} %")
            sys.stderr.flush()
