"""Pictures of any size and their labels as an image set, framed, and as many as are wanted.

Where they are many, they are decoded when they are asked for.
"""

from collections.abc import Sequence

import torch

from holdfast.data.decoded import Pictures
from holdfast.data.image_set import ImageSet
from holdfast.data.on_demand import kept
from holdfast.data.pictures import Opened, all_grey, sizes
from holdfast.data.request import Request


def labelled_pictures(
    request: Request,
    names: Sequence[str],
    opened: Opened,
    labels: Sequence[int],
    classes: tuple[str, ...],
    others: Sequence[str] = (),
) -> ImageSet:
    """Return the pictures of these names; they keep one channel where all of them, and the `others`, are grey.

    Raises:
        BadImages: one cannot be read, or they are of several sizes and nothing says how to frame them.
    """
    # Before any limit: else a set and a part of it could differ in their size or channels.
    needed = request.framing if request.framing and request.framing.needed_by(sizes(names, opened)) else None
    grey = all_grey([*names, *others], opened)
    rows = request.kept(len(names)).tolist()
    pictures = Pictures.of([names[row] for row in rows], opened, needed, grey)
    chosen = torch.tensor([labels[row] for row in rows])
    return ImageSet(kept(pictures, len(rows)), chosen, classes, str(needed or ""))
