"""How pictures become the images that a network was trained on: resized, cropped, then normalised inside the network.

The library that a network comes from knows it; whoever reads pictures takes size, crop and interpolation from here.
"""

from dataclasses import dataclass
from math import floor
from typing import Any, Literal, get_args

from holdfast.errors import require
from holdfast.fields import Count, check_fields

Size = Count | tuple[int, int] | None
Interpolation = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
CODES: tuple[Interpolation, ...] = get_args(Interpolation)
"""The interpolations by the numbers that Pillow gives them."""


@dataclass(frozen=True)
class Preprocessing:
    """Resizing, a crop of the middle, and the normalisation that follows inside the network."""

    size: Size = None
    """The shorter side after resizing, or (rows, columns) whatever shape the picture had; None: not resized."""
    crop: Size = None
    """The part of the middle that is kept: the side of a square, or (rows, columns); None: all of it."""
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.0,)
    """What the network itself subtracts from pixels in [0, 1]: one number, or one a channel."""
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        check_fields(self)
        for word, value in (("size", self.size), ("crop", self.crop)):
            sides = value if isinstance(value, tuple) else (value or 1,)
            require(min(sides) >= 1, f"{word} = {value}: sides are at least 1")

    @property
    def seen(self) -> tuple[int, int] | None:
        """The (rows, columns) that the network sees; None where they depend on the picture."""
        if self.crop is not None:
            return self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)
        return self.size if isinstance(self.size, tuple) else None

    def __str__(self) -> str:
        parts = []
        if self.size is not None:
            parts.append(f"resized to {_sides(self.size, 'the shorter side ')} ({self.interpolation})")
        if self.crop is not None:
            parts.append(f"cropped to {_sides(self.crop, '')}")
        return ", ".join(parts) or "neither resized nor cropped"


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
    return Preprocessing(size, crop, config.get("interpolation") or "bicubic", *statistics)


def preprocessing_of_torchvision(preset: Any) -> Preprocessing:
    """Return what the transforms of one of torchvision's weight sets say."""
    sides = (_alone(preset.resize_size), _alone(preset.crop_size))
    return Preprocessing(*sides, preset.interpolation.value, tuple(preset.mean), tuple(preset.std))


def _alone(sides: list[int]) -> int | tuple[int, int]:
    """Return the one number of a list of one, which means the shorter side, and the two of a list of two."""
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def _sides(size: Count | tuple[int, int], one: str) -> str:
    return f"{size[0]} x {size[1]}" if isinstance(size, tuple) else f"{one}{size}"
