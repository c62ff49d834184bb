"""The auto-encoders of MagNet (Meng and Chen: "MagNet: a two-pronged defense against adversarial examples", 2017).

Convolutions of 3x3 with sigmoids. The one for MNIST makes images half as large (`pool` 2) and then as large as before;
the one for CIFAR-10 keeps their size (`pool` 1).
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.pixels import cropped, divisible
from holdfast.types import Images


class MagNetAutoencoder(nn.Module):
    """The auto-encoder of MagNet (Meng and Chen, 2017): 3x3 convolutions with sigmoids."""

    layers: ClassVar[dict[str, str]] = {"code": "encoder"}

    def __init__(self, *, channels: int = 3, width: int = 3, pool: int = 1) -> None:
        super().__init__()
        for word, number in (("width", width), ("pool", pool)):
            require(number >= 1, f"{word} = {number}, not 1 or more")
        self.pool = pool
        self.encoder, self.decoder = nn.Sequential(*_stage(channels, width)), nn.Sequential()
        if pool > 1:
            self.encoder.extend([nn.AvgPool2d(pool), *_stage(width, width)])
            self.decoder.extend([*_stage(width, width), nn.Upsample(scale_factor=pool)])
        self.decoder.extend([*_stage(width, width), *_stage(width, channels)])

    def forward(self, images: Images) -> Images:
        """Return images of the same size, in [0, 1]."""
        rows, columns = images.shape[2:]
        answer: Tensor = self.decoder(self.encoder(divisible(images, self.pool))).float()
        return cropped(answer, rows, columns)


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.Sigmoid()]
