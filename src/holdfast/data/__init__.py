"""Images to train and judge on: where they come from, how they are kept, how they are varied."""

from holdfast.data.augment import CropFlip, read_view, write_view
from holdfast.data.cut_mix import CutMix
from holdfast.data.image_set import Augmentation, ImageSet
from holdfast.data.made_up import made_up_images
from holdfast.data.rand_augment import RandAugment
from holdfast.data.request import data_root
from holdfast.data.sources import SOURCES, load
from holdfast.data.stored_images import StoredImages
from holdfast.framing import Framing

__all__ = [
    "SOURCES",
    "Augmentation",
    "CropFlip",
    "CutMix",
    "Framing",
    "ImageSet",
    "RandAugment",
    "StoredImages",
    "data_root",
    "load",
    "made_up_images",
    "read_view",
    "write_view",
]
