"""``bianlian bench quality``: score a model, a run or another tool's results on pairs whose truth is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian import api
from bianlian.commands._show import shown
from bianlian.errors import ConfigError
from bianlian.files import replacing
from bianlian.score.benchmark import NO_SWAP, TRUTH, Bench, Pair, Row, as_json, read_pairs, result_of, table
from bianlian.score.settings import ScoreSettings
from bianlian.swap.liken import MARGIN
from bianlian.train.run import open_run
from bianlian.train.start import Choices
from bianlian.types import Note, Progress


@dataclass(frozen=True)
class BenchCommand:
    """Score swaps of pairs whose truth is known: another tool's results, a trained run's, or a model trained for each pair.

    The table begins with the target as result and the truth as result, and is printed as Markdown; --out keeps it, all figures as
    JSON, and the results made. docs/benchmark.md is the protocol.
    """

    what: Positional[Literal["quality"]]
    """What is measured."""

    pairs: Positional[Path]
    """Folder of pairs: PAIR/target.mp4, PAIR/truth_face.mp4, PAIR/source.jpg (or footage, or a folder)."""

    render: int = 0
    """Render so many pairs of two people of --cast into that folder first, of --seed; those that are there are kept."""

    cast: Path = Path("people.npz")
    """People for --render, as `bianlian actors fit` makes them of photos."""

    seconds: float = 6.0
    """Length of a rendered pair."""

    size: int = 512
    """Side of its frames in pixels."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("bench")
    """Folder for quality.md, quality.json, and the results that are made."""

    results: Path | None = None
    """Folder of another tool's results: PAIR.mp4, or a folder of pictures PAIR, frame for frame."""

    run_folder: Annotated[Path | None, arg(name="run")] = None
    """A trained run that swaps every pair."""

    to: str = "source"
    """Whose face the run puts in."""

    model: str | None = None
    """A model that is trained for each pair, on the source and the target themselves."""

    iterations: int = 2000
    """How long such a model is trained."""

    seed: int = 0
    """Fixes rendered pairs, and what such a model starts from and sees; on a CPU the same seed gives the same table."""

    likeness: float = MARGIN
    """How far swaps that are made here are fitted to the footage by the recogniser that measures, see `bianlian swap`; -2 leaves
    it out."""

    name: str | None = None
    """The method's name in the table."""

    only: tuple[str, ...] = ()
    """Pairs to score; all when left out."""

    people: Path | None = None
    """Folder of other people that the face might be taken for, see `bianlian score`."""

    every: int = 1
    """Score every so many frames; tell it with the figures when it is not 1."""

    def run(self) -> None:
        """Make or find the results, score them, print and write the table. Raises as the commands that it runs, ConfigError."""
        if sum(x is not None for x in (self.results, self.run_folder, self.model)) > 1:
            raise ConfigError("give one of --results, --run and --model; several methods are several calls")
        if self.render:
            self._rendered()
        settings, rows = ScoreSettings(every=self.every), list[Row]()
        pairs = read_pairs(self.pairs, self.only)
        found = {} if self.results is None else {p.name: result_of(self.results, p) for p in pairs}
        with shown() as (progress, note):
            bench = Bench(settings, self.people)
            for pair in pairs:
                made = {NO_SWAP: pair.target, TRUTH: pair.truth}
                if self._method is not None:
                    made[self._method] = found.get(pair.name) or self._made(pair, progress, note)
                rows += [bench.row(method, pair, path, progress=progress, note=note) for method, path in made.items()]
        rows.sort(key=lambda r: (r.method != NO_SWAP, r.method != TRUTH))
        with replacing(self.out / "quality.json") as part:
            part.write_text(json.dumps(as_json(rows, pairs, settings, self._how()), indent=1) + "\n", encoding="utf-8")
        with replacing(self.out / "quality.md") as part:
            part.write_text(table(rows), encoding="utf-8")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        console.print(table(rows))
        console.print(f"figures: {self.out / 'quality.json'}")

    @property
    def _method(self) -> str | None:
        folder = self.run_folder or self.results
        given = self.model or (None if folder is None else folder.resolve().name)
        return given and (self.name or given)

    def _how(self) -> dict[str, object]:
        if self.model is not None:
            return {"model": self.model, "iterations": self.iterations, "seed": self.seed, "likeness": self.likeness}
        if self.run_folder is not None:
            run = open_run(self.run_folder)
            return {"model": run.model, "settings": run.settings, "seed": run.seed, "to": self.to, "likeness": self.likeness}
        return {} if self.results is None else {"results": "given"}

    def _rendered(self) -> None:
        """Render pairs. Raises as ``actors.pairs.render_pairs``, WeightsError without the head model."""
        from bianlian.actors.film import Look
        from bianlian.actors.pairs import render_pairs
        from bianlian.actors.performance import Script
        from bianlian.commands.actors import Cast

        look, script = Look(size=self.size), Script(round(25 * self.seconds))
        renderer, bank = Cast(self.cast).open()
        with shown() as (progress, _):
            render_pairs(renderer, bank, self.pairs, self.render, self.seed, script, look, progress=progress)

    def _made(self, pair: Pair, progress: Progress, note: Note) -> Path:
        run = self.run_folder
        if run is None:
            run = self._trained(pair, progress, note)
        out = self.out / "results" / f"{pair.name}{pair.target.suffix or '.mp4'}"
        to = self.to if self.run_folder is not None else "source"
        api.swap(pair.target, run, to, out, likeness=self.likeness, progress=progress, note=note)
        return out

    def _trained(self, pair: Pair, progress: Progress, note: Note) -> Path:
        """Train the model on a pair; the truth is not looked at."""
        assert self.model is not None
        work, faces = self.out / "work" / pair.name, list[Path]()
        for person, footage in (("source", pair.source), ("target", pair.target)):
            faces.append(work / person)
            if not (work / person / "faceset.json").is_file():
                api.extract([footage], person, work / person, progress=progress, note=note)
        choices = Choices(model=self.model, seed=self.seed, iterations=self.iterations)
        run = work / f"{self.model}-{self.iterations}-{self.seed}"
        api.train(faces, run, iterations=self.iterations, choices=choices, resume=(run / "run.toml").is_file(), note=note)
        return run
