"""Every kind of value that holdfast writes down, by name, so that what is on disk can be read back."""

from collections.abc import Mapping
from typing import Any

from holdfast import attacks, methods, objectives, threats
from holdfast.data import CropFlip, CutMix, RandAugment
from holdfast.defences import DEFENCES
from holdfast.training import averages, optimizers, schedules
from holdfast.training.patience import Patience
from holdfast.training.run import Run, Start


def named(module: Any) -> dict[str, Any]:
    """Return the classes and functions that a module publishes, or defines where it has no list."""
    published = getattr(module, "__all__", None)
    found = {name: value for name, value in vars(module).items() if callable(value)}
    if published is None:
        return {name: value for name, value in found.items() if value.__module__ == module.__name__}
    return {name: found[name] for name in published}


KINDS: Mapping[str, Any] = {
    **named(threats),
    **named(objectives),
    **named(averages),
    **named(optimizers),
    **named(schedules),
    **named(attacks),
    **named(methods),
    **DEFENCES,
    "CropFlip": CropFlip,
    "CutMix": CutMix,
    "Patience": Patience,
    "RandAugment": RandAugment,
    "Run": Run,
    "Start": Start,
}
