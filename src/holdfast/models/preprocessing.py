"""How pictures become the images that a network was trained on: resized, cropped, then normalised inside the network.

The library that a network comes from knows it; whoever reads pictures takes their framing from here.
"""

from dataclasses import dataclass
from math import floor
from typing import Any

from holdfast.framing import Framing, Sides


@dataclass(frozen=True)
class Preprocessing:
    """How pictures are framed, and the normalisation that follows inside the network."""

    framing: Framing = Framing()
    mean: tuple[float, ...] = (0.0,)
    """What the network itself subtracts from pixels in [0, 1]: one number, or one a channel."""
    std: tuple[float, ...] = (1.0,)


TRANSFORMED = ("googlenet", "inception_v3")
"""Networks of torchvision that were trained on pixels in [-1, 1]: with weights they undo what their transforms do."""


def preprocessing_of_timm(config: dict[str, Any]) -> Preprocessing | None:
    """Return what a pretrained configuration of timm says, at the size of training; None of a frame around pictures."""
    mode = config.get("crop_mode") or "center"
    if mode not in ("center", "squash"):
        return None
    _, *sides = config["input_size"]
    rows, columns = (floor(side / (config.get("crop_pct") or 0.875)) for side in sides)
    size = rows if mode == "center" and rows == columns else (rows, columns)
    crop = sides[0] if sides[0] == sides[1] else tuple(sides)
    statistics = (tuple(map(float, config[word])) for word in ("mean", "std"))
    return Preprocessing(Framing(size, crop, config.get("interpolation") or "bicubic"), *statistics)


def preprocessing_of_torchvision(name: str, preset: Any) -> Preprocessing:
    """Return what the transforms of one of torchvision's weight sets say, and what its network undoes of them."""
    framing = Framing(_alone(preset.resize_size), _alone(preset.crop_size), preset.interpolation.value)
    if name in TRANSFORMED:
        return Preprocessing(framing, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Preprocessing(framing, tuple(preset.mean), tuple(preset.std))


def _alone(sides: list[int]) -> Sides:
    """Return the one number of a list of one, which means the shorter side, and the two of a list of two."""
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])
