"""Where a network's weights lie in memory: on a processor with the channels last, which is faster (docs/speed.md)."""

import copy

import torch
from torch import Tensor, nn

from holdfast.models.suppression import labelled
from holdfast.types import Images


def use_channels_last(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """Return the network, its weights laid with the channels last where a processor can run it so.

    A copy is shown two empty images of `shape` (channels, rows, columns), at rest and in training. On GPUs nothing is
    changed: there it has not been timed.
    """
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
    if device.type == "cpu" and _supports_channels_last(network, torch.zeros(2, *shape)):
        network.to(memory_format=torch.channels_last)
    return network


def _supports_channels_last(network: nn.Module, images: Images) -> bool:
    """Say whether a copy can be run with the channels last, in either mode."""
    try:
        twin = copy.deepcopy(network)
        with torch.random.fork_rng(devices=[]), labelled(twin, torch.zeros(len(images), dtype=torch.int64)):
            return all(channels_last(twin.train(training), images) for training in (False, True))
    except Exception:  # a stranger's network may refuse to be copied, or to be asked
        return False


def channels_last(network: nn.Module, images: Images) -> bool:
    """Lay 4-d weights, and so all that comes out of them, with the channels last; say whether the network runs so.

    It is asked once, in the mode it is in. Values stay, only their places change, so answers change by rounding alone.
    Give two images or more: of one alone torch cannot tell how it lies.
    """
    if not any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in network.modules()):
        return False
    try:
        network.to(memory_format=torch.channels_last)
        x = images.detach().requires_grad_()
        answer: Tensor = network(x)
        if answer.requires_grad:
            torch.autograd.grad(answer.sum(), x, allow_unused=True)
    except RuntimeError:  # `view` wants what lies in one piece; 5-d weights cannot lie so
        network.to(memory_format=torch.contiguous_format)
        return False
    return True
