"""What `torchrun` started: this process among others, joined for as long as they work on one audit."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from holdfast.errors import HoldfastError

GRACE = 5.0
"""Seconds after which a process that is not the first says what went wrong; torchrun ends it if the first has."""


@contextmanager
def launched(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes, where `torchrun` started any, and give this one its device."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    except HoldfastError:
        time.sleep(0 if speaks() else GRACE)
        raise
    except RuntimeError as fault:
        if isinstance(fault, dist.DistError) or "gloo" in str(fault):
            raise HoldfastError("another process of this audit has stopped; its line says why") from fault
        raise
    finally:
        dist.destroy_process_group()


def speaks() -> bool:
    """Say whether this process prints and writes: of those that `torchrun` started, only the first does."""
    return int(os.environ.get("RANK", "0")) == 0


def together() -> None:
    """Wait until every process is here."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
