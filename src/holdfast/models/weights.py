"""Weights that were saved elsewhere, put into a network under the names and with the normalisation that it has."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.errors import BadRecord, UsageError, require
from holdfast.models.normalized import Normalized, Standardized

HELD = ("normalized.mean", "normalized.std")
"""What a file that holds its normalisation calls it."""
PER_IMAGE = "normalized.per_image"
"""What it holds instead where each image is normalised by itself."""
COUNT = ".num_batches_tracked"
"""What batch norm did not count before torch 0.4.1."""


@dataclass(frozen=True)
class Normalisation:
    """What a network was trained on: pixels less `mean`, divided by `std`; one number, or one a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for word, values in (("mean", self.mean), ("std", self.std)):
            finite = len(values) > 0 and all(map(math.isfinite, values))
            require(finite, f"{word} = {values}: give one number, or one a channel, for both mean and std")
        require(min(self.std) > 0, f"std = {self.std}: deviations are above 0")

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"mean {mean} and std {std}"

    def before(self, model: nn.Module) -> nn.Module:
        """Return the network with this normalisation in place of its own, or in front of it where it has none."""
        normalized = Normalized(self.mean, self.std)
        if _own(model) is None:
            return nn.Sequential(normalized, model)
        model.normalized = normalized
        return model


def put(model: nn.Module, weights: Mapping[str, Tensor], origin: str, normalisation: Normalisation | None) -> nn.Module:
    """Return the network with these weights, and with the normalisation where the weights come without one.

    A prefix that all names share is taken away, as `nn.DataParallel` adds one.

    Raises:
        BadRecord: they are another network's.
        UsageError: they come with a normalisation of their own, and another is given.
    """
    weights = renamed(weights, model.state_dict())
    held = [name for name in HELD if name in weights]
    require(
        normalisation is None or not (held or PER_IMAGE in weights),
        f"{origin} holds its own normalisation: leave --mean, --std and normalize out",
        UsageError,
    )
    kind = Standardized if PER_IMAGE in weights else Normalized
    if _own(model) is not None and not isinstance(_own(model), kind) and (held or kind is Standardized):
        model.normalized = kind()
    own = model.state_dict()
    if _own(model) is None and len(held) == 2 and not own.keys() & set(held):
        normalisation = Normalisation(*(tuple(weights.pop(name).flatten().tolist()) for name in HELD))
    for name in held:
        if name in own:
            weights[name] = _as_large(weights[name], own[name])
            model.get_submodule("normalized").register_buffer(name.rpartition(".")[2], torch.empty_like(weights[name]))
    weights |= {name: count for name, count in own.items() if name.endswith(COUNT) and name not in weights}
    load_weights(model, weights, origin)
    return model if normalisation is None else normalisation.before(model)


def renamed(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without the prefix that all names share, where a network knows the names that are left."""
    left = dict(weights)
    while len({name.partition(".")[0] for name in left}) == 1 and all("." in name for name in left):
        if own.keys() & left.keys():
            return left
        left = {name.partition(".")[2]: tensor for name, tensor in left.items()}
    return left if own.keys() & left.keys() else dict(weights)


def _as_large(given: Tensor, own: Tensor) -> Tensor:
    """Return statistics of a shape that broadcasts to the network's own in that shape; others as they are."""
    shaped = given[None] if given.ndim == 3 else given.reshape(1, -1, 1, 1) if given.ndim < 2 else given
    try:
        return shaped.expand_as(own).contiguous()
    except RuntimeError:
        return shaped


def _own(model: nn.Module) -> Normalized | Standardized | None:
    """Return the normalisation that a network has, if it has one."""
    own = getattr(model, "normalized", None)
    return own if isinstance(own, Normalized | Standardized) else None


def normalised_by(model: nn.Module, held: bool, given: bool) -> str:
    """Say by what a network normalises that was put together from a file, and whether the file says it."""
    normalized = _own(model) or next((part for part in model.children() if isinstance(part, Normalized)), None)
    if normalized is None:
        return ""
    per_image = isinstance(normalized, Standardized)
    by = "each image by itself" if per_image else str(_statistics(normalized))
    if held or given:
        return f"images are normalised by {by}"
    return f"it holds no normalisation: {by} {'is' if per_image else 'are'} assumed; --mean and --std say otherwise"


def _statistics(normalized: nn.Module) -> Normalisation:
    mean, std = (tuple(getattr(normalized, word).flatten()[:3].tolist()) for word in ("mean", "std"))
    return Normalisation(mean, std)


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Put weights into a network; weights of another network are refused with the first difference."""
    own = model.state_dict()
    # A checkpoint made elsewhere knows nothing of the normalisation that our networks carry.
    tensors = {name: tensor for name, tensor in own.items() if name.startswith("normalized.")} | dict(tensors)
    missing, foreign = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape]
    if missing or foreign or shapes:
        also = f" and has '{foreign[0]}'" if foreign else ""
        first = (
            f"it lacks '{missing[0]}'{also}" if missing
            else f"it has '{foreign[0]}', which the network has not" if foreign
            else f"'{shapes[0]}' is {tuple(tensors[shapes[0]].shape)} there and {tuple(own[shapes[0]].shape)} here"
        )  # fmt: skip
        raise BadRecord(f"{origin} holds the weights of another network than {type(model).__name__}: {first}")
    model.load_state_dict(tensors)
