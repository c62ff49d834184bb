"""A process of its own, in which no type checker stands before what holdfast says itself."""

import subprocess
import sys


def refusals(call: str, given: str) -> list[str]:
    """Return what holdfast says, a line each, to `call` with every `it` in `given`."""
    script = f"""
import torch, holdfast as hf
images, labels, threat = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64), hf.Linf(0.1)
for it in {given}:
    try:
        {call}
    except hf.errors.HoldfastError as error:
        print(error)
"""
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
