"""Maps: what is on them, and the numbers beside them in cases that are known."""

import math

import pytest
import torch

from holdfast import Linf, models
from holdfast.analysis import Embedding
from holdfast.analysis.embedding import ATTACKED, REFERENCES, TARGETS, apart, purity
from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import made_up_images


@pytest.fixture
def network() -> torch.nn.Module:
    return models.build("digits-net", (1, 8, 8), 10)


def test_every_image_is_on_the_map_once_and_the_targets_twice(network: torch.nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    seen = Embedding(FGSM(Linf(0.1)))(network, data, 0)
    count = int((data.labels == int(seen.numbers["class"])).sum())
    sizes = {name: len(series.x) for name, series in seen.series.items()}
    assert sizes == {REFERENCES: len(data) - count, TARGETS: count, ATTACKED: count}
    assert not any(series.joined for series in seen.series.values())


def test_the_same_seed_gives_the_same_map_and_seeds_choose_classes(network: torch.nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    look = Embedding(UniformNoise(Linf(0.1)))
    assert look(network, data, 1) == look(network, data, 1)
    assert len({look(network, data, seed).numbers["class"] for seed in range(6)}) > 1


def test_images_that_are_not_moved_are_mixed_with_their_own(network: torch.nn.Module) -> None:
    seen = Embedding(FGSM(Linf(0.0)), neighbours=1)(network, made_up_images((1, 8, 8), "test"), 0)
    assert seen.numbers["k-NN purity"] == 1.0
    assert abs(seen.numbers["silhouette"]) < 0.2


def test_purity_counts_the_nearest_clean_points() -> None:
    clean = torch.tensor([[0.0], [1.0], [10.0], [11.0]])
    target = torch.tensor([True, True, False, False])
    assert purity(torch.tensor([[0.4], [10.4]]), clean, target, 2) == 0.5
    assert purity(torch.tensor([[0.4]]), clean, target, 9) == 0.5


def test_points_far_apart_have_a_silhouette_near_one_and_too_few_have_none() -> None:
    near, far = torch.randn(20, 3), torch.randn(20, 3) + 100
    assert apart(near, far) > 0.95
    assert abs(apart(near, torch.randn(20, 3))) < 0.2
    assert math.isnan(apart(near[:1], far))
