"""The normalisation inside a network: its shapes, its state, its defaults."""

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import BadValue
from holdfast.models import ARCHITECTURES, ImageNetResNet, Normalized, Standardized, build
from holdfast.models.normalized import CIFAR10_MEAN, CIFAR10_STD
from tests.classifiers import CLASSIFIERS


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 4, 5)


def test_one_number_and_one_a_channel(images: Tensor) -> None:
    torch.testing.assert_close(Normalized(0.5, 0.25)(images), (images - 0.5) / 0.25)
    seen = Normalized((0.1, 0.2, 0.3), (1.0, 2.0, 4.0))(images)
    torch.testing.assert_close(seen[:, 2], (images[:, 2] - 0.3) / 4)


def test_a_mean_image(images: Tensor) -> None:
    mean = torch.rand(3, 4, 5)
    torch.testing.assert_close(Normalized(mean)(images), images - mean)


def test_a_caller_s_tensor_is_copied(images: Tensor) -> None:
    mean = torch.full((3,), 0.5)
    layer = Normalized(mean)
    mean.zero_()
    torch.testing.assert_close(layer(images), images - 0.5)


def test_a_grey_image_is_repeated_for_colour_statistics() -> None:
    seen = Normalized(CIFAR10_MEAN, CIFAR10_STD)(torch.full((1, 1, 2, 2), 0.5))
    expected = [(0.5 - mean) / std for mean, std in zip(CIFAR10_MEAN, CIFAR10_STD, strict=True)]
    torch.testing.assert_close(seen[0, :, 0, 0], torch.tensor(expected))


def test_it_is_saved_with_the_weights() -> None:
    state = Normalized(0.5, (0.1, 0.2)).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {"mean": (1, 1, 1, 1), "std": (1, 2, 1, 1)}


def test_wrong_statistics_get_one_line() -> None:
    with pytest.raises(BadValue, match=r"mean has shape \(2, 3\)"):
        Normalized(torch.zeros(2, 3))
    with pytest.raises(BadValue, match=r"std = \(0.2, 0.0, 0.2\): deviations are above 0"):
        Normalized(0.0, (0.2, 0.0, 0.2))


@pytest.mark.parametrize("name", ["resnet-18", "preact-resnet-18", "wrn-10-1", "vgg-16", "imagenet-resnet-18"])
def test_colour_networks_use_the_statistics_of_cifar(name: str) -> None:
    state = build(name, (3, 32, 32), 10).state_dict()
    torch.testing.assert_close(state["normalized.mean"].flatten(), torch.tensor(CIFAR10_MEAN))
    torch.testing.assert_close(state["normalized.std"].flatten(), torch.tensor(CIFAR10_STD))


@pytest.mark.parametrize(
    ("name", "channels"),
    [("digits-net", 3), ("lenet", 3), ("small-cnn", 3), ("cifar-resnet-20", 1), ("resnet-18", 1), ("wrn-10-1", 1)],
)
def test_others_take_pixels_as_they_are(name: str, channels: int) -> None:
    state = build(name, (channels, 28, 28), 10).state_dict()
    assert state["normalized.mean"].item() == 0
    assert state["normalized.std"].item() == 1


def test_the_images_reach_the_network_normalised() -> None:
    torch.manual_seed(0)
    raw = build("wrn-10-1", (3, 8, 8), 10, mean=0.0, std=1.0).eval()
    torch.manual_seed(0)
    own = build("wrn-10-1", (3, 8, 8), 10).eval()
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(own(images), raw(Normalized(CIFAR10_MEAN, CIFAR10_STD)(images)))


def test_a_mean_image_fits_the_network_of_paper_002() -> None:
    mean = torch.rand(3, 24, 24)
    model = build("cifar-resnet-8", (3, 24, 24), 10, mean=mean).eval()
    plain = build("cifar-resnet-8", (3, 24, 24), 10, mean=0.0).eval()
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "normalized" not in name}, strict=False
    )
    torch.testing.assert_close(model(mean[None]), plain(torch.zeros(1, 3, 24, 24)))


def test_grey_images_of_the_imagenet_network_are_three_normalised_copies() -> None:
    torch.manual_seed(0)
    model = ImageNetResNet(channels=1).eval()
    images = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(model(images), model(images.expand(-1, 3, -1, -1)))


def test_the_network_of_paper_002_takes_away_a_mean_and_divides_by_nothing() -> None:
    state = build("cifar-resnet-8", (3, 24, 24), 10).state_dict()
    torch.testing.assert_close(state["normalized.mean"].flatten(), torch.tensor(CIFAR10_MEAN))
    assert state["normalized.std"].item() == 1
    averaged = build("cifar-resnet-8-average-20", (3, 24, 24), 10)
    assert {part.momentum for part in averaged.modules() if isinstance(part, nn.BatchNorm2d)} == {0.05}


def test_a_standardised_image_has_mean_0_and_deviation_1(images: Tensor) -> None:
    seen = Standardized()(images).flatten(1)
    torch.testing.assert_close(seen.mean(1), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(seen.std(1, correction=0), torch.ones(2))
    brighter = Standardized()(0.1 + 0.5 * images).flatten(1)
    torch.testing.assert_close(brighter, seen)


def test_standardising_by_hand() -> None:
    image = torch.tensor([0.2, 0.4, 0.6, 0.8]).reshape(1, 1, 2, 2)  # mean 0.5, variance 0.05, floor 0.5
    torch.testing.assert_close(Standardized()(image).flatten(), torch.tensor([-0.6, -0.2, 0.2, 0.6]))
    image = torch.tensor([0.0, 0.0, 1.0, 1.0] * 4).reshape(1, 1, 4, 4)  # mean and deviation 0.5, floor 0.25
    torch.testing.assert_close(Standardized()(image).flatten()[1:3], torch.tensor([-1.0, 1.0]))


def test_an_image_of_one_colour_becomes_0_and_has_a_gradient() -> None:
    images = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    seen = Standardized()(images)
    assert not seen.any()
    (gradient,) = torch.autograd.grad(seen[0, 0, 0, 0], images)
    torch.testing.assert_close(gradient.flatten(), torch.tensor([1.5, -0.5, -0.5, -0.5]))  # (1 - 1/4) / floor


def test_the_gradient_knows_that_mean_and_deviation_go_along(images: Tensor) -> None:
    seen = Standardized()(images.requires_grad_())
    (gradient,) = torch.autograd.grad((seen * torch.rand_like(seen)).sum(), images)
    # Neither a brighter image nor one of more contrast changes anything.
    assert gradient.abs().amax() > 0.1
    torch.testing.assert_close(gradient.flatten(1).sum(1), torch.zeros(2), atol=1e-3, rtol=0)
    torch.testing.assert_close((gradient * images).flatten(1).sum(1), torch.zeros(2), atol=1e-3, rtol=0)


def test_each_image_is_standardised_alone_in_either_layout_and_in_an_empty_batch(images: Tensor) -> None:
    layer = Standardized()
    torch.testing.assert_close(layer(images)[1:], layer(images[1:]))
    arranged = layer(images.contiguous(memory_format=torch.channels_last))
    assert arranged.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(arranged, layer(images))
    assert layer(images[:0]).shape == (0, 3, 4, 5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_normalisation_is_chosen_for_every_classifier(name: str) -> None:
    side = max(8, getattr(ARCHITECTURES[name].network, "smallest", 1))
    with torch.device("meta"):
        chosen = [build(name, (3, side, side), 4, normalize=each) for each in ("none", "symmetric", "per-image")]
    kinds = [type(next(model.children())) for model in chosen]
    assert kinds == [Normalized, Normalized, Standardized]


def test_what_is_chosen_is_what_the_network_sees(images: Tensor) -> None:
    images = torch.rand(2, 3, 8, 8)
    plain, symmetric, alone = (
        build("wrn-10-1", (3, 8, 8), 4, normalize=each).eval() for each in ("none", "symmetric", "per-image")
    )
    for other in (symmetric, alone):
        other.load_state_dict(
            {name: value for name, value in plain.state_dict().items() if "normalized" not in name}, strict=False
        )
    torch.testing.assert_close(symmetric(images), plain(2 * images - 1))
    torch.testing.assert_close(alone(images), plain(Standardized()(images)))
