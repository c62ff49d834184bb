"""JPEG coding (Das et al., 2017; Guo et al., 2018) by tensors: what a file keeps of an image, without writing the file.

ITU-T T.81 and JFIF 1.02, as libjpeg codes them by default: bytes, YCbCr, chroma halved each way (4:2:0), cosines of
8x8 blocks, the tables of Annex K scaled by the quality, and back, with chroma enlarged by a triangle filter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from holdfast.defences.defence import Defence
from holdfast.fields import Interval

LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56), (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99), (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)  # fmt: skip
TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
TILT = 1e-3
"""Below the least distance of a mean of bytes to the next half, a sixteenth."""

Pixels = Float[Tensor, "n c h w"]
"""Images in any type: a network in front of the coder may answer in bfloat16."""
Cut = Callable[[Tensor], Tensor]
"""Bytes of values: rounded and cut to [0, 255], or only cut."""
Coding = Callable[[Tensor, Tensor], Tensor]
"""Cosines as multiples of a table."""


@dataclass(frozen=True)
class JPEG(Defence):
    """Codes and decodes every image as JPEG of this quality.

    Images of three channels are colours; of others each channel is coded as a grey image.

    defend(classifier, JPEG(75))
    """

    differentiable: ClassVar[bool] = False
    quality: Annotated[int, Interval(1, 100)] = 75

    def __call__(self, images: Pixels) -> Pixels:
        """Return what a file would hold."""
        return self._coded(images, _bytes, _quantised)

    def stand_in(self, images: Pixels) -> Pixels:
        """Return the same without rounding bytes, and with cosines that are rounded smoothly.

        The gradient then tells which cosines can be brought to another multiple, and which are rounded away. Where the
        decoder cuts values off it is 1: white comes back a little above 255, and would else have none.
        """
        return self._coded(images, _CutThrough.apply, _smoothly_quantised)

    def _coded(self, images: Pixels, cut: Cut, coding: Coding) -> Pixels:
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 does not hold a byte's worth of cosines
            values = cut(images.float() * 255)
            if images.shape[1] == 3:
                decoded = self._coded_colours(values, cut, coding)
            else:
                decoded = _coded_plane(values, self._table(LUMA, values), cut, coding)
            return (cut(decoded) / 255).to(images.dtype)

    def _coded_colours(self, values: Tensor, cut: Cut, coding: Coding) -> Tensor:
        planes = _mixed(values, TO_YCBCR)
        luma, chroma = cut(planes[:, :1]), cut(planes[:, 1:] + 128)
        luma = _coded_plane(luma, self._table(LUMA, values), cut, coding)
        halved = cut(_tilted(F.avg_pool2d(_filled(chroma, 2, 16), 2), -TILT))
        halved = _coded_plane(halved, self._table(CHROMA, values), cut, coding)[..., : (values.shape[3] + 1) // 2]
        chroma = cut(_tilted(F.interpolate(halved, scale_factor=2, mode="bilinear"), TILT))
        rows, columns = values.shape[2:]
        return _mixed(torch.cat((luma, chroma[:, :, :rows, :columns] - 128), 1), TO_RGB)

    def _table(self, table: tuple[tuple[int, ...], ...], like: Tensor) -> Tensor:
        """Return by what each cosine is divided, as libjpeg scales the tables."""
        percent = 5000 // self.quality if self.quality < 50 else 200 - 2 * self.quality
        scaled = [[min(max((each * percent + 50) // 100, 1), 255) for each in row] for row in table]
        return like.new_tensor(scaled)


def _coded_plane(plane: Tensor, table: Tensor, cut: Cut, coding: Coding) -> Tensor:
    """Return bytes after their cosines in blocks of 8x8 were rounded to multiples of the table."""
    rows, columns = plane.shape[2:]
    filled = _filled(plane - 128, 8, 8)
    blocks = filled.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    cosines = _cosines(plane)
    coded = coding(cosines @ blocks @ cosines.T, table)
    decoded = (cosines.T @ coded @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return cut(decoded[:, :, :rows, :columns] + 128)


def _cosines(like: Tensor) -> Tensor:
    """Return the orthonormal cosine transform of 8 values, a row a frequency."""
    place = torch.arange(8, dtype=like.dtype, device=like.device)
    table = torch.cos(math.pi / 8 * place[:, None] * (place + 0.5)) / 2
    table[0] /= math.sqrt(2)
    return table


def _filled(plane: Tensor, high: int, wide: int) -> Tensor:
    """Repeat the last row and column up to whole blocks of this height and width."""
    rows, columns = plane.shape[2:]
    return F.pad(plane, (0, -columns % wide, 0, -rows % high), mode="replicate")


def _tilted(plane: Tensor, tilt: float) -> Tensor:
    """Add so little, in even columns, and take it away in odd ones, that it only decides how a half is rounded."""
    signs = 1 - 2 * (torch.arange(plane.shape[3], device=plane.device) % 2)
    return plane + tilt * signs


def _nearest(values: Tensor) -> Tensor:
    """Round as libjpeg does: what is a half, but for the rounding of float32, goes away from zero."""
    return values.sign() * (values.abs() + (0.5 + TILT / 8)).floor()


def _cut(values: Tensor) -> Tensor:
    return values.clamp(0, 255)


class _CutThrough(torch.autograd.Function):
    """What is cut off forward, the gradient as it is backward."""

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        return _cut(values)

    @staticmethod
    def setup_context(context: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


def _bytes(values: Tensor) -> Tensor:
    return _cut(_nearest(values))


def _quantised(cosines: Tensor, table: Tensor) -> Tensor:
    """Return the nearest multiples of the table; libjpeg's cosines are whole eighths."""
    return _nearest(_nearest(8 * cosines) / 8 / table) * table


def _smoothly_quantised(cosines: Tensor, table: Tensor) -> Tensor:
    return _smoothly(cosines / table) * table


def _smoothly(values: Tensor) -> Tensor:
    """Round nearly, with a slope that grows from a tenth at whole numbers to 3/4 between them.

    Shin and Song (2017) round to whole + rest^3, whose slope is 0 at whole numbers: cosines that are 0 in the image
    stay without a gradient. With a tenth of a straight line climbs break more.
    """
    whole = values.round()
    rest = values - whole
    return whole + 0.9 * rest**3 + 0.1 * rest


def _mixed(planes: Tensor, weights: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", planes.new_tensor(weights), planes)
