"""What a network of transformers was trained on, as its image processor says it.

What the fields of the processor say is compared with what it does to a picture: one that does more (another order of
the channels, say) is refused, as its network would be judged on other images than it knows.
"""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from holdfast.errors import MissingData, UsageError, reason, require
from holdfast.framing import Framing, Sides
from holdfast.models.hub import split_revision
from holdfast.models.preprocessing import Preprocessing

FAULTS = (OSError, ValueError, RuntimeError, KeyError, ImportError)
"""What transformers raises of files that are missing, broken, or of another kind."""
LARGE = 384
"""The size from which ConvNeXt's processor squashes pictures instead of cropping them."""
WAY_OUT = "wrap the network yourself, in FILE.py:FUNCTION, by hf.models.adapt(network, mean, std, answers='logits')"
ALIKE = 1.5 / 255
"""How far pixels may be apart on average: both round to whole numbers, at different places."""


def preprocessing_of_hf(repository: str, download: bool = False) -> Preprocessing:
    """Return what the image processor of a repository, or of a folder, does.

    Raises:
        MissingData: there is no image processor at hand.
        UsageError: it does something else than to resize, to crop and to normalise.
    """
    from transformers import AutoImageProcessor

    name, revision = split_revision(repository)
    try:
        processor = AutoImageProcessor.from_pretrained(
            name, revision=revision, local_files_only=not download, trust_remote_code=False
        )
    except FAULTS as fault:
        words = f"'{repository}' says nothing of its normalisation: no preprocessor_config.json ({reason(fault)})"
        raise MissingData(f"{words}; {WAY_OUT}") from fault
    said = _said(processor)
    words = f"{type(processor).__name__} of '{repository}' does more than to resize, crop and normalise"
    require(_does(processor, said), f"{words}; {WAY_OUT}", UsageError)
    return said


def _said(processor: Any) -> Preprocessing:
    """Return what the fields of a processor say."""
    size, crop = _sides(processor.size), _sides(getattr(processor, "crop_size", None))
    share = getattr(processor, "crop_pct", None)
    if isinstance(size, int) and share and size < LARGE:
        size, crop = int(size / share), crop or size
    elif isinstance(size, int) and share:
        size, crop = (size, size), None
    elif not getattr(processor, "do_center_crop", None):
        crop = None
    if isinstance(crop, tuple) and crop[0] == crop[1]:
        crop = crop[0]
    unit = round(255 * processor.rescale_factor, 9) if processor.do_rescale else 255
    offset = 1.0 if getattr(processor, "rescale_offset", None) else 0.0
    normalised = bool(processor.do_normalize)
    means = processor.image_mean if normalised else (0.0,)
    stds = processor.image_std if normalised else (1.0,)
    twice = getattr(processor, "include_top", None) and normalised  # EfficientNet divides by it a second time
    mean = tuple((float(each) + offset) / unit for each in means)
    std = tuple(float(each) ** (2 if twice else 1) / unit for each in stds)
    interpolation: Any = Image.Resampling(int(processor.resample)).name.lower()
    return Preprocessing(Framing(size if processor.do_resize else None, crop, interpolation), mean, std)


def _sides(size: Any) -> Sides | None:
    """Return the sides that a processor's size names: the shorter one, or rows and columns."""
    if size is None or isinstance(size, int):
        return size
    shorter, rows, columns = (size[word] for word in ("shortest_edge", "height", "width"))
    return (int(rows), int(columns)) if shorter is None else int(shorter)


def _does(processor: Any, said: Preprocessing) -> bool:
    """Say whether a processor does to a picture of small squares what its fields say."""
    from torchvision.transforms.v2 import functional as F

    framing = said.framing
    rows, columns = framing.seen or (64, 64)
    squares = torch.rand(3, rows // 6 + 3, columns // 6 + 5, generator=torch.Generator().manual_seed(0))
    picture = squares.mul(255).to(torch.uint8).repeat_interleave(8, 1).repeat_interleave(8, 2)
    theirs: Tensor = processor(picture, return_tensors="pt")["pixel_values"][0]
    ours = picture
    if framing.size is not None:
        sides = list(framing.size) if isinstance(framing.size, tuple) else [framing.size]
        ours = F.resize(ours, sides, interpolation=F.InterpolationMode(framing.interpolation), antialias=True)
    if framing.crop is not None:
        # Of a margin that is odd the smaller half is above and to the left; torchvision's own crop halves otherwise.
        ours = F.crop(ours, (ours.shape[1] - rows) // 2, (ours.shape[2] - columns) // 2, rows, columns)
    mean, std = (torch.tensor(each).reshape(-1, 1, 1) for each in (said.mean, said.std))
    if ours.shape != theirs.shape:
        return False
    return bool((theirs * std + mean - ours / 255).abs().mean() < ALIKE)
