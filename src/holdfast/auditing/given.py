"""The two ways to say which images `hf.audit` is of: two tensors, or data that hold both images and labels."""

from typing import Any

import torch
from torch import Tensor

from holdfast.auditing.points import IN_MEMORY
from holdfast.data import ImageSet, StoredImages
from holdfast.data.on_demand import ImagesOnDemand
from holdfast.devices import home_of
from holdfast.errors import BadLabels, BadValue, UsageError, require, shown
from holdfast.threats import Threat
from holdfast.types import Images, Network

CALLS = "hf.audit(model, images, labels, threat) or hf.audit(model, data, threat)"


def given(
    model: Network, images: Any, labels: Tensor | Threat | None, threat: Threat | None
) -> tuple[Any, Any, Threat]:
    """Return images, labels and threat, read from data where those are given, on the network's device."""
    of_data = labels is None or isinstance(labels, Threat)
    if of_data and isinstance(labels, Threat):
        wanted = f"{shown(threat)} after the threat: give the effort by its name, effort={shown(threat)}"
        require(threat is None, wanted, UsageError)
        threat = labels
    words = f"the threat is {shown(threat)}: give one such as holdfast.Linf(8 / 255); {CALLS}"
    if not isinstance(threat, Threat):
        raise BadValue(words)
    if not of_data:
        return images, labels, threat
    require(not isinstance(images, Tensor), f"images are given without labels: {CALLS}", BadLabels)
    data, device = ImageSet.of(images), home_of(model)
    return pixels_of(data, device), data.labels.to(device), threat


def pixels_of(data: ImageSet, device: torch.device) -> Images | StoredImages:
    """Return the images of a set for a device: there as a whole where they are small, else in batches."""
    if isinstance(data.pixels, ImagesOnDemand) or 4 * data.pixels.numel() > IN_MEMORY:
        return StoredImages.of(data.pixels, device)
    return data.take(torch.arange(len(data))).to(device)
