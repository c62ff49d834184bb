"""Weights are laid with the channels last where the network can be run so; its answers and weights stay."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast import Run, load, train
from holdfast.attacks import FGSM
from holdfast.data import CropFlip
from holdfast.evaluation import Cell, Outcomes
from holdfast.experiments import Transfer, Workplace, run_table
from holdfast.experiments.images_of_run import images_of
from holdfast.experiments.shared_images import judged
from holdfast.experiments.trained import Trained, run_folder, trained
from holdfast.models import ARCHITECTURES, build
from holdfast.models.memory_format import use_channels_last
from holdfast.training.dependencies import Lineage
from holdfast.training.folder import RunFolder
from holdfast.training.run import build as fresh_network
from holdfast.training.setup import begin
from holdfast.training.supply import Supply

LAST = torch.channels_last
SHAPE = (3, 8, 8)


class Head(nn.Module):
    """A convolution and a linear layer, with something between them."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4 * 36, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.flat(self.convolution(images)))
        return logits

    def flat(self, features: Tensor) -> Tensor:
        """Return a row an image."""
        return features.flatten(1)


class Views(Head):
    """Wants what the convolution gives to lie in one piece."""

    def flat(self, features: Tensor) -> Tensor:
        return features.view(len(features), -1)


class Merges(Head):
    """Joins batch and channels, which no single image can refuse."""

    def flat(self, features: Tensor) -> Tensor:
        return features.view(len(features) * 4, 36).reshape(len(features), -1)


class ViewsInTraining(Head):
    """Wants it in training only."""

    def flat(self, features: Tensor) -> Tensor:
        return features.view(len(features), -1) if self.training else features.flatten(1)


class Deep(Head):
    """Has 5-d weights, which cannot lie so."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Conv3d(1, 1, 1)


class Counts(Head):
    """Keeps in a buffer how often it was asked, and draws."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("asked", torch.zeros(()))

    def flat(self, features: Tensor) -> Tensor:
        self.asked += 1
        return features.flatten(1) + torch.rand(())


def lies(network: nn.Module, form: torch.memory_format) -> bool:
    """Say whether all convolutions of a network lie so."""
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert convolutions
    return all(part.weight.is_contiguous(memory_format=form) for part in convolutions)


@pytest.mark.parametrize("name", ["cifar-resnet-20", "lenet", "small-cnn", "wrn-16-2"])
def test_answers_and_weights_stay(name: str) -> None:
    side = max(8, getattr(ARCHITECTURES[name].network, "smallest", 1)) if name in ARCHITECTURES else 8
    network, images = build(name, (3, side, side), 7).eval(), torch.rand(5, 3, side, side)
    weights, answers = {word: weight.clone() for word, weight in network.state_dict().items()}, network(images)
    assert use_channels_last(network, (3, side, side)) is network
    assert lies(network, LAST)
    torch.testing.assert_close(network(images), answers, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(weight, weights[word]) for word, weight in network.state_dict().items())


@pytest.mark.parametrize("kind", [Views, Merges, ViewsInTraining, Deep])
def test_a_network_that_cannot_be_run_so_lies_as_it_lay(kind: type[Head]) -> None:
    network = use_channels_last(kind(), SHAPE)
    assert lies(network, torch.contiguous_format)
    assert network(torch.rand(2, *SHAPE)).shape == (2, 2)


def test_nothing_is_drawn_or_counted() -> None:
    network = Counts()
    state = torch.get_rng_state()
    assert lies(use_channels_last(network, SHAPE), LAST)
    assert torch.equal(torch.get_rng_state(), state)
    assert network.asked == 0
    assert network.training


def test_a_network_without_convolutions_is_left_alone() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert use_channels_last(network, (1, 2, 2)) is network


@pytest.mark.parametrize(("model", "augment"), [("cifar-resnet-8", None), ("small-cnn", CropFlip(0, 24))])
def test_training_begins_so_and_with_the_same_weights(model: str, augment: CropFlip | None, tmp_path: Path) -> None:
    run = Run(model=model, data="made-up:3x32x32", limit=16, augment=augment, batch=8)
    images = load(run.data, "train", tmp_path, limit=run.limit)
    trained = begin(Supply(run, images), Lineage({}, images.shape, 10, torch.device("cpu"))).model
    assert lies(trained, LAST)
    assert all(part.training for part in trained.modules())
    drawn = fresh_network(run, images.shape, 10)
    assert all(torch.equal(one, other) for one, other in zip(trained.parameters(), drawn.parameters(), strict=True))


def test_finished_runs_lie_so_where_they_are_attacked_and_not_where_they_are_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(model="cifar-resnet-8", data="made-up:3x8x8", limit=16, epochs=1, batch=8)
    place = Workplace(tmp_path)
    assert lies(train(run, run_folder(run, place)), torch.contiguous_format)
    lineage = Lineage({run: RunFolder(run, run_folder(run, place))}, SHAPE, 10, torch.device("cpu"))
    assert lies(lineage.network(run), LAST)
    test_set, other = images_of(run, 4, place), replace(run, seed=1)
    seen: list[nn.Module] = []

    def watched(cell: Cell, networks: Mapping[str, Trained], *rest: Any) -> Outcomes:
        seen.extend(network.load() for network in networks.values())
        return judged(cell, networks, *rest)

    monkeypatch.setattr(run_table, "shared_outcomes", watched)
    run_table.evaluate(run, trained(run, test_set, place), Transfer(other, FGSM()), 0, test_set, place)
    assert len(seen) == 2
    assert all(lies(network, LAST) for network in seen)
