"""The command line: holdfast train | attack | audit | purify | reproduce | report | list.

Every verb is a frozen dataclass whose fields become options and whose docstrings become the help, by tyro. A user's
mistake is one line and status 2; an interruption is status 130; a training that diverged is status 1.
"""

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from holdfast import __version__
from holdfast.cli.attack import run_attack
from holdfast.cli.audit import run_audit
from holdfast.cli.compose import attack_kinds, chosen_run, method_kinds, with_others
from holdfast.cli.papers import known_papers
from holdfast.cli.parse import first_word, parse
from holdfast.cli.progress import Teller
from holdfast.cli.reproduce import run_report, run_reproduce
from holdfast.cli.terminal import flushed, silence, usable_streams
from holdfast.data import SOURCES
from holdfast.errors import HoldfastError, TrainingDiverged, UnknownName, UsageError, printable, require
from holdfast.models import ARCHITECTURES
from holdfast.storage import record
from holdfast.storage.python_file import blamed
from holdfast.training.loop import train
from holdfast.training.networks import read_run
from holdfast.training.run import Run, Start

Flat = tyro.conf.arg(name="")
SMALLER: Mapping[str, str] = {
    "train": "give a smaller --batch and another --folder",
    "attack": "give a smaller --batch",
    "audit": "give a smaller --batch; --resume goes on",
    "reproduce": "give another --device or a smaller --scale",
}
"""What to do where the memory of a device does not suffice."""


@dataclass(frozen=True)
class Train:
    """Train a network; the same command again goes on where it stopped."""

    run: Annotated[Run, Flat]
    folder: Path | None = None
    """Where the run is kept; runs/FINGERPRINT where none is given."""
    begin: Path | None = None
    """The folder of another run, beside this one's, at whose end this one begins."""
    takes: Literal["weights", "optimizer", "position"] = "weights"
    """What is taken over from it: with its weights what its optimizer keeps, with both its place in the schedule."""
    others: tuple[Path, ...] = ()
    """Folders of runs, beside this one's, that the method uses: EAT attacks their networks, Kurakin and
    UnifiedEmbedding save attacked images of them (cascade adversarial training)."""
    device: str = "cpu"
    data_root: Path | None = None
    """Where the data sets lie; $HOLDFAST_DATA, else ./data, where none is given."""
    download: bool = False
    """Fetch the data set if it is missing."""

    def __call__(self) -> int:
        """Train and say where the network is."""
        require(self.begin is not None or self.takes == "weights", f"--takes {self.takes} without --begin", UsageError)
        run = self.whole()
        folder = self.folder or Path("runs") / record.fingerprint(run)
        for other in filter(None, (self.begin, *self.others)):
            words = f"{other} does not lie beside {folder}, where the runs that a run names are looked for"
            require(other.resolve().parent == folder.resolve().parent, words, UsageError)
        with Teller() as tell:
            train(run, folder, device=self.device, data_root=self.data_root, download=self.download, tell=tell)
        print(folder)
        return 0

    def whole(self) -> Run:
        """Return the run with those that it names."""
        run = with_others(self.run, [read_run(other) for other in self.others])
        return run if self.begin is None else replace(run, start=Start(read_run(self.begin), self.takes))


def run_train(args: Sequence[str]) -> int:
    """holdfast train METHOD [ATTACK] [NORM] [OPTIMIZER] [SCHEDULE] [CropFlip] [options]."""
    first_word(args, "train METHOD [ATTACK] [NORM] [OPTIMIZER] [SCHEDULE] [CropFlip]", method_kinds())
    names = list(itertools.takewhile(lambda word: not word.startswith("-"), args))
    return parse(Train, f"train {' '.join(names)}", args[len(names) :], Train(chosen_run(names)))()


def run_list(args: Sequence[str]) -> int:
    """holdfast list [attacks | methods | models | data | papers]."""
    kinds: Mapping[str, Mapping[str, str]] = {
        "attacks": {name: _line(kind) for name, kind in attack_kinds().items()},
        "methods": {name: _line(kind) for name, kind in method_kinds().items()},
        "models": {name: architecture.summary for name, architecture in ARCHITECTURES.items()},
        "data": SOURCES,
        "papers": known_papers(),
    }
    if args and args[0] in ("-h", "--help"):
        print(f"usage: holdfast list [{' | '.join(kinds)}]")
        return 0
    require(len(args) <= 1, f"holdfast list takes one kind, not {len(args)}: {', '.join(kinds)}", UsageError)
    if args and args[0] not in kinds:
        raise UnknownName("list", args[0], kinds)
    for kind in args[:1] or kinds:
        print(f"{kind}:")
        for name, line in kinds[kind].items():
            print(f"  {name:<20} {line}")
    return 0


def not_yet(verb: str) -> Callable[[Sequence[str]], int]:
    """Return a verb that is named but not built."""

    def refuse(args: Sequence[str]) -> int:
        raise UsageError(f"holdfast {verb} is not built yet; holdfast attack and holdfast audit are")

    return refuse


VERBS: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "train": (
        run_train,
        "train a network: holdfast train METHOD [ATTACK] [NORM] [OPTIMIZER] [SCHEDULE] [CropFlip] [options]",
    ),
    "attack": (run_attack, "write attacked images: holdfast attack ATTACK [NORM] NETWORK [options]"),
    "audit": (run_audit, "how robust is a network really, or which of two: holdfast audit NETWORK [OTHER] [options]"),
    "purify": (not_yet("purify"), "clean attacked images (not built yet)"),
    "reproduce": (run_reproduce, "a paper's tables: holdfast reproduce PAPER, or FILE.py:PAPER, [options]"),
    "report": (run_report, "print tables again: holdfast report FOLDER [options]"),
    "list": (run_list, "attacks, methods, models, data, papers, a line each"),
}


CLOSED = 141
"""The status, as shells have it, of a command whose reader went away."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its status."""
    usable_streams()
    words = sys.argv[1:] if args is None else list(args)
    try:
        status = answered(words)
        flushed()
        return status
    except SystemExit:  # after --help
        flushed()
        raise
    except BrokenPipeError:  # whoever reads our words has read enough
        silence()
        return CLOSED
    except (Exception, KeyboardInterrupt) as fault:
        status, said = told(fault, *words[:1])
        print(f"holdfast: {printable(said)}", file=sys.stderr)
        return status


def answered(words: Sequence[str]) -> int:
    """Run the verb that is named, or say which there are, and return the status."""
    _check_words(words)
    if not words or words[0] in ("-h", "--help"):
        print("usage: holdfast VERB ...   (holdfast VERB --help says more)\n")
        print("\n".join(f"  {verb:<10} {line}" for verb, (_, line) in VERBS.items()))
        return 0 if words else 2
    if words[0] == "--version":
        print(f"holdfast {__version__}")
        return 0
    if words[0] not in VERBS:
        raise UnknownName("verb", words[0], VERBS)
    return VERBS[words[0]][0](words[1:])


def _check_words(words: Sequence[str]) -> None:
    """Refuse a word that no shell can give and no path can hold."""
    for word in words:
        with contextlib.suppress(UnicodeEncodeError):
            if b"\0" not in os.fsencode(word):
                continue
        raise UsageError(f"'{word}' holds a NUL character or a lone surrogate, which no name or path may hold")


def told(fault: BaseException, verb: str = "") -> tuple[int, str]:
    """Return the status and the line for what stopped a verb; a fault of our own is raised again."""
    if isinstance(fault, HoldfastError):
        return 1 if isinstance(fault, TrainingDiverged) else 2, str(fault)
    if isinstance(fault, KeyboardInterrupt):
        return 130, "interrupted; train and reproduce go on from here when called again"
    if isinstance(fault, torch.OutOfMemoryError):
        return 2, f"the device is out of memory: {SMALLER.get(verb, 'choose another')}"
    if words := blamed(fault):
        return 2, words
    if isinstance(fault, OSError):
        return 2, f"{fault.filename or 'a file'}: {fault.strerror or fault}"
    raise fault


def _line(kind: object) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
