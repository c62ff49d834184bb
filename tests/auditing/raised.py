"""What a look at a network found, and what it may not have changed."""

import torch
from torch import nn

from holdfast.auditing.findings import Check, State


def names(found: tuple[Check, ...], state: State = "raised") -> list[str]:
    return [check.name for check in found if check.state == state]


def quiet(found: tuple[Check, ...]) -> bool:
    """Say whether every check ran and none raised a doubt: one that could not run would look like one that passed."""
    return not names(found) and not names(found, "could not run")


def state(network: nn.Module) -> list[object]:
    """Return all that a forward pass could change, hooks included."""
    gradients = [None if weight.grad is None else weight.grad.tolist() for weight in network.parameters()]
    values = [value.tolist() for value in network.state_dict().values()]
    modes = [module.training for module in network.modules()]
    hooks = [len(module._forward_hooks) + len(module._backward_hooks) for module in network.modules()]
    return [gradients, values, modes, hooks, torch.get_rng_state().tolist()]
