"""Networks made elsewhere, as classifiers: they get images in [0, 1] and their layers get names.

torchvision is slow to import: it is imported where it is used.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from holdfast.errors import UnknownName, UsageError, nearest, require
from holdfast.models.answer import Part, part_of
from holdfast.models.normalized import Normalized, Statistics
from holdfast.models.preprocessing import TRANSFORMED, preprocessing_of_torchvision
from holdfast.models.pretrained import with_weights
from holdfast.types import Images, Outputs


class Adapted(nn.Module):
    """A plain network behind its normalisation, with names for its layers."""

    def __init__(
        self,
        network: nn.Module,
        mean: Statistics,
        std: Statistics,
        layers: Mapping[str, str],
        answers: Part | None = None,
    ) -> None:
        super().__init__()
        self.normalized = Normalized(mean, std)
        self.network = network
        self.answers = answers
        self.layers = {name: f"network.{path}".replace(".:", ":") for name, path in layers.items()}

    def forward(self, images: Images) -> Outputs:
        """Return the logits."""
        returned = self.network(self.normalized(images))
        logits: Tensor = returned if self.answers is None else part_of(returned, self.answers)
        return logits


def adapt(
    module: nn.Module,
    mean: Statistics | None = None,
    std: Statistics | None = None,
    layers: Mapping[str, str] | None = None,
    answers: Part | None = None,
) -> Adapted:
    """Make a classifier of any network that was trained on images less `mean`, divided by `std`.

    `answers` says which part of what it returns are the logits, where it returns more than them: the name of an entry
    ("out") or of a field ("logits"), or the place in a tuple (0).

    `layers` maps names to module paths, or to "path:input"; by default the parts of the network go by their own names.
    "penultimate" is what the last linear layer is given, unless `layers` says otherwise.
    """
    paths = [path for path, _ in module.named_modules()]
    named = _own_layers(module) if layers is None else layers
    for path in named.values():
        if path.partition(":")[0] not in paths:
            raise UnknownName("layer", path, paths[1:])
    last = _last_linear(module)
    penultimate = {} if last is None else {"penultimate": f"{last}:input"}
    statistics = (0.0 if mean is None else mean, 1.0 if std is None else std)
    return Adapted(module, *statistics, {**penultimate, **named}, answers)


def from_torchvision(
    name: str, classes: int | None = None, pretrained: bool = False, download: bool = False
) -> Adapted:
    """Return one of torchvision's classifiers; a pretrained last layer of other than `classes` is replaced."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownName("torchvision model", name, nearest(name, known))
    weights = models.get_model_weights(name).DEFAULT
    constructor = partial(models.get_model, name, **_alike(name, weights))
    if pretrained:
        network = with_weights(constructor, weights, download=download)
        if classes not in (None, len(weights.meta["categories"])):
            _replace_last_linear(network, classes)
    else:
        network = constructor(weights=None, **({} if classes is None else {"num_classes": classes}))
    trained_on = preprocessing_of_torchvision(name, weights.transforms())
    return adapt(network, trained_on.mean, trained_on.std)


def _alike(name: str, weights: Any) -> dict[str, object]:
    """Return options under which a network with fresh weights has the parts and the size of one with public weights.

    A run that began from public weights finds its own in a network that is built without them.
    """
    if name in TRANSFORMED:  # which is left to the normalisation, as its statistics are saved with the weights
        return {"aux_logits": True, "transform_input": False}
    return {"image_size": weights.meta["min_size"][0]} if name.startswith("vit_") else {}


def _own_layers(module: nn.Module) -> dict[str, str]:
    """Return the layers that a network names itself, else its parts by their own names."""
    named = getattr(module, "layers", None)
    return dict(named) if isinstance(named, dict) else {name: name for name, _ in module.named_children()}


def _last_linear(module: nn.Module) -> str | None:
    """Return the path of the linear layer that was registered last."""
    paths = [path for path, part in module.named_modules() if isinstance(part, nn.Linear)]
    return paths[-1] if paths else None


def _replace_last_linear(network: nn.Module, classes: int) -> None:
    """Give the network a fresh last layer for this number of classes."""
    path = _last_linear(network)
    require(
        path is not None, f"{type(network).__name__} ends in no linear layer to replace: leave classes out", UsageError
    )
    parent, _, name = str(path).rpartition(".")
    old = network.get_submodule(str(path))
    assert isinstance(old, nn.Linear)
    setattr(network.get_submodule(parent), name, nn.Linear(old.in_features, classes))
