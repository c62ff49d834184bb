"""Weights are laid with the channels last where the network can be run so; nothing else about it changes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import Run, load
from holdfast.beginning import begin
from holdfast.data import CropFlip
from holdfast.lineage import Lineage
from holdfast.models import ARCHITECTURES, build
from holdfast.models.layout import channels_last
from holdfast.run import build as fresh_network

LAST = torch.channels_last


class Views(nn.Module):
    """A network that wants what a convolution gives it to lie in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4 * 36, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.convolution(images).view(len(images), -1))
        return logits


def laid_last(network: nn.Module) -> bool:
    """Say whether all convolutions of a network lie so."""
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    return all(part.weight.is_contiguous(memory_format=LAST) for part in convolutions)


@pytest.mark.parametrize("name", ["cifar-resnet-20", "lenet", "small-cnn", "wrn-16-2"])
def test_answers_and_weights_stay(name: str) -> None:
    side = max(8, getattr(ARCHITECTURES[name].network, "smallest", 1)) if name in ARCHITECTURES else 8
    network, images = build(name, (3, side, side), 7).eval(), torch.rand(5, 3, side, side)
    weights, answers = {word: weight.clone() for word, weight in network.state_dict().items()}, network(images)
    assert channels_last(network, images)
    assert laid_last(network)
    torch.testing.assert_close(network(images), answers, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(weight, weights[word]) for word, weight in network.state_dict().items())


def test_a_network_that_cannot_be_run_so_is_put_back() -> None:
    network, images = Views(), torch.rand(2, 3, 8, 8)
    assert not channels_last(network, images)
    assert network.convolution.weight.is_contiguous()
    assert network(images).shape == (2, 2)


def test_a_network_without_convolutions_is_left_alone() -> None:
    assert not channels_last(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(1, 1, 2, 2))


@pytest.mark.parametrize(("model", "augment"), [("cifar-resnet-8", None), ("small-cnn", CropFlip(0, 24))])
def test_training_begins_so_and_with_the_same_weights(model: str, augment: CropFlip | None, tmp_path: Path) -> None:
    run = Run(model=model, data="made-up:3x32x32", limit=16, augment=augment, batch=8)
    images = load(run.data, "train", tmp_path, limit=run.limit)
    model = begin(run, images, Lineage({}, images.shape, 10, torch.device("cpu"))).model
    assert laid_last(model)
    assert all(part.training for part in model.modules())
    drawn = fresh_network(run, images.shape, 10)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), drawn.parameters(), strict=True))
