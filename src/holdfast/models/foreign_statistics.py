"""The mean and the deviation that a file holds beside the weights, under the names that public code gives them."""

from collections.abc import Callable

import torch
from torch import Tensor

from holdfast.errors import BadRecord, require
from holdfast.models.foreign_layouts import WRAPPERS, State

_PAIRS = {"mean": "std", "new_mean": "new_std", "mu": "sigma"}
_LAYERS = ("normalizer", "normalize", "normalized", "normalization", "normalize_layer", "norm_layer", "preprocess")


def statistics(state: State, origin: str, is_own: Callable[[str], bool]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return mean and deviation under the names that they have in the file, as "mu sigma"; nothing where it has none.

    What `is_own` knows belongs to the network, however it is called.

    Raises:
        BadRecord: there are two that differ, or they are of pixels up to 255.
    """
    found = {}
    for name, tensor in state.items():
        path, _, leaf = name.rpartition(".")
        partner = f"{path}.{_PAIRS[leaf]}".lstrip(".") if leaf in _PAIRS else ""
        if partner in state and _of_images(path) and not is_own(name):
            found[f"{name} {partner}"] = (tensor.float(), state[partner].float())
    first = next(iter(found.values()), None)
    same = first is None or all(map(_equal, found.values(), [first] * len(found)))
    require(same, f"{origin} holds several normalisations that differ: {', '.join(found)}", BadRecord)
    small = first is None or bool((first[0].abs() <= 1).all() and (first[1] <= 1).all())
    require(small, f"{origin} holds a normalisation of pixels up to 255: give it for [0, 1]", BadRecord)
    return found


def _of_images(path: str) -> bool:
    """Say whether a module that stands there sees the images: a layer that normalises them, behind wrappers alone."""
    words = path.split(".") if path else []
    return all(word in (*WRAPPERS, *_LAYERS) for word in words)


def _equal(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    flat = [torch.cat([each.flatten() for each in pair]) for pair in (one, other)]
    return torch.equal(*flat)
