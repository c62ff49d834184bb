"""Products of bfloat16 for a network whose images and answers are float32."""

import copy

import torch
from torch import Tensor, nn

from holdfast.auditing.surrogate_folding import LAYERS
from holdfast.types import Images, Outputs


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
