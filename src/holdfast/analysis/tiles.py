"""Small pictures as an analysis returns them: PNG files in base64, and maps laid over images in colour."""

import base64
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from holdfast.types import Images

PLASMA = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))
"""Five colours from low to high whose brightness rises evenly (S. van der Walt and N. Smith, 2015)."""


def png(image: Tensor) -> str:
    """Return an image (c, h, w) in [0, 1] as a PNG file in base64, grey unless it has three channels."""
    shown = image if len(image) == 3 else image.mean(0, keepdim=True).expand(3, -1, -1)
    pixels = (255 * shown.clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    written = BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


def overlaid(images: Images, maps: Tensor) -> Tensor:
    """Return the images in grey, half covered by the colours of maps from 0 to 1, shape (n, 3, rows, columns)."""
    return 0.5 * images.mean(1, keepdim=True) + 0.5 * coloured(maps.to(images.device))


def coloured(maps: Tensor) -> Tensor:
    """Return maps from 0 to 1 in colour, shape (n, 3, rows, columns)."""
    colours = torch.tensor(PLASMA, device=maps.device) / 255
    place = maps.clamp(0, 1) * (len(PLASMA) - 1)
    below = place.long().clamp(max=len(PLASMA) - 2)
    return torch.lerp(colours[below], colours[below + 1], (place - below)[..., None]).permute(0, 3, 1, 2)
