"""Names, options and the one line that each mistake gets."""

from typing import Any

import pytest
import torch
from torch import nn

from holdfast.errors import BadValue, UnknownName, UsageError
from holdfast.models import (
    ARCHITECTURES,
    NRP,
    VGG,
    CifarResNet,
    LeNet,
    MadryResNet,
    ResidualNRP,
    WideResNet,
    answers_of,
    build,
)

COLOUR = (3, 32, 32)


def test_depth_and_width_are_read_from_the_name() -> None:
    model = build("wrn-16-2", COLOUR, 5)
    assert isinstance(model, WideResNet)
    assert (len(model.block1), model.linear.in_features, model.linear.out_features) == (2, 128, 5)
    madry = build("madry-wrn-34-1", COLOUR, 5)
    assert isinstance(madry, MadryResNet)
    assert (len(madry.block1), madry.linear.in_features) == (5, 64)
    thin = build("cifar-resnet-14", COLOUR, 5)
    assert isinstance(thin, CifarResNet)
    assert len(thin.block3) == 2
    narrow = build("vgg-19-8", COLOUR, 5)
    assert isinstance(narrow, VGG)
    assert (len(narrow.block5), narrow.linear.in_features) == (13, 64)
    for name, kind in (("nrp-2", NRP), ("nrp-resg-2", ResidualNRP)):
        purifier = build(name, COLOUR, 5)
        assert type(purifier) is kind
        assert len(purifier.trunk) == 2
        assert answers_of(name) == "images"


def test_options_reach_the_network() -> None:
    model = build("wrn-10-1", COLOUR, 10, dropout=0.3, mean=0.5, std=0.25)
    assert {part.p for part in model.modules() if isinstance(part, nn.Dropout)} == {0.3}
    assert model.state_dict()["normalized.mean"].flatten().tolist() == [0.5]


def test_the_size_of_an_image_reaches_the_network() -> None:
    model = build("lenet", (3, 12, 20), 4)
    assert isinstance(model, LeNet)
    assert model(torch.zeros(2, 3, 12, 20)).shape == (2, 4)


def test_options_of_a_name_do_not_repeat_what_it_fixes() -> None:
    assert ARCHITECTURES["vgg-16"].options == ("mean", "std", "width", "normalize")
    assert ARCHITECTURES["digits-net"].options == ("mean", "std", "width", "normalize")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_smallest_image_works_and_a_smaller_one_is_refused(name: str) -> None:
    smallest = getattr(ARCHITECTURES[name].network, "smallest", 1)
    with torch.device("meta"):
        build(name, (3, smallest, smallest), 10)
        if smallest > 1:
            with pytest.raises(BadValue, match=f"at least {smallest}x{smallest}, not {smallest}x{smallest - 1}"):
                build(name, (3, smallest, smallest - 1), 10)


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if hasattr(ARCHITECTURES[name].network, "smallest")])
def test_the_limit_is_where_the_pools_leave_nothing(name: str) -> None:
    network = ARCHITECTURES[name].network
    smallest: int = network.smallest  # type: ignore[attr-defined]
    with torch.device("meta"), pytest.raises((BadValue, RuntimeError)):
        network(channels=3, **({"image_size": (smallest - 1,) * 2} if "vgg" not in name else {}))(
            torch.zeros(2, 3, smallest - 1, smallest - 1)
        )


@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "error", "words"),
    [
        ("resnet18", COLOUR, 10, {}, UnknownName, "no model is called 'resnet18'; did you mean 'resnet-18'"),
        ("zzz", COLOUR, 10, {}, UnknownName, "known: cifar-resnet-110"),
        ("foo:bar", COLOUR, 10, {}, UnknownName, "no model is called 'foo:bar'"),
        ("wrn-27-10", COLOUR, 10, {}, BadValue, r"depth = 27: a WRN has 6n \+ 4 layers"),
        ("wrn-28-0", COLOUR, 10, {}, BadValue, "width = 0: a WRN is at least 1 wide"),
        ("madry-wrn-28-0", COLOUR, 10, {}, BadValue, "width = 0: a WRN is at least 1 wide"),
        ("madry-wrn-30-10", COLOUR, 10, {}, BadValue, r"depth = 30: a WRN has 6n \+ 4 layers"),
        ("cifar-resnet-18", COLOUR, 10, {}, BadValue, r"depth = 18: a CIFAR ResNet has 6n \+ 2 layers"),
        ("vgg-16", (1, 28, 28), 10, {}, BadValue, "'vgg-16' needs images of at least 32x32, not 28x28"),
        ("small-cnn", (1, 8, 8), 10, {}, BadValue, "'small-cnn' needs images of at least 16x16, not 8x8"),
        ("imagenet-resnet-18", (2, 32, 32), 10, {}, BadValue, r"channels = 2: .* grey \(1\) or colour \(3\)"),
        ("resnet-18", (3, 0, 32), 10, {}, BadValue, r"shape = \(3, 0, 32\): give \(channels, rows, columns\)"),
        ("resnet-18", COLOUR, 1, {}, BadValue, "classes = 1: a classifier tells at least 2 apart"),
        ("resnet-18", COLOUR, 10, {"witdh": 2}, UnknownName, "no option of 'resnet-18' is called 'witdh'"),
        ("wrn-10-1", COLOUR, 10, {"dropuot": 0.1}, UnknownName, "did you mean 'dropout'"),
        ("wrn-10-1", COLOUR, 10, {"depth": 16}, UnknownName, "no option of 'wrn-10-1' is called 'depth'"),
        ("wrn-10-1", COLOUR, 10, {"mean": (0.5, 0.5)}, BadValue, r"cannot take images of shape \(3, 32, 32\)"),
        ("wrn-10-1", COLOUR, 10, {"normalize": "per-imag"}, UnknownName, "did you mean 'per-image'"),
        ("wrn-10-1", COLOUR, 10, {"normalize": "none", "std": 1.0}, UsageError, "normalize = 'none': leave std out"),
        ("wrn-10-1", COLOUR, 10, {"std": 0.0}, BadValue, "std = 0.0: deviations are above 0"),
    ],
)
def test_mistakes_get_one_line(
    name: str, shape: tuple[int, int, int], classes: int, options: dict[str, Any], error: type[UsageError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        build(name, shape, classes, **options)
    assert "\n" not in str(caught.value)
