"""holdfast reproduce PAPER, and holdfast report FOLDER: a paper's tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from holdfast.cli.papers import known_papers, paper_called
from holdfast.cli.parse import first_word, parse
from holdfast.cli.progress import Teller
from holdfast.cli.reproduction import Request, read_tables, render, reproduce
from holdfast.errors import UsageError
from holdfast.experiments.figure import Figure
from holdfast.extras import need
from holdfast.report.drawing import drawings
from holdfast.storage import record


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
    figures: Path | None = None
    """Write the figure of each table as well, as SVG, into this folder."""


def run_reproduce(args: Sequence[str]) -> int:
    """holdfast reproduce PAPER [options], or FILE.py:PAPER for one of your own."""
    outside = args[:1] if ":" in "".join(args[:1]) else []
    name, rest = first_word(args, "reproduce PAPER", {**known_papers(), **dict.fromkeys(outside, "")})
    options = parse(Reproduce, f"reproduce {name}", rest, Reproduce())
    request = Request(
        paper_called(name), options.table, options.figure, options.scale, options.seeds, options.data, options.folder,
        options.device, options.data_root, options.download,
    )  # fmt: skip
    need("report", *(extra for each in request.chosen().values() if isinstance(each, Figure) for extra in each.extras))
    with Teller(quiet=options.json) as tell:
        page, filled = reproduce(request, tell)
    print(render(filled, "json" if options.json else "text"))
    if not options.json:
        print(f"\nreport: {page}")
    return 0


def run_report(args: Sequence[str]) -> int:
    """holdfast report FOLDER [options]."""
    if args and args[0] in ("-h", "--help"):
        parse(Report, "report FOLDER", args, Report())
    if not args or args[0].startswith("-"):
        raise UsageError("holdfast report needs the folder that holdfast reproduce wrote to")
    options = parse(Report, "report FOLDER", args[1:], Report())
    if options.form == "html" or options.figures is not None:
        need("report")
    measured = read_tables(Path(args[0]))
    if options.figures is not None:
        for name, svg in drawings(measured).items():
            record.write_text(options.figures / name, svg)
    text = render(measured, options.form)
    if options.out is None:
        print(text)
    else:
        record.write_text(options.out, text + "\n")
    return 0
