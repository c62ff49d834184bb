"""What networks of libraries were trained on: size, crop, interpolation and normalisation."""

import pytest

from holdfast.data import Framing
from holdfast.models import Preprocessing, preprocessing_of
from holdfast.models.preprocessing import preprocessing_of_timm

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timm:resnet50.a1_in1k", Preprocessing(Framing(235, 224, "bicubic"), *IMAGENET)),
        ("timm:resnet50.tv_in1k", Preprocessing(Framing(256, 224, "bilinear"), *IMAGENET)),
        ("timm:vit_base_patch16_224.augreg2_in21k_ft_in1k", Preprocessing(Framing(248, 224, "bicubic"), *HALF)),
        ("timm:xcit_small_12_p16_224.fb_in1k", Preprocessing(Framing(224, 224, "bicubic"), *IMAGENET)),
        ("torchvision:resnet50", Preprocessing(Framing(232, 224, "bilinear"), *IMAGENET)),
        ("torchvision:swin_b", Preprocessing(Framing(238, 224, "bicubic"), *IMAGENET)),
        ("torchvision:inception_v3", Preprocessing(Framing(342, 299, "bilinear"), *HALF)),
        ("wrn-28-10", None),
        ("timm:no_such_network", None),
        ("torchvision:no_such_network", None),
    ],
)
def test_it_is_what_the_library_says(name: str, expected: Preprocessing | None) -> None:
    assert preprocessing_of(name) == expected


def test_a_squashed_picture_has_both_sides() -> None:
    config = {"input_size": (3, 224, 224), "crop_pct": 1.0, "crop_mode": "squash", "mean": (0.5,), "std": (0.5,)}
    squashed = preprocessing_of_timm(config)
    assert squashed == Preprocessing(Framing((224, 224), 224, "bicubic"), (0.5,), (0.5,))
    assert preprocessing_of_timm({**config, "crop_mode": "border"}) is None


def test_what_the_network_sees() -> None:
    assert Framing(256, 224).seen == (224, 224)
    assert Framing((240, 320)).seen == (240, 320)
    assert Framing(256).seen is None
