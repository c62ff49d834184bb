"""holdfast reproduce PAPER, and holdfast report FOLDER: a paper's tables and figures."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from holdfast.cli.config import with_config
from holdfast.cli.out import check_new
from holdfast.cli.papers import known_papers, paper_called
from holdfast.cli.parse import Config, Flat, first_word, parse
from holdfast.cli.progress import Teller
from holdfast.devices import conditions, need, on_which
from holdfast.errors import UsageError, printable
from holdfast.experiments import Figure, Paper, Reproduction, Result, Wanted, Workplace, reproduce
from holdfast.experiments.stored_results import readable_results
from holdfast.report import page
from holdfast.report.figure_svg import drawings
from holdfast.report.formats import Format, render
from holdfast.report.text import said_left_out
from holdfast.storage.signed import write_text


@dataclass(frozen=True)
class Reproduce:
    """Train and evaluate what a paper's tables and figures need, and print our numbers beside the paper's."""

    wanted: Annotated[Wanted, Flat] = Wanted()
    place: Annotated[Workplace, Flat] = Workplace()
    config: Config = None
    json: bool = False
    """Print one JSON object and nothing else."""


@dataclass(frozen=True)
class Report:
    """Print the tables and figures in a folder of `reproduce` again."""

    form: Annotated[Format, tyro.conf.arg(name="format")] = "text"
    out: Path | None = None
    """Write to this file, which is not there yet, instead of printing."""
    figures: Path | None = None
    """Also write the figure of each table, as SVG, into this folder."""


def run_reproduce(args: Sequence[str]) -> int:
    """holdfast reproduce PAPER [options], or FILE.py:PAPER for one of your own."""
    outside = args[:1] if ":" in "".join(args[:1]) else []
    name, rest = first_word(args, "reproduce PAPER", {**known_papers(), **dict.fromkeys(outside, "")})
    options = parse(Reproduce, f"reproduce {name}", with_config(rest), Reproduce())
    # What a person's own file prints would break the one object that --json promises.
    with redirect_stdout(sys.stderr) if options.json else nullcontext():
        done = _done(paper_called(name), options)
    path = options.place.folder / "report.html"
    write_text(path, page(done.title, done.results, done.pictures, done.left_out))
    print(render(done.results, "json" if options.json else "text"))
    if not options.json:
        print(said_left_out(done.left_out), end="")
        print(f"\nreport: {path}\n{on_which(conditions(options.place.device))}")
    return 0


def _done(paper: Paper, options: Reproduce) -> Reproduction:
    """Train and evaluate what is wanted of a paper, unless its figures need packages that are not installed."""
    figures = [each for each in options.wanted.of(paper).values() if isinstance(each, Figure)]
    need("report", *(extra for each in figures for extra in each.extras))
    with Teller(quiet=options.json) as tell:
        return reproduce(paper, options.wanted, options.place, tell)


def run_report(args: Sequence[str]) -> int:
    """holdfast report FOLDER [options]: status 2 where a table cannot be read; the others are printed."""
    if args and args[0] in ("-h", "--help"):
        parse(Report, "report FOLDER", args, Report())
    if not args or args[0].startswith("-"):
        raise UsageError("give the folder that holdfast reproduce wrote to: holdfast report FOLDER")
    options = parse(Report, "report FOLDER", args[1:], Report())
    if options.out is not None:
        check_new(options.out)
    if options.form == "html" or options.figures is not None:
        need("report")
    measured, faults = readable_results(Path(args[0]))
    if measured:
        show(measured, options)
    for fault in faults:
        print(f"holdfast: {printable(str(fault))}", file=sys.stderr)
    return 2 if faults else 0


def show(measured: Sequence[Result], options: Report) -> None:
    """Print tables and figures, or write them where the options say."""
    if options.figures is not None:
        for name, svg in drawings(measured).items():
            write_text(options.figures / name, svg)
    text = render(measured, options.form)
    if options.out is None:
        print(text)
    else:
        write_text(options.out, text + "\n")
