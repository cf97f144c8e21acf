"""The command line: a table of commands; errors become one line and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import tyro
from rich.console import Console

from bianlian import __version__
from bianlian.errors import BianlianError, Interrupted, TermsWarning, one_line

COMMANDS = {
    "extract": ("bianlian.commands.extract:Extract", "cut one person's faces out of footage into a faceset"),
    "curate": ("bianlian.commands.curate:Curate", "choose which faces of a faceset training uses, and show why"),
    "train": ("bianlian.commands.train:Train", "train a model on the facesets of two or more people"),
    "models": ("bianlian.commands.models:Models", "show the models: parameters, size, licence, what each is for"),
    "evaluate": ("bianlian.commands.evaluate:Evaluate", "judge a trained run in every direction, on frames it never saw"),
    "swap": ("bianlian.commands.swap:Swap", "put a trained person's face into footage"),
    "export": ("bianlian.commands.export:Export", "write a trained person's network for other programs: ONNX or OpenVINO"),
    "score": ("bianlian.commands.score:Score", "say by numbers how good a swap is, with controls and a report"),
    "score-run": ("bianlian.commands.score_run:ScoreRun", "score every direction of a trained run on held-out faces"),
    "bench": ("bianlian.commands.bench:BenchCommand", "score any tool's swaps of pairs whose truth is known"),
    "actors": ("bianlian.commands.actors:Actors", "render people with exact truth: clips, pairs for bench, crops for pretrain"),
    "verify": ("bianlian.commands.verify:Verify", "say whether files were made here, and whether they were changed since"),
    "consent": ("bianlian.commands.consent:ConsentCommand", "show or add the record of who agreed to what"),
    "people": ("bianlian.commands.people:People", "sort the faces of footage by person"),
    "demo": ("bianlian.commands.demo:Demo", "run the whole flow on two small clips of virtual people"),
    "pretrain": ("bianlian.commands.pretrain:Pretrain", "train the base that every new person starts from"),
    "doctor": ("bianlian.commands.doctor:Doctor", "show what this machine has; --fetch gets all weights for offline use"),
}
"""Name -> the dataclass that runs, and what it does."""

BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command -> exit code: 0 done, 2 bad input (one line on stderr says what), 130 stopped by Ctrl-C;
    1 and 3 of ``verify``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not words or words[0] in ("-h", "--help", "--version"):
        _help(words)
        return 0
    if words[0] not in COMMANDS:
        errors.print(f"bianlian: no command is called {words[0]!r}; there are: {', '.join(COMMANDS)}")
        return BAD_INPUT
    show = warnings.showwarning
    warnings.showwarning = partial(_show, errors, show)
    module, _, name = COMMANDS[words[0]][0].partition(":")
    try:
        command = tyro.cli(getattr(import_module(module), name), args=words[1:], prog=f"bianlian {words[0]}")
        code: int | None = command.run()
    except BianlianError as error:
        errors.print(f"bianlian {words[0]}: {one_line(str(error))}")
        return BAD_INPUT
    except OSError as error:  # of a path that the system itself refuses, such as one of a thousand letters
        named = one_line(str(error.filename or "a file"))
        errors.print(f"bianlian {words[0]}: cannot use {named}: {error.strerror or error}; check the name and the disk")
        return BAD_INPUT
    except MemoryError:
        errors.print(f"bianlian {words[0]}: memory is used up; close other programs, or give smaller input")
        return BAD_INPUT
    except (KeyboardInterrupt, Interrupted) as stopped:
        errors.print(f"bianlian {words[0]}: stopped. {stopped}".strip())
        return INTERRUPTED
    finally:
        warnings.showwarning = show
    return code or 0


def _show(errors: Console, otherwise: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Show terms of use as one plain line, other warnings as ever."""
    if issubclass(category, TermsWarning):
        errors.print(f"bianlian: note: {message}")
    else:
        otherwise(message, category, *where)


def _help(words: Sequence[str]) -> None:
    console = Console(highlight=False, markup=False)
    console.print(f"bianlian {__version__}")
    if words[:1] != ["--version"]:
        lines = "\n".join(f"  {name:<10}{what}" for name, (_, what) in COMMANDS.items())
        console.print(f"usage: bianlian COMMAND ... (COMMAND --help tells its options)\n\n{lines}")
