"""The command line: holdfast train | attack | audit | purify | reproduce | report | list.

Every verb is a frozen dataclass whose fields become options and whose docstrings become the help, by tyro. A user's
mistake is one line and status 2; an interruption is status 130; a training that diverged is status 1.
"""

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from holdfast import attacks, record
from holdfast.choices import attack_kinds, chosen_run, known, method_kinds
from holdfast.cli_audit import run_audit
from holdfast.data import SOURCES, load
from holdfast.errors import HoldfastError, TrainingDiverged, UnknownName, UsageError, require
from holdfast.export import export, judge_of
from holdfast.models import ARCHITECTURES
from holdfast.networks import centered, network, read_run
from holdfast.options import parse
from holdfast.progress import Teller
from holdfast.report.reproduce import Request, render, reproduce
from holdfast.run import Run, device_of
from holdfast.training import train

Flat = tyro.conf.arg(name="")


@dataclass(frozen=True)
class Train:
    """Train a network; the same command again goes on where it stopped."""

    run: Annotated[Run, Flat]
    folder: Path | None = None
    """Where the run is kept; runs/FINGERPRINT where none is given."""
    device: str = "cpu"
    data_root: Path | None = None
    """Where the data sets lie; $HOLDFAST_DATA, else ./data, where none is given."""
    download: bool = False
    """Fetch the data set if it is missing."""

    def __call__(self) -> int:
        """Train and say where the network is."""
        folder = self.folder or Path("runs") / record.fingerprint(self.run)
        with Teller() as tell:
            train(self.run, folder, device=self.device, data_root=self.data_root, download=self.download, tell=tell)
        print(folder)
        return 0


@dataclass(frozen=True)
class Attack:
    """Attack a network and write the attacked images."""

    attack: attacks.Attack
    data: str | None = None
    """A data set; the one that the network was trained on, or digits, where none is given."""
    limit: int | None = None
    """Attack this many images only."""
    out: Path = Path("attacked.npz")
    """An .npz file, or a folder for PNG pictures."""
    model: str | None = None
    """The architecture, where the network is a .safetensors file."""
    judge: str | None = None
    """Another network, whose answers are counted instead: transfer."""
    judge_model: str | None = None
    """The other network's architecture, where it is a .safetensors file; that of --model where none is given."""
    pretrained: bool = True
    """Attack timm:NAME and torchvision:NAME with their public weights, or with fresh ones."""
    batch: int = 250
    device: str = "cpu"
    data_root: Path | None = None
    download: bool = False
    """Fetch the data set, or the public weights, if they are missing."""

    def __call__(self, name: str) -> int:
        """Attack, write, and print the accuracy before and after and after rounding to bytes, and the passes."""
        device, run = device_of(self.device), read_run(Path(name)) if Path(name).is_dir() else None
        source = self.data or (run.data if run else "digits")
        whole = load(source, "test", root=self.data_root, download=self.download, limit=self.limit)
        images = whole if run is None or run.augment is None else centered(whole, run.augment)
        public = (self.pretrained, self.download)
        model = network(name, self.model, images.shape, len(images.classes), *public).to(device)
        judged = model
        if self.judge is not None:
            judged = judge_of(self.judge, self.judge_model or self.model, whole, images, *public).to(device)
        with Teller() as tell:
            print(export(model, judged, self.attack, images.to(device), self.out, self.batch, tell))
        return 0


@dataclass(frozen=True)
class Reproduce:
    """Run a paper's tables and figures: train what is missing, evaluate what is missing, print ours beside theirs."""

    table: tuple[str, ...] = ()
    """Numbers of tables; all tables and figures where neither is given."""
    figure: tuple[str, ...] = ()
    scale: str | None = None
    """smoke (made-up or embedded data, a minute or two), short, or full (the paper's own size)."""
    seeds: tuple[int, ...] = ()
    folder: Path = Path("runs/papers")
    device: str = "cpu"
    data: str | None = None
    """Another data set than the paper's, for every row."""
    data_root: Path | None = None
    download: bool = False
    json: bool = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True)
class Report:
    """Print again what a folder of `reproduce` holds."""

    form: Annotated[Literal["text", "markdown", "latex", "json", "html"], tyro.conf.arg(name="format")] = "text"
    out: Path | None = None
    """Write to this file."""


def run_train(args: Sequence[str]) -> int:
    """holdfast train METHOD [ATTACK] [OPTIMIZER] [SCHEDULE] [CropFlip] [options]."""
    _first(args, "train", "METHOD", method_kinds())
    names = list(itertools.takewhile(lambda word: not word.startswith("-"), args))
    return parse(Train, f"train {' '.join(names)}", args[len(names) :], Train(chosen_run(names)))()


def run_attack(args: Sequence[str]) -> int:
    """holdfast attack ATTACK NETWORK [options]."""
    name, rest = _first(args, "attack", "ATTACK", attack_kinds())
    kind: Callable[[], attacks.Attack] = known(attack_kinds(), "attack", name)
    if not rest or rest[0].startswith("-"):
        if rest and rest[0] in ("-h", "--help"):
            parse(Attack, f"attack {name} NETWORK", rest, Attack(kind()))
        raise UsageError(
            f"holdfast attack {name} needs a network: a run's folder, a .safetensors file, timm:NAME, "
            "torchvision:NAME or FILE.py:FUNCTION"
        )
    return parse(Attack, f"attack {name} NETWORK", rest[1:], Attack(kind()))(rest[0])


def run_reproduce(args: Sequence[str]) -> int:
    """holdfast reproduce PAPER [options]."""
    from recipes import PAPERS

    name, rest = _first(args, "reproduce", "PAPER", PAPERS)
    options = parse(Reproduce, f"reproduce {name}", rest, Reproduce())
    request = Request(
        PAPERS[name], options.table, options.figure, options.scale, options.seeds, options.data, options.folder,
        options.device, options.data_root, options.download,
    )  # fmt: skip
    with Teller(quiet=options.json) as tell:
        page, filled = reproduce(request, tell)
    print(render(filled, "json" if options.json else "text"))
    if not options.json:
        print(f"\nreport: {page}")
    return 0


def run_report(args: Sequence[str]) -> int:
    """holdfast report FOLDER [options]."""
    from holdfast.report.reproduce import read_tables

    if args and args[0] in ("-h", "--help"):
        parse(Report, "report FOLDER", args, Report())
    if not args or args[0].startswith("-"):
        raise UsageError("holdfast report needs the folder that holdfast reproduce wrote to")
    options = parse(Report, "report FOLDER", args[1:], Report())
    text = render(read_tables(Path(args[0])), options.form)
    if options.out is None:
        print(text)
    else:
        record.write_text(options.out, text + "\n")
    return 0


def run_list(args: Sequence[str]) -> int:
    """holdfast list [attacks | methods | models | data | recipes]."""
    from recipes import PAPERS

    kinds: Mapping[str, Mapping[str, str]] = {
        "attacks": {name: _line(kind) for name, kind in attack_kinds().items()},
        "methods": {name: _line(kind) for name, kind in method_kinds().items()},
        "models": {name: architecture.summary for name, architecture in ARCHITECTURES.items()},
        "data": SOURCES,
        "recipes": {name: paper.title for name, paper in PAPERS.items()},
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
    "train": (run_train, "train a network: holdfast train METHOD [ATTACK] [OPTIMIZER] [SCHEDULE] [CropFlip] [options]"),
    "attack": (run_attack, "write attacked images: holdfast attack ATTACK NETWORK [options]"),
    "audit": (run_audit, "how robust is a network really, or which of two: holdfast audit NETWORK [OTHER] [options]"),
    "purify": (not_yet("purify"), "clean attacked images (not built yet)"),
    "reproduce": (run_reproduce, "a paper's tables: holdfast reproduce PAPER [options]"),
    "report": (run_report, "print tables again: holdfast report FOLDER [options]"),
    "list": (run_list, "attacks, methods, models, data, recipes, a line each"),
}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its status."""
    args = sys.argv[1:] if args is None else list(args)
    if not args or args[0] in ("-h", "--help"):
        print("usage: holdfast VERB ...   (holdfast VERB --help says more)\n")
        print("\n".join(f"  {verb:<10} {line}" for verb, (_, line) in VERBS.items()))
        return 0 if args else 2
    try:
        if args[0] not in VERBS:
            raise UnknownName("verb", args[0], VERBS)
        return VERBS[args[0]][0](args[1:])
    except HoldfastError as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return 1 if isinstance(error, TrainingDiverged) else 2
    except KeyboardInterrupt:
        print("holdfast: interrupted; train and reproduce go on from here when called again", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"holdfast: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2


def _first(args: Sequence[str], verb: str, what: str, known: Mapping[str, object]) -> tuple[str, Sequence[str]]:
    """Return the name that a verb's first word means, whatever its case, and the words after it."""
    names = {name.lower(): name for name in known}
    usage = f"usage: holdfast {verb} {what} [options]; {what} is one of {', '.join(sorted(known))}"
    if args and args[0] in ("-h", "--help"):
        print(f"{usage}\n{VERBS[verb][1]}\nholdfast {verb} {next(iter(known))} --help lists the options")
        raise SystemExit(0)
    if not args or args[0].startswith("-"):
        raise UsageError(usage)
    if args[0].lower() not in names:
        raise UnknownName(what.lower(), args[0], known)
    return names[args[0].lower()], args[1:]


def _line(kind: object) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
