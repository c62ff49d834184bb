"""Batches that other processes make while the last ones are used, in their order, through torch's DataLoader."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from holdfast.errors import HoldfastError, UsageError, reason
from holdfast.types import Batch


@dataclass(frozen=True)
class Made(Dataset[Batch | HoldfastError]):
    """A batch by its number, or what is wrong with it: torch would make many lines of an error."""

    make: Callable[[Tensor], Batch]
    parts: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: int) -> Batch | HoldfastError:
        """Make a batch."""
        try:
            return self.make(self.parts[number])
        except HoldfastError as fault:
            return fault


def made_by(
    workers: int, make: Callable[[Tensor], Batch], parts: Sequence[Tensor], device: torch.device
) -> Iterator[Batch]:
    """Yield what `make` returns for each of the parts, made on the host by so many processes, on the device.

    Raises:
        UsageError: a process died.
    """
    made = Made(make, [part.cpu() for part in parts])
    # A generator of its own: the loader would draw from torch's.
    loader = DataLoader(made, batch_size=None, num_workers=workers, collate_fn=_same, generator=torch.Generator())
    batches = iter(loader)
    try:
        for _ in made.parts:
            yield moved(_next(batches), device)
    finally:
        del batches  # its processes end now; they would be waited for if an error's frames kept it


def _next(batches: Iterator[Batch | HoldfastError]) -> Batch:
    """Return the next batch.

    Raises:
        UsageError: a process died.
    """
    try:
        found = next(batches)
    except RuntimeError as fault:
        words = "there may be too little shared memory (/dev/shm): try fewer workers, or smaller batches"
        raise UsageError(f"a process that makes batches stopped ({reason(fault)}); {words}") from fault
    if isinstance(found, HoldfastError):
        del batches
        raise found
    return found


def _same(batch: Any) -> Any:
    return batch


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch, or a part of one, with its tensors on a device."""
    changes = {field.name: getattr(batch, field.name) for field in fields(batch)}
    there = {
        name: value.to(device) if isinstance(value, Tensor) else value and moved(value, device)
        for name, value in changes.items()
    }
    return replace(batch, **there)
