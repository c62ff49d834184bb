"""The judges of an audit, what they break, in what time and passes: pyautoattack, the authors' own algorithms; in L0,
where AutoAttack is not defined, the better of adversarial-library's sigma-zero and PDPGD.
"""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from parity_oracles import adv_lib
from pyautoattack import AutoAttack
from torch import Tensor, nn

from holdfast.passes import Passes


class Listener(logging.Handler):
    """Reads pyautoattack's own log: the accuracy after each attack, and how much had been spent by then."""

    def __init__(self, spent: Passes) -> None:
        super().__init__()
        self.spent, self.marks = spent, [(0, 0, time.monotonic())]
        self.after: dict[str, float] = {}

    def emit(self, line: logging.LogRecord) -> None:
        """Note a line that states an accuracy."""
        found = re.match(r"(?:initial|robust) accuracy(?: after (\S+))?: ([\d.]+)%", line.getMessage())
        if found and (found[1] or "initial" in line.getMessage()):
            print(line.getMessage(), flush=True)
            self.after[(found[1] or "clean").lower()] = float(found[2]) / 100
            self.marks.append((self.spent.forwards, self.spent.backwards, time.monotonic()))


@contextmanager
def counted(model: nn.Module) -> Iterator[Passes]:
    """Count the passes of single images through a network by hooks on it."""
    spent = Passes()

    def count(_: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        spent.forwards += len(inputs[0])
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: setattr(spent, "backwards", spent.backwards + len(gradient)))

    hook = model.register_forward_hook(count)
    try:
        yield spent
    finally:
        hook.remove()


def judged(model: nn.Module, images: Tensor, labels: Tensor, norm: str, eps: float) -> dict[str, Any]:
    """Return which images the norm's judge breaks, with its seconds and passes."""
    return shortest(model, images, labels, eps) if norm == "L0" else autoattack(model, images, labels, norm, eps)


def autoattack(model: nn.Module, images: Tensor, labels: Tensor, norm: str, eps: float) -> dict[str, Any]:
    """Return the accuracy after each attack, the passes, the seconds, and which images were broken.

    The standard version in float32, seed 0.
    """
    logger = logging.getLogger("auto-attack")
    with counted(model) as spent:
        listener = Listener(spent)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(listener)
        try:
            judge = AutoAttack(model, norm=norm, eps=eps, seed=0, device=images.device)
            _, answers = judge.run_standard_evaluation(images, labels, batch_size=250)
        finally:
            logger.removeHandler(listener)
    pairs = zip(listener.after, listener.marks[:-1], listener.marks[1:], strict=True)
    costs = {name: tuple(b - a for a, b in zip(then, now, strict=True)) for name, then, now in pairs}
    seconds = sum(cost[2] for cost in costs.values())
    broken = (answers != labels).nonzero()[:, 0].tolist()
    return {"images": len(images), "after": listener.after, "spent": costs, "seconds": seconds, "broken": broken}


SHORTEST = {
    "sigma-zero": partial(adv_lib.sigma_zero, num_steps=1000),
    "PDPGD-2/3": partial(adv_lib.pdpgd, norm=0, num_steps=500, proximal_operator=23),
}
"""Minimum-norm attacks in L0, each with the steps of its paper."""


def shortest(model: nn.Module, images: Tensor, labels: Tensor, eps: float) -> dict[str, Any]:
    """Return what the one of the minimum-norm attacks breaks that breaks more, with its own seconds and passes."""
    found = []
    for name, attack in SHORTEST.items():
        began = (time.monotonic(), time.process_time())
        torch.manual_seed(0)
        with counted(model) as spent:
            adversarial = attack(model=model, inputs=images, labels=labels)
        changed = (adversarial != images).flatten(1).sum(1)
        with torch.no_grad():
            wrong = (model(images).argmax(1) != labels) | ((model(adversarial).argmax(1) != labels) & (changed <= eps))
        seconds, processor = time.monotonic() - began[0], time.process_time() - began[1]
        costs = {name: (spent.forwards, spent.backwards, seconds)}
        after, broken = {name: 1 - float(wrong.float().mean())}, wrong.nonzero()[:, 0].tolist()
        found.append({"after": after, "spent": costs, "seconds": seconds, "processor": processor, "broken": broken})
        print(f"robust accuracy after {name}: {after[name]:.1%}", flush=True)
    return max(found, key=lambda one: len(one["broken"]))
