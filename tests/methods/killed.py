"""A training in another process, killed by the system. The process is forked from a server that has loaded what a
training needs: one that begins with `import torch` takes longer for that than for all the rest.

Where pytest is not started in the repository's root, the server does not find this file, and each process loads it all.
"""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from holdfast import train
from holdfast.training import loop
from holdfast.training.folder import read_run
from tests.kernels import choose_kernels

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__])
torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1).step()  # any optimizer's first step loads torch's compiler


def kill_at(step: int, described: Path, folder: Path) -> int | None:
    """Train the run that a folder describes into another one, kill it after so many steps, and return its exit code."""
    ours, theirs = SERVER.Pipe(duplex=False)
    child = SERVER.Process(target=_train, args=(described, folder, theirs))
    child.start()
    theirs.close()
    while ours.recv() < step:
        pass
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode


def _train(described: Path, folder: Path, told: Connection) -> None:
    choose_kernels()
    loop.SAVE_EVERY = 0.0
    train(read_run(described), folder, tell=lambda done, total, words: told.send(done))
