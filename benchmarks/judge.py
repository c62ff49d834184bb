"""pyautoattack, the authors' own algorithms, as a judge: what it breaks, in what time, with how many passes."""

import logging
import re
import time

from pyautoattack import AutoAttack
from torch import Tensor, nn

from holdfast.passes import Passes


class Listener(logging.Handler):
    """Reads pyautoattack's own log: the accuracy after each attack, and how much had been spent by then."""

    def __init__(self, spent: Passes) -> None:
        super().__init__()
        self.spent, self.after, self.marks = spent, {}, [(0, 0, time.monotonic())]

    def emit(self, line: logging.LogRecord) -> None:
        """Note a line that states an accuracy."""
        found = re.match(r"(?:initial|robust) accuracy(?: after (\S+))?: ([\d.]+)%", line.getMessage())
        if found and (found[1] or "initial" in line.getMessage()):
            print(line.getMessage(), flush=True)
            self.after[(found[1] or "clean").lower()] = float(found[2]) / 100
            self.marks.append((self.spent.forwards, self.spent.backwards, time.monotonic()))


def judged(model: nn.Module, images: Tensor, labels: Tensor, norm: str, eps: float) -> dict:
    """Return the accuracy after each attack, the passes, the seconds, and which images were broken.

    The standard version in float32, seed 0; passes are counted by hooks on the network.
    """
    spent = Passes()

    def count(_: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        spent.forwards += len(inputs[0])
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: setattr(spent, "backwards", spent.backwards + len(gradient)))

    logger, listener, hook = logging.getLogger("auto-attack"), Listener(spent), model.register_forward_hook(count)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(listener)
    try:
        judge = AutoAttack(model, norm=norm, eps=eps, seed=0, device=images.device)
        _, answers = judge.run_standard_evaluation(images, labels, batch_size=250)
    finally:
        hook.remove()
        logger.removeHandler(listener)
    pairs = zip(listener.after, listener.marks[:-1], listener.marks[1:], strict=True)
    costs = {name: tuple(b - a for a, b in zip(then, now, strict=True)) for name, then, now in pairs}
    seconds = sum(cost[2] for cost in costs.values())
    broken = (answers != labels).nonzero()[:, 0].tolist()
    return {"images": len(images), "after": listener.after, "spent": costs, "seconds": seconds, "broken": broken}
