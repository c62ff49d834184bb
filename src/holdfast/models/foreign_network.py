"""A network in a file that somebody else saved: read, found among other things, renamed, and put together."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from holdfast import models
from holdfast.errors import BadRecord, UsageError, require
from holdfast.models.architecture import Shape, check_answer
from holdfast.models.converted import said_in
from holdfast.models.foreign_choices import decided
from holdfast.models.foreign_file import Content, read_foreign
from holdfast.models.foreign_names import Renamed, by_layout, by_own_names, guessed
from holdfast.models.foreign_state import chosen
from holdfast.models.normalized import PRESETS
from holdfast.models.weights import Normalisation, normalised_by, put

_BY_NAME = {"none": ((0.0,), (1.0,)), "symmetric": ((0.5,), (0.5,)), **PRESETS}


@dataclass(frozen=True)
class Reading:
    """What a person says of a file of weights, because the file does not."""

    key: str | None = None
    """Where the weights stand in the file, as "model_state_dict" or "state_dict.0"."""
    normalisation: Normalisation | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    """Options of `build`: what the network computes where its tensors do not tell, and `normalize`."""
    trust: bool = False
    """Run a pickle as its author meant it."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network at rest, the options that it was built with, and what is to be said of how it was read."""

    model: nn.Module
    options: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def load(
    path: str | Path,
    name: str,
    shape: Shape,
    classes: int,
    *,
    key: str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    trust: bool = False,
    **options: object,
) -> nn.Module:
    """Return the network in a file that somebody saved, at rest; `name`, `shape` and `options` are those of `build`.

    Nothing that the file asks for is run unless `trust` is said. `key` names one of several sets of weights. `mean` and
    `std`, or `normalize` with a name, say what the network's images were normalised by; `options` also say what else
    its tensors do not tell, as shortcut="raw". The logger "holdfast" is told how the file was read.

        model = hf.models.load("cifar_wrn.pt", "wrn-34-10", (3, 32, 32), 10, normalize="none", activation="relu")

    Raises:
        BadRecord: the file cannot be read, or holds another network.
        Undecided: it does not say how its network computes; the line lists what may be chosen.
    """
    require((mean is None) == (std is None), "give both mean and std, or neither", UsageError)
    given = None if mean is None or std is None else Normalisation(_numbers(mean), _numbers(std))
    found = loaded(Path(path), name, shape, classes, Reading(key, given, options, trust))
    logging.getLogger("holdfast").info("%s: %s", path, "; ".join(found.notes) or "read")
    return found.model


def loaded(path: Path, name: str, shape: Shape, classes: int, reading: Reading) -> Loaded:
    """Return the network of a file, and how it was read; it raises what `load` raises."""
    origin, content = str(path), read_foreign(path, reading.trust)
    asked, reading = reading, _with_words(path, name, reading)
    choice = chosen(content, reading.key, origin)
    normalisation, given = _normalisation(reading)
    known = models.architecture_of(name)
    found = None if known is None or known.rebuild else by_layout(choice.tensors, known.network, origin)
    if found is not None and known is not None:
        said = bool(normalisation or found.normalised or given.keys() & {"normalize", "mean"})
        given = decided(found, known, name, given, said, origin)
    model = models.build(name, shape, classes, **given)
    if found is None:
        found = _in_own_names(choice.tensors, model, name, origin)
    twice = f"{origin} holds its own normalisation: leave normalize out"
    require(not (found.normalised and "normalize" in asked.options), twice, UsageError)
    model = put(model, found.weights, origin, normalisation).eval()
    check_answer(model, name, shape, classes)
    told = (choice.words, *found.notes, _form(found), _images(model, found, asked), _not_made(content))
    return Loaded(model, given, tuple(filter(None, told)))


def _with_words(path: Path, name: str, reading: Reading) -> Reading:
    """Return the reading with what a converted file says of its network itself."""
    said = None if ".py:" in name else said_in(path)
    if said is None:
        return reading
    require(said[0] == name, f"{path} holds {said[0]}, not {name}: leave --model out", BadRecord)
    known = said[1] if models.architecture_of(name) is not None else {}
    return replace(reading, options={**known, **reading.options})


def _normalisation(reading: Reading) -> tuple[Normalisation | None, dict[str, object]]:
    """Return the normalisation that a person gives, by numbers or by name, and the other options."""
    options = dict(reading.options)
    named = str(options.get("normalize", ""))
    twice = f"normalize = '{named}': leave mean and std out"
    require(not (named and reading.normalisation), twice, UsageError)
    if named in _BY_NAME:
        del options["normalize"]
        return Normalisation(*_BY_NAME[named]), options
    return reading.normalisation, options


def _in_own_names(state: Mapping[str, object], model: nn.Module, name: str, origin: str) -> Renamed:
    """Return weights in the names of the network itself; of another one it is said which it seems to be."""
    found = by_own_names(state, model, origin)  # type: ignore[arg-type]
    if found is not None:
        return found
    other = guessed(state)  # type: ignore[arg-type]
    words = f"{origin} holds the weights of another network than {name}: its names are those of {other}"
    require(other is None, words, BadRecord)
    return Renamed(dict(state))  # type: ignore[arg-type]


def _form(found: Renamed) -> str:
    """Say how the network computes, where its file determined it."""
    form = {word: value for word, value in found.determined.items() if word not in _SIZES}
    return f"read with {', '.join(f'{word}={value}' for word, value in form.items())}" if form else ""


_SIZES = ("depth", "width", "hidden")


def _images(model: nn.Module, found: Renamed, reading: Reading) -> str:
    """Say by what images are normalised, unless the file is one of ours that says it."""
    given = reading.normalisation is not None or "normalize" in reading.options
    quiet = found.layout is None and found.normalised and not found.notes
    return "" if quiet else normalised_by(model, found.normalised, given)


def _not_made(content: Content) -> str:
    """Say which objects of a pickle became stand-ins."""
    count = len(content.asked_for)
    more = f" and {count - 3} more" if count > 3 else ""
    return f"{', '.join(content.asked_for[:3])}{more} in it were not made" if count else ""


def _numbers(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) if isinstance(values, int | float) else tuple(map(float, values))
