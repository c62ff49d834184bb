"""Where a run stands: networks, optimizers, memory and position, and how a method's step moves weights."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import require
from holdfast.methods import Memory


@dataclass
class State:
    """Where a run stands: what `last.pt` holds."""

    model: nn.Module
    memory: Memory
    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: nn.Module | None = None
    """The average of the model's weights, where the run keeps one."""
    data: str = ""
    """The name of the images that it trains on, made of their pixels."""
    file: str = ""
    """The name of the file of a network of one's own, made of its text."""
    origins: dict[str, str] = field(default_factory=dict)
    """The names of the runs that it needs, each with one made of its weights."""
    step: int = 0
    first: int = 0
    """The step that it begins at: above 0 where it takes over another run's position."""
    lines: list[str] = field(default_factory=list)
    """The line of each epoch, as JSON."""
    sums: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)
    """The clock when `seconds` was last added to."""
    best: float = -math.inf
    best_model: dict[str, Tensor] | None = None
    first_bad: Tensor | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as tensors and numbers."""
        return {
            "networks": {name: network.state_dict() for name, network in self.apart().items()},
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "memory": self.memory.state_dict(),
            "data": self.data,
            "file": self.file,
            "origins": self.origins,
            "step": self.step,
            "lines": self.lines,
            "sums": self.sums,
            "seconds": self.seconds,
            "best": self.best,
            "best_model": self.best_model,
        }

    def read(self, saved: dict[str, Any]) -> None:
        """Take over what was saved."""
        for name, network in self.apart().items():
            network.load_state_dict(saved["networks"][name])
        if self.averaged is not None:
            self.averaged.load_state_dict(saved["averaged"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.memory.load_state_dict(saved["memory"])
        device = next(self.model.parameters()).device
        self.sums = {name: total.to(device) for name, total in saved["sums"].items()}
        self.step, self.lines, self.seconds = saved["step"], saved["lines"], saved["seconds"]
        self.best, self.best_model = saved["best"], saved["best_model"]

    @property
    def judged(self) -> nn.Module:
        """The network that is measured and kept: the average, where the run keeps one."""
        return self.model if self.averaged is None else self.averaged

    def trained(self) -> nn.Module:
        """Return the trained network at rest, with the best weights where a run selects, laid as torch lays them."""
        model = self.judged
        if self.best_model is not None:
            model.load_state_dict(self.best_model)
        model.zero_grad(set_to_none=True)
        return model.eval().to(memory_format=torch.contiguous_format)

    def apart(self) -> dict[str, nn.Module]:
        """Return the networks that the memory does not hold; those that it holds are saved with it."""
        kept = set(self.memory.modules())
        return {name: network for name, network in self.networks.items() if network not in kept}

    def finite(self) -> bool:
        """Say whether no weight is NaN or infinite, and no statistic NaN."""
        networks = [*self.networks.values(), self.judged]
        weights = [weight.detach() for network in networks for weight in network.parameters()]
        kept = [tensor for network in networks for tensor in network.buffers()]
        looked = [weight.abs().amax().isfinite() for weight in weights if weight.numel()]
        looked += [~tensor.isnan().any() for tensor in kept if tensor.numel()]
        return bool(torch.stack(looked).all())


@dataclass(frozen=True)
class Updates:
    """How a method's step moves weights; see `methods.Update`."""

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]

    def __call__(self, loss: Tensor, network: str = "model") -> None:
        """Go back through `loss` and step."""
        self.backward(loss, network)
        self.apply(network)

    def backward(self, loss: Tensor, network: str = "model", beside: tuple[Tensor, ...] = ()) -> None:
        """Replace the gradients of that network's weights, add to those of the leaves `beside`, and of nothing else."""
        require(network in self.networks, f"the method trains no '{network}', only {', '.join(self.networks)}")
        self.optimizers[network].zero_grad(set_to_none=True)
        weights = [weight for weight in self.networks[network].parameters() if weight.requires_grad]
        require(bool(weights), f"all weights of '{network}' are frozen: there is nothing to train")
        torch.autograd.backward(loss, inputs=[*weights, *beside])

    def apply(self, network: str = "model") -> None:
        """Step along the gradients."""
        self.optimizers[network].step()
