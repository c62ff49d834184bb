"""Defences at test time, each with the adaptive attack that it has to stand.

To add one: its file, and its lines here. The contract in tests/defences enrols what `DEFENCES` lists.
"""

from holdfast.defences.bit_depth import BitDepth
from holdfast.defences.defence import Defence, Purifier, Step, defend, purified
from holdfast.defences.jpeg import JPEG
from holdfast.defences.median import Median
from holdfast.defences.noise import Noise
from holdfast.defences.random_resize_pad import RandomResizePad
from holdfast.defences.sap import SAP
from holdfast.defences.total_variation import TotalVariation
from holdfast.defences.views import is_random, steps_of, views

__all__ = [
    "DEFENCES",
    "JPEG",
    "SAP",
    "BitDepth",
    "Defence",
    "Median",
    "Noise",
    "Purifier",
    "RandomResizePad",
    "Step",
    "TotalVariation",
    "defend",
    "is_random",
    "purified",
    "steps_of",
    "views",
]

DEFENCES: dict[str, type[Defence]] = {
    kind.__name__: kind for kind in (BitDepth, JPEG, Median, Noise, RandomResizePad, SAP, TotalVariation)
}
"""What `holdfast list` shows and `--defence` takes."""
