"""``bianlian train``: facesets of some people -> a run that can swap them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian.commands._faceshifter import train_from_photos
from bianlian.commands._watch import stopping, watching
from bianlian.config import assigned
from bianlian.errors import ConfigError, Interrupted
from bianlian.score.measure import Eyes as ScoreEyes
from bianlian.score.previews import PreviewJudge
from bianlian.train.evaluate import evaluate, open_eyes, told
from bianlian.train.faceshifter import has_recipe
from bianlian.train.loop import Limits, train
from bianlian.train.plateau import Judge, Plateau
from bianlian.train.processes import Processes, together
from bianlian.train.settings import TrainSettings
from bianlian.train.start import BASE, Begun, Choices, begin, resume
from bianlian.types import Note

DEFAULT_ITERATIONS = 20_000
FACESHIFTER, TUNED = "faceshifter", "tuned"


@dataclass(frozen=True)
class Train:
    """Train a model on the facesets of two or more people; any of them can then be put into footage of the others. The model
    tuned takes one person too, who can then be put into anybody's. The model faceshifter is trained on rendered swaps of many
    people, and then swaps from one photo (docs/oneshot.md).

    Ctrl-C saves and stops; --resume goes on. Look at the pictures in RUN/previews to see when it is good enough.
    """

    facesets: Positional[tuple[Path, ...]] = ()
    """Facesets, one a person; for faceshifter shards of rendered swaps, or folders of them. May be left out with --resume."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("runs/run")
    """Folder of the run."""

    model: str = "deepfake"
    """Model: deepfake, gan, octgan, rgba, facereplace, tuned, faceshifter, or a plug-in; `bianlian models` tells them apart."""

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
    """Weights to start new people from: base (shipped, trained on virtual people), scratch, or a weights file; faceshifter is what
    a swap from one photo starts from, and makes the model tuned."""

    batch: int | None = None
    """Faces of each person a step; 8 on a CPU, 64 on a GPU when left out."""

    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """Arithmetic: auto takes bf16 where the device computes in it."""

    accumulate: int = 1
    """Batches whose gradients make one step: a larger batch in the memory of a small one."""

    lr: float | None = None
    """Learning rate; the model's own when left out (deepfake: 5e-5 for full, 4e-4 for light)."""

    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """How the learning rate goes on after its warm-up; cosine and linear fall to 2 % at the end that --iterations plans."""

    warm_up: int = 20
    """Steps over which the learning rate rises to its value."""

    average: float = 0.99
    """Share of the moving average of the weights, which swaps use, that stays a step; 0 for the weights themselves."""

    held_out: float = 0.1
    """Share of each person's faces that training never sees, to judge it by; none of fewer than 20 faces."""

    balance: float = 0.0
    """Favour who is drawn worse on held-out faces in the batches: 1 in proportion, 0 not at all."""

    preview_every: int = 300
    """Write a picture to previews/ every so many iterations."""

    save_every: int = 500
    """Save a checkpoint every so many iterations; the newest two stay."""

    backup_every: int = 5000
    """Keep a checkpoint every so many iterations beside the newest two (the newest three of them stay); 0 for none."""

    snapshot_every: int = 0
    """Keep the weights alone, in half precision, every so many iterations, all of them; 0 for none."""

    score: bool = True
    """Score every direction on held-out faces with every preview; what `bianlian score-run` does."""

    until_plateau: int = 0
    """Stop when the score has not risen for so many previews in a row, those before a --resume among them; 0 to go on whatever the
    score."""

    evaluate: bool = True
    """Say at the end how well each person is drawn on the others' held-out frames."""

    seed: int = 0
    """Fixes the first weights and the order of the faces."""

    set: tuple[str, ...] = ()
    """More settings of the model, such as octave=0.25 or weights.cycle=10; docs/models.md names them."""

    augment: tuple[str, ...] = ()
    """Settings of the augmentation, such as match=0.5 motion=0.25 denoise=true; docs/models.md names them."""

    def run(self) -> None:
        """Train, show progress, save, judge. Raises Interrupted after Ctrl-C (saved), and the errors of ``train.loop.train``."""
        if self.model == FACESHIFTER or (self.resume and has_recipe(self.out)):
            train_from_photos(self, self._planned())
            return
        with together() as processes:
            self._run(processes)

    def _run(self, processes: Processes) -> None:
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, quiet=not processes.first)
        limits = Limits(
            self._planned(),
            self.minutes,
            self.preview_every,
            self.save_every,
            backup_every=self.backup_every,
            snapshot_every=self.snapshot_every,
        )
        plateau = Plateau(self.until_plateau)
        if self.resume:
            plateau.recall(self.out)
        begun = self._begun(processes, console.print)
        for faceset in begun.facesets:
            console.print(f"{faceset.person}: {faceset.kept_count} faces of {faceset.path}")
        with stopping(console) as stop, watching(console, limits) as watch:
            result = train(
                begun,
                self.out,
                limits,
                stop=lambda: stop() or plateau.reached(),
                watch=watch if processes.first else None,
                note=console.print,
                processes=processes,
                judge=self._judge(plateau, console.print) if processes.first else None,
            )
        if not processes.first:
            return
        share = 100 * result.waited / max(result.seconds, 1e-9)
        done = f"{self.out}: iteration {result.iteration} after {result.seconds:.0f} s ({share:.1f} % of it waiting for faces)"
        if stop():
            raise Interrupted(f"{done}; saved, go on with --resume")
        out = Console(highlight=False, markup=False, soft_wrap=True)
        out.print(f"{done}; previews in {self.out / 'previews'}")
        if plateau.reached():
            out.print(f"stopped: the score has not risen for {plateau.since} previews; {plateau.best:.1f} at {plateau.best_at}")
        if self.evaluate:
            for line in told(evaluate(self.out, begun.facesets, note=console.print)):
                out.print(line)

    def _begun(self, processes: Processes, note: Note) -> Begun:
        if self.resume:
            return resume(self.out, self.facesets)
        return begin(self.out, self.facesets, self.choices(), note=note, processes=processes)

    def _judge(self, plateau: Plateau, note: Note) -> Judge | None:
        """Open what scores the previews; None when nobody asked, or, with a note, when its networks are not in the cache."""
        if self.until_plateau and not self.score:
            raise ConfigError("until-plateau wants the score of the previews; leave --no-score out")
        if not self.score:
            return None
        eyes = open_eyes(fetch=self.until_plateau > 0)
        if eyes is None:
            note("previews are not scored: the networks that judge are not in the cache (`bianlian doctor --fetch`)")
            return None
        return PreviewJudge(self.out, ScoreEyes(eyes.landmarker, eyes.describer), plateau, note)

    def choices(self) -> Choices:
        """Gather what was chosen for a new run. Raises ConfigError for a model that --from does not fit."""
        model, start = self._kind()
        training = TrainSettings(
            accumulate=self.accumulate,
            schedule=self.schedule,
            planned=0 if self.schedule == "constant" else self._planned() or 0,
            warm_up=self.warm_up,
            average=self.average,
            held_out=self.held_out,
            balance=self.balance,
        )
        return Choices(
            model=model,
            size=self.size,
            width=self.width,
            lr=self.lr,
            batch=self.batch,
            precision=self.precision,
            start=start,
            seed=self.seed,
            iterations=self._planned(),
            settings=assigned(self.set),
            augment=assigned(self.augment),
            training=training,
        )

    def _kind(self) -> tuple[str, str]:
        """Settle the model and what it starts from."""
        if self.start != FACESHIFTER:
            return self.model, self.start
        if self.model not in ("deepfake", TUNED):
            raise ConfigError(f"--from {FACESHIFTER} makes the model {TUNED}, got --model {self.model}: leave one of them out")
        return TUNED, BASE

    def _planned(self) -> int | None:
        return DEFAULT_ITERATIONS if self.iterations is None and self.minutes is None else self.iterations
