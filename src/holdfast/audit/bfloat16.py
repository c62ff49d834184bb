"""Products of bfloat16 for a network whose images and answers are float32: where they are made, and what they gain."""

import copy
import time
from statistics import median

import torch
from torch import Tensor, nn

from holdfast.audit.folding import LAYERS
from holdfast.audit.likeness import ask
from holdfast.types import Images, Outputs

ROUNDS = 5
"""How often two networks are timed, after once for nothing."""


class InBfloat16(nn.Module):
    """A copy of a network that makes its products of bfloat16; images and answers are float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for part in self.network.modules():
            if type(part) in LAYERS:
                part.to(torch.bfloat16)  # autocast would do so at every call

    def forward(self, images: Images) -> Outputs:
        """Return the answer."""
        with torch.autocast(images.device.type, torch.bfloat16):
            answer: Tensor = self.network(images)
        return answer.float()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies bfloat16 by itself; for CPUs torch's answers are private and may be missing."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, lambda: False)() for name in asked)


def times_as_fast(one: nn.Module, other: nn.Module, images: Images) -> float:
    """Return how many times as fast the gradients of `one` are as those of `other`, timed in turns."""
    ratios = [seconds(other, images) / seconds(one, images) for _ in range(ROUNDS + 1)]
    return median(ratios[1:])


def seconds(network: nn.Module, images: Images) -> float:
    """Return how long one gradient takes."""
    began = time.perf_counter()
    float(ask(network, images).gradient.sum())  # waits for the device
    return time.perf_counter() - began
