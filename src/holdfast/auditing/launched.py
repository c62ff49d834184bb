"""What `torchrun` started: this process among others, joined for as long as they work on one audit."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from holdfast.auditing.distributed import rank_and_count
from holdfast.errors import HoldfastError, UsageError, require

GRACE = 5.0
"""Seconds after which a process that is not the first says what went wrong; torchrun ends it if the first has."""
REMEDY = "torchrun sets it; unset WORLD_SIZE to audit in one process"
"""What to do where the environment names other processes, but not how to find them."""


@dataclass(frozen=True)
class Launch:
    """What `torchrun` says in the environment of each process that it starts."""

    rank: int
    count: int
    address: str
    port: int

    @staticmethod
    def found() -> "Launch | None":
        """Return what the environment says; nothing where WORLD_SIZE names no other process.

        Raises:
            UsageError: there are others, but what the environment says of them is not complete.
        """
        count = _whole("WORLD_SIZE", 1, None) if os.environ.get("WORLD_SIZE") else 1
        if count == 1:
            return None
        address = os.environ.get("MASTER_ADDR", "")
        require(bool(address), f"WORLD_SIZE is {count}, but MASTER_ADDR is not set: {REMEDY}", UsageError)
        return Launch(_whole("RANK", 0, count - 1), count, address, _whole("MASTER_PORT", 1, 65535))


def _whole(name: str, low: int, high: int | None) -> int:
    """Return the whole number that a variable of the environment holds."""
    text = os.environ.get(name, "")
    wanted = f"a whole number from {low}" + (f" to {high}" if high is not None else "")
    fits = re.fullmatch("[0-9]{1,9}", text) is not None and low <= int(text) and (high is None or int(text) <= high)
    require(fits, f"{name} is {text!r}, not {wanted}: {REMEDY}", UsageError)
    return int(text)


@contextmanager
def launched(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes, where `torchrun` started any, and give this one its device."""
    launch = Launch.found()
    if launch is None:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", _whole("LOCAL_RANK", 0, torch.cuda.device_count() - 1))
        torch.cuda.set_device(device)
    _meet("nccl" if device.type == "cuda" else "gloo", launch)
    try:
        yield device
    except HoldfastError:
        time.sleep(0 if is_main() else GRACE)
        raise
    except RuntimeError as fault:
        if isinstance(fault, dist.DistError) or "gloo" in str(fault):
            raise HoldfastError("another process of this audit has stopped; its line says why") from fault
        raise
    finally:
        dist.destroy_process_group()


def _meet(backend: str, launch: Launch) -> None:
    """Wait for the other processes at the address that all were told."""
    try:
        dist.init_process_group(backend)
    except (RuntimeError, ValueError) as fault:  # torch raises a plain one for an address that it cannot look up
        words = " ".join(str(fault).split())[:200]
        place = f"{launch.address}:{launch.port}"
        raise HoldfastError(f"the {launch.count} processes of this audit did not meet at {place} ({words})") from fault


def is_main() -> bool:
    """Say whether this process prints and writes: of those that share an audit, the first alone does."""
    return rank_and_count()[0] == 0


def barrier() -> None:
    """Wait until every process is here."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
