"""What every architecture of classifiers keeps to: enrolled by being listed in ARCHITECTURES."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import models
from holdfast.models import ARCHITECTURES, build, capture, labelled, layer_names
from tests.classifiers import CLASSIFIERS

COUNTED_ONLY = {"cifar-resnet-110", "madry-wrn-34-10", "vgg-19", "wrn-28-10", "wrn-34-10", "wrn-34-10-cas"}
"""Too large to run here; a small relative stands for each."""
RUN = sorted({*CLASSIFIERS, "madry-wrn-16-2", "wrn-16-2", "wrn-16-2-cas"} - COUNTED_ONLY)

CLASSES = 7


def size(name: str) -> int:
    """Return the side of a small image that the network takes."""
    architecture = ARCHITECTURES.get(name)
    return max(8, getattr(architecture.network, "smallest", 1)) if architecture else 8


@pytest.fixture(scope="module", params=RUN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = build(name, (3, size(name), size(name)), CLASSES).eval()
    for parameter in model.parameters():  # networks whose last layer starts at zero would hide a mistake
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture
def images(name: str) -> Tensor:
    return torch.rand(2, 3, size(name), size(name), generator=torch.Generator().manual_seed(1))


def last_linear(model: nn.Module) -> nn.Linear:
    return [part for part in model.modules() if isinstance(part, nn.Linear)][-1]


def test_the_last_layer_makes_the_logits_of_the_penultimate(model: nn.Module, images: Tensor) -> None:
    with capture(model, "penultimate") as seen, torch.no_grad():
        logits = model(images)
    assert logits.shape == (2, CLASSES)
    assert seen["penultimate"].ndim == 2
    assert seen["penultimate"].std() > 0
    torch.testing.assert_close(last_linear(model)(seen["penultimate"]), logits)
    torch.testing.assert_close(model(images[:1]), logits[:1], rtol=1e-4, atol=1e-5)


def test_every_named_layer_lies_between_the_images_and_the_logits(model: nn.Module, images: Tensor) -> None:
    names = layer_names(model)
    assert {"attention", "features", "output", "penultimate"} <= set(names)
    images.requires_grad_(True)
    names = tuple(layer for layer in names if not layer.startswith("auxiliary"))  # they lie beside the way
    with capture(model, *names) as seen:
        model(images)
    assert set(seen) == set(names)
    assert seen["features"].ndim == 4
    gradients = torch.autograd.grad(seen["output"].square().sum(), [images, *seen.values()])
    for layer, gradient in zip(("images", *seen), gradients, strict=True):
        assert gradient.abs().flatten(1).amax(1).gt(0).all(), layer


def test_weights_come_from_the_global_generator_and_the_state_holds_them(
    name: str, model: nn.Module, images: Tensor
) -> None:
    torch.manual_seed(1)
    other = build(name, tuple(images.shape[1:]), CLASSES)
    assert other.training
    assert not torch.equal(next(other.parameters()), next(model.parameters()))
    with labelled(other, torch.tensor([0, 1])):
        assert other(images).isfinite().all()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.eval()(images), model(images))


def test_normalisation_comes_first_and_is_in_the_state(model: nn.Module) -> None:
    kind = type(next(model.children()))
    said = {models.Normalized: {"normalized.mean", "normalized.std"}, models.Standardized: {"normalized.per_image"}}
    assert said[kind] <= set(model.state_dict())


def test_channels_last_and_autocast(model: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        arranged = model(images.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(arranged, model(images), rtol=1e-3, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            assert model(images).isfinite().all()


@pytest.mark.parametrize("name", ["digits-net", "wrn-10-1", "cifar-resnet-8", "small-cnn"])
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        weights.append(nn.utils.parameters_to_vector(build(name, (3, 16, 16), CLASSES).parameters()))
    assert torch.equal(*weights)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_grey_image_and_any_number_of_classes(name: str) -> None:
    side = max(28, size(name))
    with torch.device("meta"):
        assert build(name, (1, side, side), 2).eval()(torch.zeros(3, 1, side, side)).shape == (3, 2)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_summary_is_one_line(name: str) -> None:
    summary = ARCHITECTURES[name].summary
    assert 20 < len(summary) < 120
    assert "\n" not in summary


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [
        ("cifar-resnet-20", (3, 24, 24), 269_722),
        ("cifar-resnet-20", (1, 28, 28), 269_434),
        ("cifar-resnet-110", (3, 24, 24), 1_727_962),
        ("cifar-resnet-110", (1, 28, 28), 1_727_674),
        ("digits-net", (1, 8, 8), 85_162),
        ("imagenet-resnet-18", (3, 32, 32), 11_181_642),
        ("lenet", (1, 28, 28), 3_274_634),
        ("lenet-5", (1, 28, 28), 61_706),
        ("madry-wrn-34-10", (3, 32, 32), 45_901_914),
        ("preact-resnet-18", (3, 32, 32), 11_172_170),
        ("resnet-18", (3, 32, 32), 11_173_962),
        ("resnet-50", (3, 32, 32), 23_520_842),
        ("small-cnn", (1, 28, 28), 312_202),
        ("vgg-16", (3, 32, 32), 14_728_266),
        ("vgg-19", (3, 32, 32), 20_040_522),
        ("wong-kolter", (1, 28, 28), 166_406),
        ("wrn-28-10", (3, 32, 32), 36_479_194),
        ("wrn-34-10", (3, 32, 32), 46_160_474),
    ],
)
def test_parameters_are_as_many_as_published(name: str, shape: tuple[int, int, int], count: int) -> None:
    with torch.device("meta"):
        model = build(name, shape, 10)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("preact-resnet-18", {"final_norm": False}, 11_171_146),
        ("preact-resnet-18", {"shortcut_size": 3, "shortcut": "raw", "padding": "asymmetric"}, 12_548_426),
        ("wrn", {"depth": 28, "width": 10, "padding": "asymmetric", "activation": "silu"}, 36_479_194),
        ("wrn-34-10", {"widths": "320-640-512"}, 68_116_698),
    ],
)
def test_other_forms_have_as_many_parameters_as_published(name: str, options: dict[str, object], count: int) -> None:
    with torch.device("meta"):
        model = build(name, (3, 32, 32), 10, **options)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_sml_s_res50_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        model = build("sml-resnet", (3, 64, 64), 200)
    assert sum(parameter.numel() for parameter in model.parameters()) == 17_980_040


def test_published_names_are_sorted_and_exist() -> None:
    assert models.__all__ == sorted(models.__all__, key=lambda word: (not word.isupper(), word[0].islower(), word))
    assert all(hasattr(models, word) for word in models.__all__)
