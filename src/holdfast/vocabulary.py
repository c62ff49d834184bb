"""Every kind of value that holdfast writes down, by name, so that what is on disk can be read back."""

from collections.abc import Mapping
from typing import Any

from holdfast import attacks, methods, objectives, optimization, threats
from holdfast.data import CropFlip
from holdfast.run import Run


def named(module: Any) -> dict[str, Any]:
    """Return the classes and functions that a module defines or publishes."""
    published = getattr(module, "__all__", None) or vars(module)
    return {name: getattr(module, name) for name in published if callable(getattr(module, name))}


KINDS: Mapping[str, Any] = {
    **named(threats),
    **named(objectives),
    **named(optimization),
    **named(attacks),
    **named(methods),
    "CropFlip": CropFlip,
    "Run": Run,
}
