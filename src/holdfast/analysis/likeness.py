"""How like two images are: the structural similarity (Wang et al., 2004), for which torch has no function."""

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import BadImages, require
from holdfast.types import Images, PerImage

WINDOW, DEVIATION = 11, 1.5
"""The window is a Gaussian of so many rows and columns."""
C1, C2 = 0.01**2, 0.03**2


def ssim(images: Images, reference: Images) -> PerImage:
    """Return the structural similarity of images in [0, 1], the mean over channels and windows that lie inside.

    Raises:
        BadImages: an image is smaller than the window of 11 x 11.
    """
    rows, columns = images.shape[2:]
    require(
        min(rows, columns) >= WINDOW, f"images of {rows}x{columns}: SSIM needs {WINDOW}x{WINDOW} or more", BadImages
    )
    x, y = images.double(), reference.double()
    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (luminance * structure).flatten(1).mean(1).float()


def blurred(images: Tensor) -> Tensor:
    """Return the mean in each window, by its weights."""
    places = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    weights = (-(places**2) / (2 * DEVIATION**2)).exp()
    weights = weights / weights.sum()
    channels = images.shape[1]
    down = F.conv2d(images, weights.view(1, 1, -1, 1).expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(down, weights.view(1, 1, 1, -1).expand(channels, -1, -1, -1), groups=channels)
