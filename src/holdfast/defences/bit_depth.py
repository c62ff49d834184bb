"""Fewer bits a value, one of the two squeezers of Xu et al.: "Feature squeezing" (2018), section 4.1."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from holdfast.defences.defence import Defence
from holdfast.fields import Interval
from holdfast.types import Images


@dataclass(frozen=True)
class BitDepth(Defence):
    """Rounds every value to one of 2^bits levels.

    defend(classifier, BitDepth(5))
    """

    differentiable: ClassVar[bool] = False
    bits: Annotated[int, Interval(1, 24)] = 3
    """Guo et al. (2018) take 3, feature squeezing 1 to 5; float32 has 24."""

    def __call__(self, images: Images) -> Images:
        """Return the nearest level."""
        highest = float(2**self.bits - 1)
        return (images * highest).round() / highest
