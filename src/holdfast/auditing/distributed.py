"""Several processes on one audit: each takes some batches of every move, then all know what all have found."""

from typing import Any, TypeVar, cast

import torch.distributed as dist
from torch import Tensor

from holdfast.auditing.engine_state import Progress
from holdfast.errors import UsageError, require

Value = TypeVar("Value")
FOUND = ("broken_by", "best", "margin", "slope", "fell")
"""What a move changes, a row an image."""


def rank_and_count() -> tuple[int, int]:
    """Return the number of this process and how many there are (`torchrun` starts them)."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def broadcast(value: Value) -> Value:
    """Return what the first process has, in all of them: what was timed or doubted there decides for all."""
    if rank_and_count()[1] == 1:
        return value
    told: list[Any] = [value]
    dist.broadcast_object_list(told, src=0)
    return cast("Value", told[0])


def check_same(*said: object) -> None:
    """Refuse processes that were given different things: each would take the others' breaks for its own images'.

    Raises:
        UsageError: what this process or another was given, as told by `said`, differs.
    """
    _, count = rank_and_count()
    if count == 1:
        return
    told: list[Any] = [None] * count
    dist.all_gather_object(told, said)
    words = (
        f"the {count} processes of this process group audit different things: give all the same images and arguments"
    )
    require(all(one == told[0] for one in told), words, UsageError)


def merge(progress: Progress, mine: Tensor, before: list[float]) -> None:
    """Exchange what the processes found in the present move; `mine` are the rows that this one attacked.

    `before` is what the move had cost when the processes began to share it.
    """
    _, count = rank_and_count()
    if count == 1:
        return
    cost = [now - then for now, then in zip(progress.spent[progress.move], before, strict=True)]
    found: dict[str, Any] = {name: getattr(progress, name)[mine].cpu() for name in FOUND}
    told: list[Any] = [None] * count
    dist.all_gather_object(told, {"rows": mine.cpu(), "cost": cost, **found})
    progress.spent[progress.move] = [sum(parts) for parts in zip(before, *(one["cost"] for one in told), strict=True)]
    for one in told:
        for name in FOUND:
            values = getattr(progress, name)
            values[one["rows"].to(values.device)] = one[name].to(values.device)
