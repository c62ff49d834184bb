"""3x3 convolutions, and how those of stride 2 meet the border of an image.

PyTorch's code pads all four sides by 1. JAX and TensorFlow with SAME, and so the networks of Gowal et al. (2020) and
Rebuffi et al. (2021) and those that follow them, pad on the right and below alone where the stride is 2. The tensors
are the same, and the answers are not.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import UnknownName

PADDINGS = ("symmetric", "asymmetric")


class EndPadded(nn.Conv2d):
    """A convolution of stride 2 that pads one row below and one column on the right."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's own name)
        """Return the convolved images."""
        return super().forward(F.pad(input, (0, 1, 0, 1)))


def convolution(inputs: int, outputs: int, stride: int, padding: str = "symmetric", bias: bool = False) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size of an image but for its stride."""
    if padding not in PADDINGS:
        raise UnknownName("padding", padding, PADDINGS)
    if padding == "asymmetric" and stride == 2:
        return EndPadded(inputs, outputs, 3, stride=stride, bias=bias)
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)
