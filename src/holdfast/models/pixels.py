"""What networks that answer images share: the range of their pixels, borders, and how their weights begin."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from holdfast.errors import UnknownName
from holdfast.types import Images

Map = Callable[[Tensor], Tensor]
RANGES: Mapping[str, tuple[Map, Map]] = {
    "tanh": (lambda images: 2 * images - 1, lambda answer: (answer.float().tanh() + 1) / 2),
    "sigmoid": (lambda images: images, lambda answer: answer.float().sigmoid()),
}
"""By the last activation: from pixels in [0, 1] to what the network is given, and from its answer to pixels again."""


def check_range(name: str) -> None:
    """Refuse an activation that is not known."""
    if name not in RANGES:
        raise UnknownName("output", name, RANGES)


def bordered(images: Images, rows: int, columns: int) -> Tensor:
    """Return the images in the middle of larger ones, their borders repeated outwards."""
    # Expanded and not padded by torch, whose way back adds up in no fixed order on a GPU.
    return _longer(_longer(images, 2, rows), 3, columns)


def _longer(images: Tensor, side: int, size: int) -> Tensor:
    more = size - images.shape[side]
    if more <= 0:
        return images
    shape = list(images.shape)
    first, last = images.narrow(side, 0, 1), images.narrow(side, images.shape[side] - 1, 1)
    shape[side] = more // 2
    before = first.expand(shape)
    shape[side] = more - more // 2
    return torch.cat([before, images, last.expand(shape)], side)


def cropped(images: Images, rows: int, columns: int) -> Tensor:
    """Return the middle of images: what `bordered` put there."""
    top, left = (images.shape[2] - rows) // 2, (images.shape[3] - columns) // 2
    return images[:, :, top : top + rows, left : left + columns]


def divisible(images: Images, multiple: int) -> Tensor:
    """Return the images with the borders that make both sides a multiple of this number."""
    rows, columns = images.shape[2:]
    return bordered(images, whole(rows, multiple), whole(columns, multiple))


def whole(size: int, multiple: int) -> int:
    """Return the next multiple that is not smaller."""
    return -(-size // multiple) * multiple


@torch.no_grad()
def draw_weights(network: nn.Module) -> None:
    """Draw the weights as pix2pix does: normal with deviation 0.02, around 0 or, those of batch norm, around 1."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
