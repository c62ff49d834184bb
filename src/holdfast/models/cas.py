"""Where Bai et al. (2021) suppress activations in three networks; each auxiliary head becomes a layer auxiliary1, ….

ResNet-18: after both blocks of the last stage. VGG: after each ReLU of the last group. Wide ResNet: on what the first
convolution of the last block is given, while the shortcut keeps it whole, and after the last batch norm and ReLU.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from holdfast.errors import BadValue
from holdfast.models.resnet import ResNet
from holdfast.models.suppression import Suppression
from holdfast.models.vgg import VGG
from holdfast.models.wide_resnet import WideResNet


class Place(NamedTuple):
    """A part of a network by its path, the channels there, and whether suppression comes before or after it."""

    path: str
    channels: int
    before: bool = False


def suppressed(model: nn.Module, classes: int) -> nn.Module:
    """Return the network with suppression built in; it keeps its own weights, under other names where it is changed."""
    own: Mapping[str, str] = getattr(model, "layers", {})
    layers = dict(own)
    for number, place in enumerate(_places(model), start=1):
        part, old = Suppression(place.channels, classes), model.get_submodule(place.path)
        model.set_submodule(place.path, nn.Sequential(part, old) if place.before else nn.Sequential(old, part))
        layers[f"auxiliary{number}"] = f"{place.path}.{0 if place.before else 1}.linear"
    vars(model)["layers"] = layers  # its class names fewer
    return model


def _places(model: nn.Module) -> list[Place]:
    """Return where activations of a network are suppressed."""
    if isinstance(model, ResNet):
        return [Place(f"block4.{name}", model.linear.in_features) for name, _ in model.block4.named_children()]
    if isinstance(model, VGG):
        relus = [name for name, part in model.block5.named_children() if isinstance(part, nn.ReLU)]
        return [Place(f"block5.{name}", model.linear.in_features) for name in relus]
    if isinstance(model, WideResNet):
        last = len(model.block3) - 1
        first = model.get_submodule(f"block3.{last}.conv1")
        assert isinstance(first, nn.Conv2d)
        return [
            Place(f"block3.{last}.conv1", first.in_channels, before=True),
            Place("tail", model.linear.in_features),
        ]
    raise BadValue(f"no place is known where {type(model).__name__} suppresses activations")
