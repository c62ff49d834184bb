"""Runs that name other runs: which they are, the same run with others in their place, and what they left when finished.

A method that needs another network, and a run that begins at the end of another, hold that run as a value. Its
fingerprint is its folder, so what depends on what is known without a workflow tool.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.data import Augmentation
from holdfast.errors import BadRecord, require
from holdfast.methods import Origin
from holdfast.models.memory_format import use_channels_last
from holdfast.storage.fingerprint import fingerprint, name_of_tensors
from holdfast.training.folder import RunFolder
from holdfast.training.run import Run, seen_at_rest, seen_shape


def origins(run: Run) -> tuple[Run, ...]:
    """Return the runs that a run names itself, each once, in the order of its fields."""
    return tuple(dict.fromkeys(_inside(run)))


def _inside(value: Any) -> Iterator[Run]:
    """Yield the runs anywhere in a value's fields, without those that they name in turn."""
    items = value if isinstance(value, tuple) else _fields_of(value).values()
    for item in items:
        if isinstance(item, Run):
            yield item
        else:
            yield from _inside(item)


def with_origins(value: Any, change: Callable[[Run], Run]) -> Any:
    """Return a run, or what may hold runs, with `change` of each run that it names; `change` goes on deeper itself."""
    if isinstance(value, tuple):
        return tuple(change(item) if isinstance(item, Run) else with_origins(item, change) for item in value)
    inner = {
        name: change(item) if isinstance(item, Run) else with_origins(item, change)
        for name, item in _fields_of(value).items()
    }
    changed = {name: item for name, item in inner.items() if item is not getattr(value, name)}
    return replace(value, **changed) if changed else value


def _fields_of(value: Any) -> dict[str, Any]:
    if not is_dataclass(value) or isinstance(value, type):
        return {}
    return {field.name: getattr(value, field.name) for field in fields(value)}


def seeded(run: Run, seed: int) -> Run:
    """Return the run with `seed` added to its own, and to those of all runs that it names."""
    named: Run = with_origins(run, lambda origin: seeded(origin, seed))
    return replace(named, seed=run.seed + seed)


def found_beside(origin: Run, beside: Path) -> RunFolder:
    """Return the folder in `beside` that says it holds a run; where none does, the one that its fingerprint names."""
    place = RunFolder(origin, beside / fingerprint(origin))
    for path in () if place.path.exists() else sorted(beside.glob("*/run.json")):
        there = RunFolder(origin, path.parent)
        with suppress(BadRecord):  # a stranger's folder may hold anything
            if not there.difference():
                return there
    return place


@dataclass(frozen=True)
class Lineage:
    """The finished runs that one run names; what `methods.Finished` promises."""

    folders: Mapping[Origin, RunFolder]
    shape: tuple[int, int, int]
    """Of the images in the data set."""
    classes: int
    device: torch.device
    augment: Augmentation | None = None
    """Of the run that names them."""
    count: int = 0
    """How many images make an epoch of the run that names them."""

    def network(self, origin: Origin) -> nn.Module:
        """Return the run's network, at rest, frozen."""
        place = self.known(origin)
        model = place.network(self.shape, self.classes).to(self.device).requires_grad_(False)
        return use_channels_last(model, seen_shape(place.run, self.shape))

    def folder(self, origin: Origin) -> Path:
        """Return the run's folder."""
        return self.known(origin).path

    def seen(self, origin: Origin, images: Tensor) -> Tensor:
        """Return images as the run's network sees them in evaluation."""
        return seen_at_rest(self.known(origin).run, images)

    def names(self) -> dict[str, str]:
        """Return the fingerprint of each run's weights under its own; a run begun from them is bound to them."""
        return {place.fingerprint: name_of_tensors(place.weights()) for place in self.folders.values()}

    def known(self, origin: Origin) -> RunFolder:
        """Return the run that a method or a start names, with its folder."""
        require(origin in self.folders, "a method can use only runs that are among its fields")
        return self.folders[origin]
