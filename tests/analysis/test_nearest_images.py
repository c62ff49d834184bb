"""The training images that are nearest: those of scikit-learn, and an image's own copy."""

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.analysis import NearestImages
from holdfast.analysis.attention_maps import first_of_classes
from holdfast.analysis.features import features
from holdfast.analysis.tiles import png
from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import made_up_images

STILL = UniformNoise(Linf(0.0))


@pytest.fixture
def network() -> nn.Module:
    return models.build("digits-net", (1, 8, 8), 10)


def test_an_image_that_is_not_moved_is_nearest_to_itself(network: nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    seen = NearestImages(STILL, images=4, nearest=1)(network, data, data, 0)
    shown = [tile.png for tile in seen.pictures]
    assert len(shown) == 8
    assert shown[::2] == shown[1::2] == [png(image) for image in data.take(first_of_classes(data.labels, 4))]
    assert seen.numbers["near ones of the class"] == 1.0


def test_the_nearest_are_those_of_scikit_learn(network: nn.Module) -> None:
    sklearn = pytest.importorskip("sklearn.neighbors")
    train_set, data = (made_up_images((1, 8, 8), split) for split in ("train", "test"))
    attack = FGSM(Linf(0.1))
    seen = NearestImages(attack, images=3, nearest=2)(network, data, train_set, 0)
    chosen = first_of_classes(data.labels, 3)
    attacked = attack(network, data.take(chosen), data.labels[chosen])
    bank = features(network, train_set.take(torch.arange(len(train_set))), "penultimate").double().numpy()
    found = sklearn.NearestNeighbors(metric="cosine").fit(bank)
    near = found.kneighbors(features(network, attacked, "penultimate").double().numpy(), 2)[1]
    shown = [tile.png for tile in seen.pictures if tile.column != "attacked"]
    assert shown == [png(image) for image in train_set.take(torch.from_numpy(near).flatten())]
    names = [", ".join(train_set.classes[int(train_set.labels[int(place)])] for place in places) for places in near]
    rows = dict.fromkeys(tile.row for tile in seen.pictures)
    assert [row.partition(", near ")[2] for row in rows] == names
