"""The auto-encoders of MagNet (Meng and Chen: "MagNet: a two-pronged defense against adversarial examples", 2017).

Convolutions of 3x3 with sigmoids. `pooled` is the one for MNIST, with an average pool and its way back in the middle;
without it is the one for CIFAR-10.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.pixels import bordered, cropped, whole
from holdfast.types import Images


class MagNetAutoencoder(nn.Module):
    """The auto-encoder of MagNet (Meng and Chen, 2017): 3x3 convolutions with sigmoids."""

    layers: ClassVar[dict[str, str]] = {"code": "encoder"}

    def __init__(self, *, channels: int = 3, width: int = 3, pooled: int = 0) -> None:
        super().__init__()
        require(width >= 1, f"width = {width}, not 1 or more")
        self.multiple = 2 if pooled else 1
        self.encoder, self.decoder = nn.Sequential(*_stage(channels, width)), nn.Sequential()
        if pooled:
            self.encoder.extend([nn.AvgPool2d(2), *_stage(width, width)])
            self.decoder.extend([*_stage(width, width), nn.Upsample(scale_factor=2)])
        self.decoder.extend([*_stage(width, width), *_stage(width, channels)])

    def forward(self, images: Images) -> Images:
        """Return images of the same size, in [0, 1]."""
        rows, columns = images.shape[2:]
        whole_images = bordered(images, whole(rows, self.multiple), whole(columns, self.multiple))
        answer: Tensor = self.decoder(self.encoder(whole_images)).float()
        return cropped(answer, rows, columns)


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.Sigmoid()]
