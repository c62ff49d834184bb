"""Laws of a set of images: what a seed fixes, what batches hold, what is refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.data import CropFlip, ImageSet, made_up_images
from holdfast.data.order import permutation
from holdfast.errors import BadImages, BadLabels, BadValue, MissingData
from holdfast.rng import Stream

NAMES = ("cat", "dog", "eel")


def small(count: int = 30) -> ImageSet:
    images = torch.rand((count, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return ImageSet(images, torch.arange(count) % 3, NAMES)


def test_a_set_tells_its_size() -> None:
    found = made_up_images((3, 8, 6), "train")
    assert len(found) == 256
    assert found.shape == (3, 8, 6)
    assert repr(found) == "ImageSet(256 images 3x8x6, 10 classes, cpu)"
    assert found.to("cpu") is found


def test_sets_are_told_apart_by_their_pixels_and_labels() -> None:
    found, other = small(), small()
    assert found.fingerprint == other.fingerprint == ImageSet(found.images, found.labels, ("a", "b", "c")).fingerprint
    assert ImageSet(found.images, found.labels.flip(0), NAMES).fingerprint != found.fingerprint
    assert ImageSet(found.images.flip(3), found.labels, NAMES).fingerprint != found.fingerprint


def test_bytes_are_kept_as_bytes_and_taken_as_float() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    found = ImageSet(levels, torch.zeros(256).long(), NAMES)
    taken = found.take(torch.tensor([0, 51, 255]))
    assert found.images.dtype == torch.uint8
    assert torch.equal(taken.flatten(), torch.tensor([0.0, 51 / 255, 1.0]))
    assert torch.equal(found.take(torch.arange(256)).mul(255).round().byte(), levels)


@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_batches_hold_every_image_once_in_order(size: int) -> None:
    found = small()
    batches = list(found.batches(size))
    assert torch.equal(torch.cat([batch.images for batch in batches]), found.images)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), found.labels)
    assert torch.equal(torch.cat([batch.index for batch in batches]), torch.arange(30))
    assert all(batch.view is None for batch in batches)


@pytest.mark.parametrize("index", [[2, 0], (2, 0), np.array([2, 0])], ids=["list", "tuple", "array"])
@pytest.mark.usefixtures("unchecked")
def test_positions_may_be_a_row_of_numbers(index: Sequence[int]) -> None:
    data = made_up_images((1, 8, 8), "test")
    assert torch.equal(data.take(index), data.take(torch.tensor([2, 0])))
    assert torch.equal(data.subset(index).labels, data.labels[[2, 0]])
    assert data.take([]).shape == (0, 1, 8, 8)


@pytest.mark.parametrize(
    "index", [3, slice(3), [0.5], [[1]], ["a"], [True], [64], [-1], None, {1}, torch.tensor(3), torch.tensor([0.5])]
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_position_is_refused_in_one_line(index: Any) -> None:
    data = made_up_images((1, 8, 8), "test")
    for taken in (data.take, data.subset):
        with pytest.raises(BadValue, match=r"^index = .*: give a row of positions, whole numbers from 0 to 63$"):
            taken(index)


def test_batches_follow_an_order() -> None:
    found, order = small(), torch.tensor([3, 1, 3])
    (batch,) = found.batches(8, order)
    assert torch.equal(batch.index, order)
    assert torch.equal(batch.images, found.images[order])
    assert list(found.batches(8, order[:0])) == []


def test_a_batch_size_is_positive() -> None:
    with pytest.raises(BadValue, match="size = 0: a batch has 1 or more images"):
        next(small().batches(0))


@pytest.mark.parametrize("size", [1, 7, 30])
def test_the_view_does_not_depend_on_batch_size_or_order(size: int) -> None:
    found, augment = small(), CropFlip(pad=2)
    (whole,) = found.batches(30, augment=augment, epoch_seed=5)
    order = found.order_of(0, 0)
    batches = list(found.batches(size, order, augment, epoch_seed=5))
    assert whole.view is not None
    assert torch.equal(torch.cat([batch.images for batch in batches]), whole.images[order])
    assert torch.equal(torch.cat([batch.view.top for batch in batches if batch.view]), whole.view.top[order])
    (other,) = found.batches(30, augment=augment, epoch_seed=6)
    assert not torch.equal(other.images, whole.images)


def test_augmented_batches_have_the_size_of_the_crop() -> None:
    (batch,) = small().batches(30, augment=CropFlip(pad=0, size=5))
    assert batch.images.shape == (30, 1, 5, 5)


def test_the_order_is_a_permutation_that_seed_and_epoch_fix() -> None:
    found = small()
    torch.manual_seed(0)
    order = found.order_of(3, 1)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(found.order_of(3, 1), order)
    assert torch.equal(order.sort().values, torch.arange(30))
    assert not torch.equal(found.order_of(3, 2), order)
    assert not torch.equal(found.order_of(4, 1), order)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert permutation(0, "none").shape == (0,)


def test_a_split_is_disjoint_complete_and_fixed_by_the_seed() -> None:
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    found = ImageSet(images, torch.arange(100) % 3, NAMES)
    train, held_out = found.split(20, seed=1)
    assert (len(train), len(held_out)) == (80, 20)
    assert torch.equal(torch.cat([train.images, held_out.images]).flatten().sort().values, images.flatten())
    assert torch.equal(train.images.flatten().long() % 3, train.labels)
    assert torch.equal(found.split(20, seed=1)[1].images, held_out.images)
    assert not torch.equal(found.split(20, seed=2)[1].images, held_out.images)


@pytest.mark.parametrize("count", [0, 30])
def test_a_split_leaves_something_on_both_sides(count: int) -> None:
    with pytest.raises(BadValue, match=f"held_out = {count}: expected 1 to 29 of 30 images"):
        small().split(count, seed=0)


@pytest.mark.parametrize("stream", [7, Stream.at(torch.arange(9000), 7)], ids=["seed", "stream"])
def test_one_of_each_draws_evenly_from_the_wanted_class(stream: int | Stream) -> None:
    labels = torch.tensor([2, 0, 1, 1, 0, 0, 2, 0])
    found = ImageSet(torch.rand(8, 1, 2, 2), labels, NAMES)
    wanted = torch.arange(9000) % 3
    drawn = found.one_of_each(wanted, stream)
    assert torch.equal(labels[drawn], wanted)
    expected = 3000 / labels.bincount()[labels]
    assert ((drawn.bincount(minlength=8) - expected).abs() < 5 * expected.sqrt()).all()
    assert torch.equal(found.one_of_each(wanted, stream), drawn)


def test_one_of_each_differs_between_seeds_and_takes_no_labels() -> None:
    found = small()
    assert not torch.equal(found.one_of_each(found.labels, 0), found.one_of_each(found.labels, 1))
    assert found.one_of_each(torch.arange(0), 0).shape == (0,)


def test_one_of_each_refuses_a_class_without_images() -> None:
    found = ImageSet(torch.rand(2, 1, 2, 2), torch.tensor([0, 2]), NAMES)
    assert found.one_of_each(torch.tensor([2, 0]), 0).tolist() == [1, 0]
    with pytest.raises(BadLabels, match="class 'dog' has no image in this set: none can be drawn"):
        found.one_of_each(torch.tensor([2, 1]), 0)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.rand(3, 4, 4), BadImages, r"shape \(3, 4, 4\); expected four axes \(n, c, h, w\)"),
        (torch.rand(0, 1, 4, 4), MissingData, r"shape \(0, 1, 4, 4\); a data set needs at least one image"),
        (torch.rand(3, 1, 4, 4).double(), BadImages, "images are torch.float64; expected torch.float32 or uint8"),
        (torch.full((3, 1, 4, 4), -2.1), BadImages, r"in \[-2.*; holdfast wants \[0, 1\]: keep them raw.*Normalized"),
        (torch.full((3, 1, 4, 4), 255.0), BadImages, r"in \[255, 255\]; holdfast wants \[0, 1\]: divide them by 255"),
        (torch.full((3, 1, 4, 4), torch.nan), BadImages, r"images are in \[nan, nan\]"),
    ],
)
def test_bad_images_are_refused_in_one_line(images: torch.Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ImageSet(images, torch.zeros(len(images)).long(), NAMES)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (torch.zeros(3).int(), NAMES, "labels are torch.int32; expected torch.int64"),
        (torch.zeros(2).long(), NAMES, r"labels have shape \(2,\); expected \(3,\), one an image"),
        (torch.tensor([0, 1, 3]), NAMES, r"labels are in \[0, 3\]; 3 classes are numbered 0 to 2"),
        (torch.tensor([0, -1, 2]), NAMES, r"labels are in \[-1, 2\]; 3 classes are numbered 0 to 2"),
        (torch.zeros(3).long(), ("cat",), "a classifier needs two or more"),
        (torch.zeros(3, dtype=torch.int64, device="meta"), NAMES, "labels are on meta and images on cpu"),
    ],
)
def test_bad_labels_are_refused_in_one_line(labels: torch.Tensor, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadLabels, match=message):
        ImageSet(torch.rand(3, 1, 4, 4), labels, classes)
