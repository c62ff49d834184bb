"""Networks that answer images, their parameters, their borders, and the discriminators beside them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holdfast import Run
from holdfast.errors import BadValue, UnknownName, UsageError
from holdfast.models import ARCHITECTURES, answers_of, build, layer_names
from holdfast.models.architecture import check_answer
from holdfast.models.nrp_critic import NRPCritic
from holdfast.models.patch_gan import DISCRIMINATORS
from holdfast.models.pixels import RANGES, bordered, cropped
from holdfast.storage.signed import write_json, write_tensors
from holdfast.training.networks import network

SMALL: dict[str, dict[str, Any]] = {
    "magnet-autoencoder": {"pool": 2},
    "nrp": {"blocks": 1, "width": 4, "growth": 2},
    "nrp-resg": {"blocks": 1, "width": 4},
    "unet-a": {"width": 2},
    "unet-b": {"width": 2},
}
EACH = pytest.mark.parametrize("name", SMALL)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_every_network_that_answers_images_is_listed() -> None:
    assert set(SMALL) == {name for name in ARCHITECTURES if answers_of(name) == "images"}
    assert answers_of("wrn-16-2") == answers_of("timm:resnet18") == "logits"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("unet-a", 16_659_075), ("unet-b", 4_175_779), ("nrp", 16_550_275), ("nrp-resg", 1_702_211)],
)
def test_parameters_are_as_many_as_reconstructed_or_released(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = build(name, (3, 32, 32), 10)
        assert count(model) == parameters
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3, 32, 32)


@EACH
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 9), (1, 28, 28), (3, 32, 32)], ids=str)
def test_an_image_of_any_size_comes_back_in_its_size(name: str, shape: tuple[int, int, int]) -> None:
    model, images = build(name, shape, 10, **SMALL[name]), torch.rand(3, *shape)
    assert model(images).shape == images.shape
    answer = model.eval()(images.contiguous(memory_format=torch.channels_last))
    assert answer.dtype == torch.float32
    assert bool(((answer >= 0) & (answer <= 1)).all())
    assert model(images[:1]).shape == images[:1].shape
    with torch.autocast("cpu", torch.bfloat16):
        assert model(images).dtype == torch.float32


@EACH
def test_a_gradient_reaches_every_pixel_and_every_weight(name: str) -> None:
    model, images = build(name, (3, 8, 8), 10, **SMALL[name]), torch.rand(3, 3, 8, 8, requires_grad=True)
    (model(images) * torch.randn(3, 3, 8, 8)).sum().backward()
    assert images.grad is not None
    assert bool(images.grad.abs().amax((0, 1)).gt(0).all())
    assert all(weight.grad is not None for weight in model.parameters())
    assert {"output"} < set(layer_names(model))


@pytest.mark.parametrize("name", ["unet-a", "unet-b"])
def test_a_u_net_has_the_levels_and_the_output_that_are_asked_for(name: str) -> None:
    deep, flat = (build(name, (3, 32, 32), 10, width=2, levels=levels).eval() for levels in (5, 2))
    assert count(flat) < count(deep)
    assert {build(name, (3, 32, 32), 10, width=2, output=output).output for output in RANGES} == {"tanh", "sigmoid"}


def test_the_two_ranges_are_one_function_at_twice_the_slope() -> None:
    (into_tanh, from_tanh), (into_sigmoid, from_sigmoid) = RANGES["tanh"], RANGES["sigmoid"]
    logits, images = 4 * torch.randn(100), torch.rand(100)
    torch.testing.assert_close(from_tanh(logits), from_sigmoid(2 * logits))  # tanh(z) = 2 sigmoid(2 z) - 1
    torch.testing.assert_close(into_tanh(images), 2 * into_sigmoid(images) - 1)


def test_the_released_purifiers_clamp_at_rest_alone() -> None:
    model = build("nrp-resg", (3, 8, 8), 10, blocks=1, width=4)
    nn.init.constant_(model.last.bias, 2.0)  # type: ignore[union-attr, arg-type]
    images = torch.rand(2, 3, 8, 8)
    free = model(images).detach()
    assert float(free.max()) > 1
    torch.testing.assert_close(model.eval()(images), free.clamp(0, 1))
    for weight in model.last.parameters():  # type: ignore[union-attr]
        nn.init.zeros_(weight)
    (slope,) = torch.autograd.grad(model(images).sum(), model.last.bias)  # type: ignore[union-attr]
    assert slope.eq(2 * 8 * 8).all()  # a wall of the box is no end of it


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (7, 9), (9, 7), (4, 4), (16, 16)])
def test_borders_are_those_of_torch_and_come_off_again(rows: int, columns: int) -> None:
    images = torch.rand(2, 3, 4, 4)
    larger = bordered(images, rows, columns)
    top, left = (rows - 4) // 2, (columns - 4) // 2
    sides = (left, columns - 4 - left, top, rows - 4 - top)
    torch.testing.assert_close(larger, nn.functional.pad(images, sides, mode="replicate"), rtol=0, atol=0)
    assert torch.equal(cropped(larger, 4, 4), images)


@pytest.mark.parametrize(
    ("name", "side", "parameters", "half"),
    [("original", 2, 2_768_705, 696_225), ("a", 6, 666_433, 169_377), ("b", 9, 1_564_481, 395_169)],
)
def test_discriminators_of_patches(name: str, side: int, parameters: int, half: int) -> None:
    with torch.device("meta"):
        judge = DISCRIMINATORS[name](3, 64)
        assert count(judge) == parameters
        assert count(DISCRIMINATORS[name](3, 32)) == half
        assert judge(torch.zeros(2, 6, 32, 32)).shape == (2, 1, side, side)
        assert DISCRIMINATORS[name](1, 2)(torch.zeros(2, 2, 8, 8)).shape == (2, 1, side, side)


def test_the_critic_of_nrp() -> None:
    with torch.device("meta"):
        assert count(NRPCritic(3, (32, 32))) == 2_158_153
        assert NRPCritic(3, (32, 32))(torch.zeros(2, 3, 32, 32)).shape == (2, 1)
        assert NRPCritic(1, (8, 8), width=2)(torch.zeros(2, 1, 8, 8)).shape == (2, 1)
        assert NRPCritic(3, (36, 44), width=2)(torch.zeros(2, 3, 36, 44)).shape == (2, 1)


class Answers(nn.Module):
    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.answer


def test_what_does_not_answer_images_is_refused() -> None:
    check_answer(Answers(torch.ones(2, 3, 8, 8)), "net", (3, 8, 8), 10, "images")
    with pytest.raises(BadValue, match=r"'net' answers two images with shape \(2, 10\), not \(2, 3, 8, 8\), an image"):
        check_answer(Answers(torch.zeros(2, 10)), "net", (3, 8, 8), 10, "images")
    with pytest.raises(BadValue, match=r"'net' answers images with pixels outside \[0, 1\]"):
        check_answer(Answers(torch.full((2, 3, 8, 8), 1.5)), "net", (3, 8, 8), 10, "images")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"output": "tan"}, UnknownName, "no output is called 'tan'; did you mean 'tanh'"),
        ({"levels": 1}, BadValue, "levels = 1: a U-Net has at least 2"),
        ({"width": 0}, BadValue, "width = 0: a U-Net is at least 1 wide"),
        ({"normalize": "none"}, UnknownName, "no option of 'unet-b' is called 'normalize'"),
    ],
)
def test_options_that_a_u_net_has_not_are_refused(options: dict[str, Any], error: type[UsageError], words: str) -> None:
    with pytest.raises(error, match=words):
        build("unet-b", (3, 8, 8), 10, **options)


def test_a_purifier_is_refused_where_a_classifier_is_needed(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", Run(model="unet-b"))
    words = "{} holds a purifier: 'unet-b' answers images, and a classifier is needed here"
    with pytest.raises(UsageError, match=words.format(tmp_path)):
        network(str(tmp_path), None, (1, 8, 8), 10)
    path = tmp_path / "weights.safetensors"
    write_tensors(path, build("unet-b", (1, 8, 8), 10, width=2).state_dict())
    with pytest.raises(UsageError, match=words.format(path)):
        network(str(path), "unet-b", (1, 8, 8), 10)
