"""How the weights of a network lie in memory."""

import torch
from torch import Tensor, nn

from holdfast.types import Images


def channels_last(network: nn.Module, images: Images) -> bool:
    """Lay 4-d weights, and so all that comes out of them, with the channels last; say whether the network runs so.

    It is asked once about the images, in the mode it is in. Values stay, only their places change, so answers change by
    rounding alone. A processor trains the small networks of this field up to 1.4 times as fast so.
    """
    if not any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in network.modules()):
        return False
    network.to(memory_format=torch.channels_last)
    try:
        x = images.detach().requires_grad_()
        answer: Tensor = network(x)
        if answer.requires_grad:
            torch.autograd.grad(answer.sum(), x, allow_unused=True)
    except RuntimeError:  # `view` wants what lies in one piece
        network.to(memory_format=torch.contiguous_format)
        return False
    return True
