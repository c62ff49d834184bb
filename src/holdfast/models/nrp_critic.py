"""The critic of NRP: the discriminator of ESRGAN (Wang et al., 2018) with three of its five stages."""

from torch import Tensor, nn

from holdfast.models.pixels import bordered, whole
from holdfast.types import Images

STAGES, SMALLEST = 3, 32


class NRPCritic(nn.Module):
    """Convolutions and two linear layers from images to one logit each; small images get borders up to 32x32."""

    def __init__(self, channels: int, image_size: tuple[int, int], width: int = 64) -> None:
        super().__init__()
        self.size = tuple(max(SMALLEST, whole(side, 2**STAGES)) for side in image_size)
        parts: list[nn.Module] = []
        given = channels
        for stage in range(STAGES):
            outputs = width * 2**stage
            parts += [*_normed(nn.Conv2d(given, outputs, 3, 1, 1, bias=stage == 0), stage > 0), nn.LeakyReLU(0.2)]
            parts += [*_normed(nn.Conv2d(outputs, outputs, 4, 2, 1, bias=False), True), nn.LeakyReLU(0.2)]
            given = outputs
        flat = given * (self.size[0] // 2**STAGES) * (self.size[1] // 2**STAGES)
        self.features = nn.Sequential(*parts, nn.Flatten())
        self.head = nn.Sequential(nn.Linear(flat, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1))

    def forward(self, images: Images) -> Tensor:
        """Return one logit an image, shape (n, 1)."""
        logits: Tensor = self.head(self.features(bordered(images, *self.size)))
        return logits


def _normed(convolution: nn.Conv2d, normed: bool) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels)] if normed else [convolution]
