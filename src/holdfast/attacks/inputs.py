"""What attacks and audits work on: a network, images, targets and a start, checked once and made plain tensors."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from holdfast.data import StoredImages
from holdfast.errors import BadImages, BadLabels, HoldfastError, UsageError, require, shown
from holdfast.fields import check_count, check_type
from holdfast.types import Images, Labels, Network, Takes, Targets

Pixels = TypeVar("Pixels", Tensor, StoredImages)
ROUNDING = 1e-6
"""How far outside [0, 1] a pixel may be by rounding; it is clamped."""


def accepted(
    images: Tensor, targets: Tensor, start: Tensor | None = None, takes: Takes = "anything"
) -> tuple[Images, Targets, Images | None]:
    """Return images, targets and start as plain tensors, with pixels clamped that are a rounding outside [0, 1].

    Raises:
        BadImages, BadLabels: no attack can work on them; the text says what is wanted.
    """
    images, targets = plain("images", images, BadImages), plain("targets", targets, BadLabels)
    start = None if start is None else plain("start", start, BadImages)
    for name, given in (("targets", targets), ("start", start)):
        if given is not None and given.device != images.device:
            raise BadImages(f"{name} are on {given.device}, the images on {images.device}")
    _check_images(images)
    _check_targets(targets, len(images), takes)
    if start is not None:
        if start.dtype != torch.float32:
            raise BadImages(f"start is {start.dtype}; attacks need float32 in [0, 1]")
        if start.shape != images.shape:
            raise BadImages(f"start has shape {tuple(start.shape)}, the images {tuple(images.shape)}")
    return (images, targets, start) if len(images) == 0 else (_clamped(images, targets, start), targets, start)


def check(images: Tensor | StoredImages, targets: Tensor) -> None:
    """Refuse images and labels that no attack can work on."""
    if not isinstance(images, StoredImages):
        accepted(images, targets, takes="labels")
        return
    _check_targets(targets, len(images), "labels")
    least = int(targets.amin()) if len(targets) else 0
    require(least >= 0, f"a label is {least}; classes count from 0", BadLabels)


def auditable(
    model: Network,
    images: Pixels,
    labels: Tensor,
    effort: str,
    seed: int,
    batch: int,
    folder: Path | str | None = None,
) -> tuple[Pixels, Labels]:
    """Return images and labels as plain tensors, stored images as they are; refuse what no audit can be made of."""
    check_network(model)
    check_type("effort", effort, str)
    check_type("seed", seed, int)
    check_count("batch", batch)
    check_type("folder", folder, Path | str | None)
    if isinstance(images, StoredImages):
        labels = plain("targets", labels, BadLabels).to(images.device)
        check(images, labels)
    else:
        images, labels, _ = accepted(images, labels, takes="labels")
        images = images.detach()
    if len(images) == 0:
        raise BadImages("there are no images to audit")
    return images, labels.detach()


def check_network(model: object) -> None:
    """Refuse what is no network: nothing, a class that was not made, or what cannot be called."""
    wanted = "give a torch.nn.Module, or a function from images to logits"
    require(not isinstance(model, type), f"the network is {shown(model)}, which is not made yet: call it", UsageError)
    require(callable(model), f"the network is {shown(model)}: {wanted}", UsageError)


def plain(name: str, given: object, error: type[HoldfastError]) -> Tensor:
    """Return a tensor as a plain one, whatever subclass it is of; refuse what is none, or does not hold its numbers."""
    if not isinstance(given, Tensor):
        raise error(f"{name} are a {type(given).__name__}; attacks need a torch.Tensor")
    held = given.layout == torch.strided and not given.is_nested and not given.is_quantized
    if not held:
        raise error(f"{name} are a sparse, nested or quantized tensor; attacks need a plain one")
    if given.device.type == "meta":
        raise error(f"{name} are on the meta device and hold no numbers")
    return given if type(given) is Tensor else given.as_subclass(Tensor)


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.float32:
        hint = ": divide bytes by 255" if images.dtype == torch.uint8 else ""
        raise BadImages(f"images are {images.dtype}; attacks need float32 in [0, 1]{hint}")
    shape = tuple(images.shape)
    if images.ndim != 4:
        raise BadImages(f"images have shape {shape}; attacks need (n, c, h, w)")
    if 0 in shape[1:]:
        raise BadImages(f"images have shape {shape}: they have no pixels")


def _check_targets(targets: Tensor, count: int, takes: Takes) -> None:
    """Refuse targets of another number, shape or type than the objective compares with."""
    shape = tuple(targets.shape)
    if targets.ndim == 0 or len(targets) != count:
        raise BadLabels(f"{count} images but {len(targets) if targets.ndim else 'one number for'} targets")
    whole = not targets.is_floating_point() and not targets.is_complex()
    labels = takes == "labels" or (takes == "anything" and whole and targets.ndim == 2)
    if labels and targets.ndim != 1:
        hint = ": labels.flatten()" if shape[1:] == (1,) else ": labels.argmax(1), if they are one-hot"
        raise BadLabels(f"targets have shape {shape}; the attack needs one label an image, shape ({count},){hint}")
    if takes == "pairs" and shape != (count, 2):
        needed = f"the objective needs (true, wanted) for each image, shape ({count}, 2)"
        raise BadLabels(f"targets have shape {shape}; {needed}")
    if (takes == "pairs" or targets.ndim == 1) and targets.dtype != torch.int64:
        raise BadLabels(f"labels are {targets.dtype}; attacks need torch.int64: labels.long()")


def _clamped(images: Images, targets: Targets, start: Images | None) -> Images:
    """Return the images inside [0, 1]; refuse those that are not numbers or further outside, and labels below 0.

    All is looked at in one wait for the device.
    """
    labelled = targets.dtype == torch.int64 and targets.ndim <= 2
    looked = [
        *images.detach().aminmax(),
        targets.amin() if labelled else 0,
        1 if start is None else start.isfinite().all(),
    ]
    low, high, least, finite = torch.stack([torch.as_tensor(each).to(images) for each in looked]).tolist()
    if not finite:
        raise BadImages("start is NaN or infinite in places; attacks need float32 in [0, 1]")
    if least < 0:
        raise BadLabels(f"a label is {int(least)}; classes count from 0")
    if low >= 0 and high <= 1:
        return images
    if not (-torch.inf < low and high < torch.inf):
        raise BadImages("images are NaN or infinite in places; attacks need [0, 1]")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise BadImages(
            f"images are in [{_beyond(low)}, {_beyond(high)}]; attacks need [0, 1]: "
            "keep them raw and wrap the network in Normalized(mean, std)"
        )
    return images.clamp(0, 1)


def _beyond(end: float) -> str:
    """Return the end of a range of pixels with as many digits as show on which side of 0 and 1 it is."""
    texts = (f"{end:.{digits}g}" for digits in range(3, 18))
    return next(text for text in texts if (float(text) < 0) == (end < 0) and (float(text) > 1) == (end > 1))
