"""The box of pixels, and a cut into it whose gradient reaches its walls."""

import torch
from torch import Tensor


def boxed(values: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return the values cut to [low, high], with gradient 1 from wall to wall, walls included, and 0 outside.

    The gradient of `clamp` at a wall itself is 1 in some versions of torch and 0 in others, where an attack through it
    could never leave a black or a white pixel.
    """
    return torch.where((values < low) | (values > high), values.detach().clamp(low, high), values)
