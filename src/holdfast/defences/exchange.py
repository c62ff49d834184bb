"""Another network of the same weights, with something else in the place of some of its parts."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

Exchange = Callable[[Any], nn.Module]


def exchanged(model: nn.Module, kinds: tuple[type[nn.Module], ...], exchange: Exchange) -> nn.Module:
    """Return the network with something else in the place of each part of these kinds.

    Weights and buffers are the same tensors. What is inside such a part is left to `exchange`, which is called once for
    a part that stands in several places.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return exchanged_in_place(copy.deepcopy(model, shared), kinds, exchange)


def exchanged_in_place(module: nn.Module, kinds: tuple[type[nn.Module], ...], exchange: Exchange) -> nn.Module:
    """Return the module, changed itself; what `exchange` makes of it where it is of these kinds."""
    return _put(module, kinds, exchange, {})


def _put(
    module: nn.Module,
    kinds: tuple[type[nn.Module], ...],
    exchange: Exchange,
    done: dict[int, tuple[nn.Module, nn.Module]],
) -> nn.Module:
    """`done` has each module that was met and what stands for it; it keeps the first, so that no id is given again."""
    if id(module) in done:
        return done[id(module)][1]
    found = exchange(module) if isinstance(module, kinds) else module
    done[id(module)] = module, found
    if not isinstance(module, kinds):
        for name, part in list(module._modules.items()):  # named_children leaves out the second place of a part
            if part is not None:
                module._modules[name] = _put(part, kinds, exchange, done)
    return found
