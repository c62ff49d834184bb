"""Several processes on one audit: each takes some batches of every move, then all know what all have found."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from holdfast.auditing.engine_state import CLEAN, Progress
from holdfast.data.stored_images import AT_ONCE
from holdfast.errors import UsageError, require
from holdfast.storage.fingerprint import name_of_tensors
from holdfast.storage.modules_behind import modules_behind
from holdfast.types import Network, PerImage, Rows

Value = TypeVar("Value")
FOUND = ("broken_by", "margin", "slope", "fell")
"""What a move changes, a few numbers an image; and its point."""


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


def check_same(model: Network, **given: object) -> None:
    """Refuse processes that were given different things: each would take the others' breaks for its own images'.

    Raises:
        UsageError: this process and another were given networks, or something else of this name, that differ.
    """
    if rank_and_count()[1] == 1:  # a network's name is made of all its weights
        return
    others = differing(network=name_of_network(model), **given)
    words = f"the {rank_and_count()[1]} processes of this process group audit different things"
    require(not others, f"{words}: they differ in {', '.join(others)}; give all the same", UsageError)


def check_same_checkpoint(path: Path | None, read: Progress | None) -> None:
    """Refuse processes of which some found a checkpoint and others none, or another: they would wait for each other.

    Raises:
        UsageError: not all of them see one folder.
    """
    state = None if read is None else {"broken_by": read.broken_by, "margin": read.margin, "rows": read.turn.rows}
    where = None if state is None or read is None else [name_of_tensors(state), read.step, read.move, read.done]
    words = "the processes of this process group do not find the same checkpoint of this audit"
    remedy = "give all of them one folder, on a disk that all of them see"
    require(not differing(where=where), f"{words} at {path}: {remedy}", UsageError)


def differing(**said: object) -> list[str]:
    """Return the names of what is not the same in all processes."""
    _, count = rank_and_count()
    told: list[Any] = [said]
    if count > 1:
        told = [None] * count
        dist.all_gather_object(told, said)
    return [name for name in said if any(one.get(name) != told[0].get(name) for one in told)]


def name_of_network(model: Network) -> str:
    """Return a name of the weights and statistics behind a network.

    Of these alone: a network may hold in which process, or on which device, it is.
    """
    held = [(part.named_parameters(recurse=False), part.named_buffers(recurse=False)) for part in modules_behind(model)]
    return name_of_tensors({f"{i}.{name}": each for i, both in enumerate(held) for name, each in chain(*both)})


@dataclass(frozen=True)
class Before:
    """What was known of the present move, and of the images, when the processes began to share it."""

    spent: list[float]
    """What the move had cost."""
    margin: PerImage
    """The highest margin of each image."""


def merge(progress: Progress, mine: Rows, before: Before) -> None:
    """Exchange what the processes found in the present move; `mine` are the rows that this one attacked.

    What goes from one to the others is tensors: a few numbers of each row that it attacked, and the points of those
    that came nearer to a break, so many at once as are held anyway.
    """
    rank, count = rank_and_count()
    if count == 1:
        return
    nearer = mine[progress.margin[mine] > before.margin[mine]] if progress.move > CLEAN else mine[:0]
    spent = zip(progress.spent[progress.move], before.spent, strict=True)
    costs = gathered([now - then for now, then in spent], progress.margin)
    progress.spent[progress.move] = [sum(parts) for parts in zip(before.spent, *costs, strict=True)]
    for source, numbers in enumerate(gathered([len(mine), len(nearer)], progress.margin)):
        attacked, moved = (told(rows, int(many), source) for rows, many in zip((mine, nearer), numbers, strict=True))
        for name in FOUND:
            values = getattr(progress, name)
            values[attacked] = told(values[attacked] if rank == source else values[:0], len(attacked), source)
        for some in torch.split(moved, AT_ONCE):
            if len(some):
                here = progress.best[some if rank == source else some[:0]]
                points = told(here, len(some), source)
                if rank != source:
                    progress.best[some] = points


def gathered(numbers: list[float], beside: Tensor) -> list[list[float]]:
    """Return the numbers of every process, in order; they travel as tensors on the device of another one."""
    own = torch.tensor(numbers, dtype=torch.float64, device=exchanged_on(beside))
    each = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(each, own)
    return [one.tolist() for one in each]


def told(rows: Tensor, count: int, source: int) -> Tensor:
    """Return the rows that one process holds, so many, in all of them; others give rows of that kind, or none."""
    where = exchanged_on(rows)
    if dist.get_rank() == source:
        values = rows.to(where).contiguous()
    else:
        values = torch.empty(count, *rows.shape[1:], dtype=rows.dtype, device=where)
    if values.numel():
        dist.broadcast(values, src=source)
    return values.to(rows.device)


def exchanged_on(tensor: Tensor) -> torch.device:
    """Return where tensors are that processes exchange: NCCL takes those of a GPU alone, others those of the host."""
    return tensor.device if "nccl" in dist.get_backend() else torch.device("cpu")
