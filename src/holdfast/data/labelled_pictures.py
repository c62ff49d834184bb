"""Pictures of any size and their labels as an image set, framed, and as many as are wanted."""

from collections.abc import Sequence

import torch

from holdfast.data.image_set import ImageSet
from holdfast.data.pictures import Opened, all_grey, decode, sizes
from holdfast.data.request import Request
from holdfast.errors import BadImages


def labelled_pictures(
    request: Request, names: Sequence[str], opened: Opened, labels: Sequence[int], classes: tuple[str, ...]
) -> ImageSet:
    """Return the pictures of these names; they keep one channel where all of them are grey.

    Raises:
        BadImages: one cannot be read, or they are of several sizes and nothing says how to frame them.
    """
    # Before any limit: else a set and a part of it could differ in their size or channels.
    needed = request.framing if request.framing and request.framing.needed_by(sizes(names, opened)) else None
    grey = all_grey(names, opened)
    kept = request.kept(len(names)).tolist()
    try:
        images = decode([names[position] for position in kept], opened, needed)
    except FileNotFoundError as fault:
        raise BadImages(f"{fault.filename} is not there: a link that leads nowhere, or deleted meanwhile") from fault
    chosen = torch.tensor([labels[position] for position in kept])
    return ImageSet(images[:, :1].contiguous() if grey else images, chosen, classes, str(needed or ""))
