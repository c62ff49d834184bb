"""The parts of a run and of an attack, each named by an option: --attack PGD --norm L2 --optimizer AdamW."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import isabstract
from typing import Annotated, Any

import tyro

from holdfast import attacks, methods
from holdfast.data import CropFlip, CutMix, RandAugment
from holdfast.errors import UnknownName, UsageError, require
from holdfast.threats import NORMS
from holdfast.training import averages, optimizers, schedules
from holdfast.training.patience import Patience


def _kinds_in(module: Any, kind: type[Any]) -> Mapping[str, type[Any]]:
    """Return the classes of one kind that can be made, by name."""
    found = {name: each for name, each in vars(module).items() if isinstance(each, type) and issubclass(each, kind)}
    return {name: found[name] for name in sorted(found) if not isabstract(found[name])}


ATTACKS = _kinds_in(attacks, attacks.Attack)
METHODS = _kinds_in(methods, methods.Method)
OPTIMIZERS = _kinds_in(optimizers, optimizers.Optimizer)
SCHEDULES = _kinds_in(schedules, schedules.Schedule)
AVERAGES = _kinds_in(averages, averages.Average)
SELECTIONS: Mapping[str, type[Any]] = {"Patience": Patience, **ATTACKS}
AUGMENTATIONS: Mapping[str, type[Any]] = {
    "none": type(None),
    "crop-flip": CropFlip,
    "cut-mix": CutMix,
    "rand-augment": RandAugment,
}
PARTS: Mapping[str, Mapping[str, type[Any]]] = {
    "guards": METHODS,
    "norm": NORMS,
    "attack": ATTACKS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augment": AUGMENTATIONS,
    "average": AVERAGES,
    "select": SELECTIONS,
}
"""What each option may name, in the order in which a run takes its parts: a guarded method before what it trains on,
and the norm before an attack that may be defined for that norm alone."""


def choice(part: str) -> Any:
    """Return what shows in --help which names an option takes."""
    return tyro.conf.arg(metavar="{" + ",".join(PARTS[part]) + "}")


@dataclass(frozen=True)
class RunParts:
    """The parts of a run by name. `named_parts` reads them first: their own options follow from them."""

    attack: Annotated[str | None, choice("attack")] = None
    """The attack to train on (default: the method's own)."""
    norm: Annotated[str | None, choice("norm")] = None
    """The norm of the threat, with its usual radius."""
    optimizer: Annotated[str | None, choice("optimizer")] = None
    """The optimizer (default: SGD)."""
    schedule: Annotated[str | None, choice("schedule")] = None
    """The learning-rate schedule (default: Constant)."""
    augment: Annotated[str | None, choice("augment")] = None
    """The augmentation of the training images (default: none)."""
    average: Annotated[str | None, choice("average")] = None
    """The average of the weights that is judged and kept (default: none)."""
    select: Annotated[str | None, choice("select")] = None
    """What chooses the epoch on the images held out: Patience, by their clean loss, or the attack under which most
    hold (default: the last epoch is kept)."""
    guards: Annotated[str | None, choice("guards")] = None
    """The method that Guarded or AWP wraps."""


@dataclass(frozen=True)
class AttackParts:
    """The parts of an attack by name."""

    norm: Annotated[str | None, choice("norm")] = None
    """What the attacker may change, with its usual radius (default: the attack's own)."""


def named_parts(words: Sequence[str], parts: Iterable[str] = tuple(PARTS)) -> dict[str, type[Any]]:
    """Return the kinds that the words name by the options of these parts.

    Raises:
        UnknownName: nothing has that name.
        UsageError: a part is named twice.
    """
    found: dict[str, tuple[str, type[Any]]] = {}
    for word, after in zip(words, [*words, "-"][1:], strict=True):
        option, equals, value = word.partition("=")
        part, name = option.removeprefix("--"), value if equals else after
        if part == option or part not in parts or (name.startswith("-") and not equals):
            continue
        require(part not in found, f"give one --{part}, not two ({found.get(part, '-')[0]} and {name})", UsageError)
        found[part] = (name, known(PARTS[part], part, name))
    return {part: kind for part, (_, kind) in found.items()}


def refuse_unnamed(words: Sequence[str], subject: str, parts: Iterable[str] = tuple(PARTS)) -> None:
    """Refuse parts that stand without their option, and say how they are written."""
    if words:
        spelled = [spelling for word in words if (spelling := _spelling(word, parts))]
        written = f"write {' '.join(spelled)}" if spelled else f"the options are {', '.join(f'--{p}' for p in parts)}"
        raise UsageError(f"'{' '.join(words)}' after {subject}: parts are named by options; {written}")


def _spelling(word: str, parts: Iterable[str]) -> str | None:
    """Return the option and the name that are meant by a name alone, or by one like it."""
    names = {_folded(name): f"--{part} {name}" for part in reversed(list(parts)) for name in PARTS[part]}
    near = get_close_matches(_folded(word), names, n=1, cutoff=0.6)
    return names[near[0]] if near else None


def known(kinds: Mapping[str, type[Any]], what: str, name: str) -> type[Any]:
    """Return the kind of that name, whatever its case and hyphens."""
    by_word = {_folded(word): kind for word, kind in kinds.items()}
    if _folded(name) not in by_word:
        raise UnknownName(what, name, kinds)
    return by_word[_folded(name)]


def _folded(name: str) -> str:
    return name.lower().replace("-", "")
