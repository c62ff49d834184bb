"""The command line: holdfast train | attack | audit | purify | convert | export | reproduce | report | list.

Every verb has a file: a frozen dataclass whose fields become options and whose docstrings become the help, by tyro. A
user's mistake is one line and status 2; an interruption is status 130; a training that diverged is status 1.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import torch

from holdfast import __version__
from holdfast.cli.attack import run_attack
from holdfast.cli.audit import run_audit
from holdfast.cli.completion import print_completion
from holdfast.cli.convert import run_convert
from holdfast.cli.export import run_export
from holdfast.cli.listing import run_list
from holdfast.cli.purify import run_purify
from holdfast.cli.reproduce import run_report, run_reproduce
from holdfast.cli.terminal import flushed, silence, usable_streams
from holdfast.cli.train import run_train
from holdfast.errors import HoldfastError, TrainingDiverged, UnknownName, UsageError, printable
from holdfast.storage.python_file import blamed

SMALLER: Mapping[str, str] = {
    "train": "give a smaller --batch and another --folder",
    "attack": "give a smaller --batch",
    "audit": "give a smaller --batch; --resume continues",
    "purify": "give a smaller --batch",
    "reproduce": "give another --device or a smaller --scale",
}
"""What to do where the memory of a device does not suffice."""


VERBS: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "train": (run_train, "train a network: holdfast train METHOD [--attack PGD --norm L2 and other options]"),
    "attack": (run_attack, "attack a network and write the images: holdfast attack ATTACK NETWORK [options]"),
    "audit": (run_audit, "estimate robust accuracy, or compare two networks: holdfast audit NETWORK [OTHER] [options]"),
    "purify": (run_purify, "clean images with a purifier or another defence: holdfast purify DEFENCE IMAGES [options]"),
    "convert": (run_convert, "write a network that others saved as safetensors: holdfast convert FILE --model NAME"),
    "export": (run_export, "write a network and its defences for torch alone: holdfast export NETWORK [options]"),
    "reproduce": (
        run_reproduce,
        "compute a paper's tables: holdfast reproduce PAPER [options], or FILE.py:PAPER",
    ),
    "report": (run_report, "print the tables in a folder again: holdfast report FOLDER [options]"),
    "list": (run_list, "list attacks, defences, methods, models, data sets and papers: holdfast list [KIND]"),
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
        print("\nholdfast --version; holdfast --print-completion bash, or zsh: what completes words in that shell")
        return 0 if words else 2
    if words[0] == "--version":
        print(f"holdfast {__version__}")
        return 0
    if words[0] == "--print-completion":
        return print_completion(words[1:], {verb: run for verb, (run, _) in VERBS.items()})
    if words[0] not in VERBS:
        raise UnknownName("verb", words[0], VERBS)
    return VERBS[words[0]][0]([_in_lower_case(word) for word in words[1:]])


def _in_lower_case(word: str) -> str:
    """Return an option with its name in lower case, as all of them are, and its value as it is."""
    name, equals, value = word.partition("=")
    return f"{name.lower()}{equals}{value}" if word.startswith("--") else word


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
