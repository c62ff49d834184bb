"""From the words of a command line to a value: tyro makes options of a frozen dataclass's fields."""

import contextlib
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import tyro

from holdfast.cli.terminal import wide_enough
from holdfast.data.request import expanded
from holdfast.errors import UnknownName, UsageError

Options = TypeVar("Options")
Config = Annotated[Path | None, tyro.conf.arg(help="A JSON file of options; options on the command line override it.")]
"""The field that shows --config in the help; `with_config` has read the file before."""
Flat = tyro.conf.arg(name="")
"""A field whose own fields become options without its name before them."""


def first_word(args: Sequence[str], form: str, known: Mapping[str, object]) -> tuple[str, Sequence[str]]:
    """Return the name that a verb's first word means, whatever its case, and the words after it.

    `form` is how the verb is written, as in "attack ATTACK NETWORK"; its second word is what is named.
    """
    verb, what = form.split()[:2]
    names = {name.lower(): name for name in known}
    usage = f"usage: holdfast {form} [options]; {what} is one of {', '.join(sorted(known))}"
    if args and args[0] in ("-h", "--help"):
        print(f"{usage}\nholdfast {verb} {next(iter(known))} --help lists the options")
        raise SystemExit(0)
    if not args or args[0].startswith("-"):
        raise UsageError(usage)
    if args[0].lower() not in names:
        raise UnknownName(what.lower(), args[0], known)
    return names[args[0].lower()], args[1:]


def leading(words: Sequence[str]) -> list[str]:
    """Return the words before the first option."""
    return list(itertools.takewhile(lambda word: not word.startswith("-"), words))


def parse(options: type[Options], prog: str, args: Sequence[str], default: Options) -> Options:
    """Return the options that the words say; a mistake becomes one line."""
    said, args = io.StringIO(), in_decimals(args)
    try:
        with contextlib.redirect_stderr(said), wide_enough():
            config = (tyro.conf.AvoidSubcommands,)
            found = tyro.cli(options, prog=f"holdfast {prog}", args=args, config=config, default=default)
        return cast(Options, at_home(found))
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(said.getvalue())) from stop


def at_home(options: Any) -> Any:
    """Return the options with the homes that ~ and ~NAME mean in their paths: a shell leaves `--out=~/x` as it is."""
    if isinstance(options, Path):
        return expanded(options) if str(options).startswith("~") else options
    if not is_dataclass(options) or isinstance(options, type):
        return options
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    meant = {name: at_home(value) for name, value in given.items()}
    changes = {name: value for name, value in meant.items() if value is not given[name]}
    return replace(options, **changes) if changes else options


def in_decimals(args: Sequence[str]) -> list[str]:
    """Return the words with a radius that is written as a fraction, as in `--threat.eps 8/255`, as a decimal number."""
    words: list[str] = []
    for word in args:
        name, equals, value = word.partition("=") if word.startswith("-") else (words[-1] if words else "", "", word)
        if re.search(r"(^|[-.])eps$", name) and (parts := re.fullmatch(r"(\d+)/([1-9]\d*)", value)):
            word = f"{name}{equals}" * bool(equals) + repr(int(parts[1]) / int(parts[2]))
        words.append(word)
    return words


def _one_line(panel: str) -> str:
    """Return the words of one of tyro's boxes without the box."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", panel)  # on a terminal it has colours
    words = [line.strip(" │|╭╮╰╯─\n") for line in plain.splitlines() if line.strip(" │|-─")]
    said = list(itertools.takewhile(lambda word: "helptext" not in word, filter(None, words[1:])))
    # The forty names that an option may take say nothing of a mistake in its own name.
    return re.sub(r" \{[^}]{60,}\}", "", " ".join(said)) or "the options cannot be read; see --help"
