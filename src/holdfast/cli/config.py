"""--config FILE.json: options from a file, of which those on the command line count more; or a run, by its run.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.cli.parse import leading
from holdfast.data.request import expanded
from holdfast.errors import BadRecord, UsageError, require
from holdfast.storage.signed import read_any_json
from holdfast.training.folder import run_described
from holdfast.training.run import Run

REMEDY = 'give a JSON file of options, such as {"epochs": 5, "optimizer.lr": 0.1}'


def run_in_config(words: Sequence[str]) -> Run | None:
    """Return the run that --config names by its run.json, if it does."""
    path = _path_in(words)
    if path is None:
        return None
    described = _read(path)
    return run_described(described, path) if described.get("kind") == "Run" else None


def with_config(words: Sequence[str]) -> list[str]:
    """Return the words with the options of the file that --config names before them, but for those said again.

    Raises:
        UsageError: the file describes a run.
        BadRecord: it cannot be read, or holds something else than options.
    """
    path, first = _path_in(words), leading(words)
    if path is None:
        return list(words)
    given = _read(path)
    require(given.get("kind") != "Run", f"{path} describes a run: holdfast train --config repeats it", UsageError)
    said = {_name(word) for word in words if word.startswith("--")}
    said |= {"seed", "seeds"} if said & {"seed", "seeds"} else set()
    found = [word for name, value in _flat(given).items() if name not in said for word in _words(name, value, path)]
    return [*first, *found, *words[len(first) :]]


def _path_in(words: Sequence[str]) -> Path | None:
    for word, after in zip(words, [*words, "-"][1:], strict=True):
        option, equals, value = word.partition("=")
        if option == "--config" and (equals or not after.startswith("-")):
            return expanded(Path(value if equals else after))
    return None


def _read(path: Path) -> Mapping[str, Any]:
    given = read_any_json(path, REMEDY)
    require(isinstance(given, dict), f"{path} holds no options: {REMEDY}", BadRecord)
    named: Mapping[str, Any] = given
    return named


def _name(word: str) -> str:
    """Return what an option sets: --data_root as --data-root, --method.attack.no-random-start as the start itself."""
    place, dot, last = word.partition("=")[0].removeprefix("--").replace("_", "-").rpartition(".")
    return f"{place}{dot}{last.removeprefix('no-')}"


def _flat(given: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return values by the names of options; one inside another has both names with a dot."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        within = _flat(value, f"{before}{name}.") if isinstance(value, dict) else {_name(f"{before}{name}"): value}
        found |= within
    return found


def _words(name: str, value: Any, path: Path) -> list[str]:
    """Return how an option is written with this value."""
    if isinstance(value, bool):
        place, dot, last = name.rpartition(".")
        return [f"--{name}" if value else f"--{place}{dot}no-{last}"]
    if isinstance(value, list):
        plain = all(isinstance(each, str | int | float) for each in value)
        require(plain, f"{path}: {name} holds more than words and numbers: {REMEDY}", BadRecord)
        return [f"--{name}", *map(str, value)]
    return [f"--{name}={value}"]
