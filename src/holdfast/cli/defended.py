"""Defences on a command line: `--defence JPEG:quality=50 runs/purifier`, the first of which sees the images first."""

import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

from torch import nn

from holdfast.cli.parts import known
from holdfast.defences import DEFENCES, Defence, defend
from holdfast.errors import UsageError, require
from holdfast.storage.describe import short_repr
from holdfast.training.networks import Shape, purifier

FORM = "write NAME, NAME:FIELD=VALUE,FIELD=VALUE or the folder of a purifier's run"


def behind(classifier: nn.Module, words: Sequence[str], shape: Shape, classes: int) -> nn.Module:
    """Return a classifier behind the defences of these words.

    Raises:
        UnknownName, BadValue, UsageError: a word names no defence, or gives it a field that it does not take.
        BadRecord: a folder holds no finished purifier.
    """
    return defend(classifier, *(defence(word, shape, classes) for word in words))


def defence(word: str, shape: Shape, classes: int) -> Defence | nn.Module:
    """Return the defence that a word names: one of `holdfast list defences`, or the purifier in a run's folder."""
    if Path(word).is_dir():
        return purifier(Path(word), shape, classes)
    return named(word)


def named(word: str) -> Defence:
    """Return the defence that NAME or NAME:FIELD=VALUE,FIELD=VALUE means."""
    name, colon, fields = word.partition(":")
    kind: Any = known(DEFENCES, "defence", name)
    given, takes = {}, [field.name for field in dataclass_fields(kind)]
    for part in fields.split(",") if colon else ():
        field, equals, value = part.partition("=")
        words = f"{word}: '{part}' is no field; {name} takes {', '.join(takes) or 'none'}; {FORM}"
        require(bool(equals) and field in takes, words, UsageError)
        given[field] = _value(value)
    made: Defence = kind(**given)
    return made


def described(words: Sequence[str]) -> str:
    """Return what stands before a classifier, in words; nothing where nothing does."""
    said = [word if Path(word).is_dir() else short_repr(named(word)) for word in words]
    return f" behind {', '.join(said)}" if said else ""


def _value(word: str) -> Any:
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(word)
    return word
