"""A guard against catastrophic overfitting, for any method that trains by single steps.

Within an epoch such training may unlearn all robustness while its own attack sees none of it. Wong, Rice and Kolter
("Fast is better than free", 2020) look at a batch under PGD now and then and stop when it falls; here the weights go
back to where they held, and training goes on.
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from holdfast.attacks import PGD, Attack
from holdfast.attacks.presets import fast
from holdfast.data import ImageSet
from holdfast.errors import require
from holdfast.methods.at import AT
from holdfast.methods.memory import Memory
from holdfast.methods.method import Finished, Method, Origin, Update, predict
from holdfast.objectives import is_correct
from holdfast.threats import Linf
from holdfast.types import Batch, Terms


@dataclass(frozen=True)
class Guarded(Method):
    """Any method, watched by PGD on its first batch; when they fall, the weights go back to where they held.

    The optimizer's own state stays; what happens after the last look is not seen. The term `probe_error` is the share
    of the watched images that PGD breaks, `collapses` the share of the steps before which the weights went back.
    """

    method: Method = AT(fast(Linf()))
    probe: Attack | None = None
    """Five steps of PGD in the method's own ball where none is given."""
    every: int = 100
    """Steps between two looks; each look waits for the device."""
    drop: float = 0.2
    """How much less accurate than at its best the network may be before it goes back."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        super().__post_init__()
        require(self.every >= 1, f"Guarded: every = {self.every}, not 1 or more")
        require(0 < self.drop <= 1, f"Guarded: drop = {self.drop}, not above 0 and at most 1")
        kind = type(self.method).__name__
        require(self.watch() is not None, f"Guarded: give a probe: {kind} has no threat of its own")

    def watch(self) -> Attack | None:
        """Return the attack that looks."""
        threat = getattr(getattr(self.method, "attack", self.method), "threat", None)
        return self.probe or (None if threat is None else PGD(threat, steps=5))

    def using(self, runs: tuple[Origin, ...]) -> "Guarded":
        """Let the method inside use them."""
        return replace(self, method=self.method.using(runs))

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        """Keep what the method keeps, the last weights that held, and the images that are watched."""
        device = train_set.device
        return Memory(
            inner=self.method.remember(model, train_set, finished),
            held=copy.deepcopy(model),
            images=torch.zeros(0, *train_set.shape, device=device),
            labels=torch.zeros(0, dtype=torch.int64, device=device),
            best=torch.zeros((), device=device),
            error=torch.ones((), device=device),
            steps=torch.zeros((), dtype=torch.int64),
        )

    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        """Return the networks that the method trains."""
        return self.method.trained(model, memory.inner)

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        """Look, if it is time, and then let the method train."""
        if len(memory.images) == 0:
            memory.images, memory.labels = batch.images.clone(), batch.labels.clone()
        fell = int(memory.steps) % self.every == 0 and self.look(model, memory)
        memory.steps += 1
        terms = self.method.step(model, batch, memory.inner, update)
        return terms | {"probe_error": memory.error.clone(), "collapses": torch.full_like(memory.error, float(fell))}

    def look(self, model: nn.Module, memory: Memory) -> bool:
        """Attack the watched images; keep the weights if they hold, else put the kept ones back and say so."""
        watch = self.watch()
        assert watch is not None, "checked when it was made"
        attacked = watch(model, memory.images, memory.labels)
        accuracy = is_correct(predict(model, attacked), memory.labels).float().mean()
        fell = bool(accuracy < memory.best - self.drop)
        if fell:
            model.load_state_dict(memory.held.state_dict())
        else:
            memory.held.load_state_dict(model.state_dict())
            memory.best = torch.maximum(memory.best, accuracy)
        memory.error = 1 - accuracy
        return fell
