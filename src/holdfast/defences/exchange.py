"""Another network of the same weights, with something else in the place of some of its parts."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

Exchange = Callable[[Any], nn.Module]


def exchanged(model: nn.Module, kinds: tuple[type[nn.Module], ...], exchange: Exchange) -> nn.Module:
    """Return the network with something else in the place of each part of these kinds.

    Weights and buffers are the same tensors. What is inside such a part is left to `exchange`.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return _put(copy.deepcopy(model, shared), kinds, exchange)


def _put(module: nn.Module, kinds: tuple[type[nn.Module], ...], exchange: Exchange) -> nn.Module:
    if isinstance(module, kinds):
        return exchange(module)
    for name, part in module.named_children():
        setattr(module, name, _put(part, kinds, exchange))
    return module
