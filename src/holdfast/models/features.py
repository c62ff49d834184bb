"""A network up to a layer: what it answers there, at the cost of the layers below alone."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import ModelFault, UsageError, require
from holdfast.models.layers import capture, find
from holdfast.types import Images, Outputs


class _Found(Exception):
    """All layers were seen: the rest of the network need not be asked."""


class Features(nn.Module):
    """The outputs of named layers as a network's answer; the layers above them are not computed.

    One layer answers as `capture` sees it, several flattened and one behind the other, shape (n, features). The
    network and its weights are shared, not copied; a layer that is passed twice answers what it was first.

        features = Features(classifier, "block2")
        attacked = FeatureDistortion()(features, images, labels)
    """

    def __init__(self, network: nn.Module, *layers: str) -> None:
        super().__init__()
        require(len(layers) > 0, "Features: name a layer, or several", UsageError)
        for layer in layers:
            find(network, layer)
        self.network = network
        self.names = layers

    def forward(self, images: Images) -> Outputs:
        """Return the features, with gradients."""
        places = {find(self.network, name)[0] for name in self.names}
        with capture(self.network, *self.names) as seen:
            hooks = [place.register_forward_hook(_stop_after(self.names, seen)) for place in places]
            try:
                with suppress(_Found):
                    self.network(images)
            finally:
                for hook in hooks:
                    hook.remove()
        for name in self.names:
            found = isinstance(seen.get(name), Tensor) and len(seen[name]) == len(images)
            require(found, f"layer '{name}' gave no tensor with one row for each of {len(images)} images", ModelFault)
        each = [seen[name] for name in self.names]
        return each[0] if len(each) == 1 else torch.cat([part.flatten(1) for part in each], 1)

    def extra_repr(self) -> str:
        """Return the layers."""
        return ", ".join(self.names)


def _stop_after(names: tuple[str, ...], seen: dict[str, Tensor]) -> Callable[..., None]:
    """Return a hook that ends the forward pass once all layers were seen; it runs after the one that keeps them."""

    def hook(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        if all(name in seen for name in names):
            raise _Found

    return hook
