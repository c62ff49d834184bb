"""What images, their labels and positions among them have to be; what is not is refused in words."""

import math
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from holdfast.data.on_demand import ImagesOnDemand
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData, require, shown
from holdfast.types import Index


def check_images(images: Tensor) -> None:
    """Refuse what is not (n, c, h, w) in bytes or in float32 from 0 to 1."""
    shape = tuple(images.shape)
    require(images.ndim == 4, f"images have shape {shape}; expected four axes (n, c, h, w)", BadImages)
    require(images.numel() > 0, f"images have shape {shape}; a data set needs at least one image", MissingData)
    if images.dtype == torch.uint8:
        return
    require(images.dtype == torch.float32, f"images are {images.dtype}; expected torch.float32 or uint8", BadImages)
    low, high = (bound.item() for bound in images.aminmax())
    if low >= 0 and high <= 1:
        return
    finite = math.isfinite(low) and math.isfinite(high)
    require(finite, f"images are in [{low}, {high}]; holdfast wants [0, 1], no NaN and nothing infinite", BadImages)
    remedy = "divide them by 255" if low >= 0 else "keep them raw and wrap the network in Normalized(mean, std)"
    raise BadImages(f"images are in [{low:.8g}, {high:.8g}]; holdfast wants [0, 1]: {remedy}")


def check_labels(labels: Tensor, images: Tensor | ImagesOnDemand, classes: tuple[str, ...]) -> None:
    """Refuse labels that do not give each image one of the classes."""
    count, shape = len(images), tuple(labels.shape)
    require(len(classes) >= 2, f"there is {len(classes)} class {classes}; a classifier needs two or more", BadLabels)
    require(labels.dtype == torch.int64, f"labels are {labels.dtype}; expected torch.int64", BadLabels)
    require(shape == (count,), f"labels have shape {shape}; expected ({count},), one an image", BadLabels)
    require(
        labels.device == images.device,
        f"labels are on {labels.device} and images on {images.device}; expected one device",
        BadLabels,
    )
    low, high = (int(bound) for bound in labels.aminmax())
    require(
        low >= 0 and high < len(classes),
        f"labels are in [{low}, {high}]; {len(classes)} classes are numbered 0 to {len(classes) - 1}",
        BadLabels,
    )


def positions(index: Index | Sequence[int], count: int, device: torch.device) -> Tensor:
    """Return positions in a set of so many images as a tensor on its device; what is no row of them is refused."""
    with suppress(TypeError, ValueError, RuntimeError):
        found = torch.as_tensor(index)
        found = found if found.numel() else found.long()
        whole = found.ndim == 1 and not found.is_floating_point() and not found.is_complex()
        if whole and isinstance(index, Tensor):  # looking at its numbers would wait for the device
            return found.to(device)
        if whole and found.dtype != torch.bool and bool(((found >= 0) & (found < count)).all()):
            return found.long().to(device)
    raise BadValue(f"index = {shown(index)}: give a row of positions, whole numbers from 0 to {count - 1}")
