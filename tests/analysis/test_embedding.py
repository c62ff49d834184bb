"""Maps: what is on them, and the numbers beside them in cases that are known."""

import math
from dataclasses import replace

import pytest
import torch

from holdfast import Linf, models
from holdfast.analysis import Embedding, Series
from holdfast.analysis.embedding import ATTACKED, REFERENCES, TARGETS, apart, purity
from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from holdfast.storage.describe import describe


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


def test_a_class_can_be_chosen_and_every_class_be_a_cloud(network: torch.nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    seen = Embedding(FGSM(Linf(0.1)), target=3, clouds="class", metric="cosine")(network, data, 0)
    sizes = {name: len(series.x) for name, series in seen.series.items()}
    of_class = dict(zip(data.classes, data.labels.bincount(minlength=10).tolist(), strict=True))
    assert sizes == of_class | {f"{data.classes[3]}, attacked": of_class[data.classes[3]]}
    assert seen.numbers["class"] == 3
    assert [name for name, series in seen.series.items() if series.marked] == [f"{data.classes[3]}, attacked"]
    with pytest.raises(BadValue, match="target = 30: no image"):
        Embedding(target=30)(network, data, 0)


def test_a_map_of_some_points_attacks_those_of_the_target_among_them(network: torch.nn.Module) -> None:
    data, look = made_up_images((1, 8, 8), "test"), Embedding(FGSM(Linf(0.1)), points=40)
    seen = look(network, data, 0)
    sizes = {name: len(series.x) for name, series in seen.series.items()}
    assert sizes[REFERENCES] + sizes[TARGETS] == look.count(data) == 40
    assert sizes[ATTACKED] == sizes[TARGETS]
    assert Embedding(points=40).count(data.subset(torch.arange(7))) == 7


def test_a_cosine_knows_directions_and_no_lengths() -> None:
    ways = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).repeat_interleave(30, 0)
    points = (ways + 0.01 * torch.randn(60, 3)) * torch.logspace(-3, 3, 30).repeat(2)[:, None]
    place = Embedding(perplexity=5, metric="cosine").on_map(points, 0)
    assert apart(place[:30], place[30:]) > 0.4
    assert apart(points[:30], points[30:]) < 0.3


def test_what_came_later_changes_no_name() -> None:
    assert set(describe(Embedding())) == {"kind", "attack", "layer", "perplexity", "neighbours"}
    assert set(describe(Series((), ()))) == {"kind", "x", "y", "low", "high", "joined"}


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


def test_the_settings_of_t_sne_move_the_map() -> None:
    points, look = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)), Embedding(perplexity=5.0)
    place = look.on_map(points, 0)
    assert torch.equal(replace(look, iterations=1_000, patience=300).on_map(points, 0), place)
    for other in (replace(look, learning_rate=5.0), replace(look, iterations=250), replace(look, patience=1)):
        assert not torch.equal(other.on_map(points, 0), place)
    with pytest.raises(BadValue, match="250 or more"):
        Embedding(iterations=249)
