"""How the pictures for a network are framed: as --resize and --crop ask, else as the public network was trained."""

from dataclasses import replace

from holdfast.data.sources import holds_pictures
from holdfast.errors import UsageError, require
from holdfast.framing import Framing, Sides
from holdfast.models import preprocessing_of


def framing_for(
    network: str,
    source: str,
    resize: tuple[int, ...],
    crop: tuple[int, ...],
    pretrained: bool,
    download: bool = False,
) -> Framing | None:
    """Return how the images of a source become what a network of this name sees; None where nothing says so.

    What --resize or --crop leaves open, the public network's own configuration says.
    """
    asked = bool(resize or crop)
    known = preprocessing_of(network, download) if pretrained and (asked or holds_pictures(source)) else None
    if known is None and not asked:
        return None
    usual = Framing() if known is None else known.framing
    size, middle = _sides("--resize", resize) or usual.size, _sides("--crop", crop) or usual.crop
    return replace(usual, size=size, crop=middle, usual=not asked)


def _sides(option: str, words: tuple[int, ...]) -> Sides | None:
    given = " ".join(map(str, words))
    fits = len(words) <= 2 and min(words, default=1) >= 1
    require(fits, f"{option} {given}: give one number, or ROWS and COLUMNS, of 1 or more", UsageError)
    return words if len(words) == 2 else next(iter(words), None)
