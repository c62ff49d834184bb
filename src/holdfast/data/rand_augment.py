"""RandAugment (Cubuk et al., 2020) by torchvision's operations, with random numbers that belong to the image."""

from dataclasses import dataclass
from typing import Annotated

import torch

from holdfast.data.augment import Cropped
from holdfast.data.image_set import ImageSet
from holdfast.fields import Count, Interval, check_fields
from holdfast.rng import Stream
from holdfast.types import Batch, Index


@dataclass(frozen=True)
class RandAugment(Cropped):
    """Some operations on each image, drawn from fourteen: shifts, shears, turns, and changes of colour and contrast.

    The images are cropped and mirrored first, and rounded to 8 bits. The operations are made on the processor, image
    by image.
    """

    operations: Count = 2
    """How many, one after the other."""
    magnitude: Annotated[int, Interval(0, 30)] = 9
    """How strong each of them is."""

    def __post_init__(self) -> None:
        """Refuse fields out of range."""
        check_fields(self)

    def batch(self, data: ImageSet, index: Index, epoch_seed: int) -> Batch:
        """Return the images at these positions of a set after operations of their own."""
        from torchvision.transforms import v2

        cropped, change = self.crop.batch(data, index, epoch_seed), v2.RandAugment(self.operations, self.magnitude)
        changed = (cropped.images * 255).round().byte().cpu()
        with torch.random.fork_rng(devices=[]):
            for place, key in enumerate(Stream.at(index, epoch_seed, "RandAugment").keys.tolist()):
                # torchvision draws from this one; torch.manual_seed would seed those of all devices as well.
                torch.default_generator.manual_seed(key)
                changed[place] = change(changed[place])
        images = (changed.float() / torch.full((), 255.0)).to(cropped.images.device)
        return Batch(images, cropped.labels, index)
