"""A value as JSON would hold it, and back: dataclasses by kind and fields, functions by name."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from holdfast.errors import BadRecord, BadValue
from holdfast.storage.renamed import in_todays_names

NUMBERS = ("inf", "-inf", "nan")
"""How numbers are written that JSON does not have."""

Described = dict[str, Any] | list[Any] | str | int | float | bool | None


def later(default: Any) -> Any:
    """Return a dataclass field that came later: descriptions leave it out at its default, so older names stay valid."""
    return field(default=default, metadata={"later": True})


def describe(value: object) -> Described:
    """Return a value as JSON would hold it: dataclasses by kind and fields, functions by name."""
    if is_dataclass(value) and not isinstance(value, type):
        said = {f.name: getattr(value, f.name) for f in fields(value) if not _unsaid(f, value)}
        return {"kind": type(value).__name__} | {name: describe(item) for name, item in said.items()}
    if isinstance(value, Mapping):
        return {str(key): _not_a_kind(item) if str(key) == "kind" else describe(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [describe(item) for item in value]
    if isinstance(value, str) and value in NUMBERS:
        return {"kind": "text", "words": value}
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Integral):  # numpy's numbers are written as Python's
        return int(value)
    if isinstance(value, Real):
        value = float(value)
        return value if math.isfinite(value) else repr(value)
    name = getattr(value, "__qualname__", None) if callable(value) else None
    if isinstance(name, str):
        if "<" in name:
            raise BadValue(f"{name} has no name of its own to be written down by: define it in a module")
        return {"kind": "function", "name": name}
    raise TypeError(f"{type(value).__name__} cannot be written down")


def _not_a_kind(value: object) -> Described:
    """Describe what a mapping holds under the name "kind": a bare text there would be read as the kind of a value."""
    said = describe(value)
    return {"kind": "text" if isinstance(value, str) else "number", "words": said} if isinstance(said, str) else said


def _unsaid(field: "Field[Any]", value: object) -> bool:
    return bool(field.metadata.get("later")) and getattr(value, field.name) == field.default


def restore(described: Described, known: Mapping[str, Any]) -> Any:
    """Return the value that `describe` wrote down; `known` maps kinds and functions to what makes them.

    Kinds and fields may have the names that earlier versions wrote (`storage.renamed`).

    Raises:
        BadRecord: the text names a kind that this version does not know.
    """
    return _restored(in_todays_names(described), known)


def _restored(described: Described, known: Mapping[str, Any]) -> Any:
    if isinstance(described, list):
        return tuple(_restored(item, known) for item in described)
    if not isinstance(described, dict):
        return float(described) if isinstance(described, str) and described in NUMBERS else described
    kind = described.get("kind")
    if not isinstance(kind, str):
        return {key: _restored(item, known) for key, item in described.items()}
    if kind in ("text", "number"):
        words = str(described.get("words"))
        return words if kind == "text" else float(words)
    if kind == "function":
        return _known(str(described.get("name")), known)
    made: Callable[..., Any] = _known(kind, known)
    return made(**{key: _restored(item, known) for key, item in described.items() if key != "kind"})


def _known(kind: str, known: Mapping[str, Any]) -> Any:
    if kind not in known:
        raise BadRecord(f"it names '{kind}', which this version of holdfast does not know")
    return known[kind]


def differences(old: Described, new: Described) -> list[str]:
    """Return where two described values differ, a line each, whichever names their kinds and fields have."""
    return _differences(in_todays_names(old), in_todays_names(new), "")


def _differences(old: Described, new: Described, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [line for key in keys for line in _differences(old.get(key), new.get(key), f"{path}.{key}".strip("."))]
    return [] if old == new else [f"{path}: {old} there, {new} here"]


def short_repr(value: object) -> str:
    """Return a value as code would write it, without the fields that keep their defaults."""
    if isinstance(value, tuple):
        return f"({', '.join(map(short_repr, value))})"
    if not is_dataclass(value) or isinstance(value, type):
        return value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)
    said = [(f.name, getattr(value, f.name), f.default) for f in fields(value)]
    shown = [
        f"{name}={short_repr(item)}"
        for name, item, default in said
        if default is MISSING or item != default or name in ("eps", "threat")
    ]
    return f"{type(value).__name__}({', '.join(shown)})"
