"""Data as people have them, drawn into an image set: what is read, and what is refused in which words."""

import logging
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import holdfast as hf
from holdfast.errors import BadImages, BadLabels, HoldfastError, MissingData

BYTES = torch.randint(256, (20, 3, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
X, Y = BYTES.float() / 255, torch.arange(20) % 4
Pair = namedtuple("Pair", ["label", "image"])  # as others write it, the other way round


class Places(Dataset[Any]):
    """A data set without an iterator, whose places do not end by themselves."""

    classes = ("ant", "bee", "cat", "dog")

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return X[place % 20], int(Y[place % 20])

    def __len__(self) -> int:
        return 20


class Stream(IterableDataset[Any]):
    """A data set without places."""

    def __iter__(self) -> Iterator[Any]:
        return zip(X, Y, strict=True)


def pictures() -> list[tuple[Image.Image, int]]:
    return [
        (Image.fromarray(image.permute(1, 2, 0).numpy()), int(label)) for image, label in zip(BYTES, Y, strict=True)
    ]


FORMS = {
    "places": Places(),
    "stream": Stream(),
    "one batch": [(X, Y)],
    "batches": DataLoader(TensorDataset(X, Y), batch_size=7),
    "batches of bytes": DataLoader(TensorDataset(BYTES, Y), batch_size=7),
    "single": DataLoader(Places(), batch_size=None),
    "lists": [[X[:15], Y[:15].tolist()], [X[15:], Y[15:].tolist()]],
    "named tuples": [Pair(y, x) for x, y in zip(X, Y, strict=True)],
    "dicts": [{"img": x, "fine_label": y} for x, y in zip(X, Y, strict=True)],
    "dicts in batches": DataLoader([{"pixel_values": x, "labels": int(y)} for x, y in zip(X, Y, strict=True)], 6),
    "labels in a column": [(X, Y[:, None].numpy())],
    "a label in a row": [(x, np.array([y])) for x, y in zip(X, Y, strict=True)],
    "numpy, channels last": [(X.permute(0, 2, 3, 1).numpy(), Y.numpy())],
    "numpy, float64": [(x.double().numpy(), int(y)) for x, y in zip(X, Y, strict=True)],
    "pictures": pictures(),
    "pictures in lists": [{"image": [p for p, _ in pictures()], "label": Y.tolist()}],
    "times 1/255": [(BYTES * (1 / 255), Y)],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_set_in_bytes(form: str) -> None:
    found = hf.ImageSet.of(FORMS[form])
    assert found.images.dtype == torch.uint8
    assert torch.equal(found.images, BYTES)
    assert torch.equal(found.take(range(20)), X)
    assert torch.equal(found.labels, Y)
    assert found.classes == (Places.classes if form in ("places", "single") else ("0", "1", "2", "3"))


def test_images_between_the_levels_of_bytes_stay_as_they_are() -> None:
    between = X / 2 + 0.001
    found = hf.ImageSet.of([(X, Y), (between, Y)])
    assert found.images.dtype == torch.float32
    assert torch.equal(found.images, torch.cat([X, between]))


def test_grey_pictures_keep_one_channel_unless_some_have_colours() -> None:
    grey = [(Image.new("L", (5, 4), 7), 0), (Image.new("1", (5, 4), 1), 1)]
    assert hf.ImageSet.of(grey).images.amax((1, 2, 3)).tolist() == [7, 255]
    assert hf.ImageSet.of(grey).shape == (1, 4, 5)
    assert hf.ImageSet.of([*grey, *pictures()]).shape == (3, 4, 5)


def test_classes_are_named_by_the_data_behind_a_subset_or_by_the_caller() -> None:
    assert hf.ImageSet.of(DataLoader(Subset(Places(), [0, 3]), 2)).classes == Places.classes
    assert hf.ImageSet.of([(X, Y)], classes=["a", "b", "c", "d", "e"]).classes == ("a", "b", "c", "d", "e")
    given = hf.ImageSet(BYTES, Y, Places.classes)
    assert hf.ImageSet.of(given) is given
    with pytest.raises(BadLabels, match=r"labels are in \[0, 3\]; 2 classes are numbered 0 to 1"):
        hf.ImageSet.of([(X, Y)], classes=["a", "b"])


def test_what_an_entry_holds_beside_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "holdfast"):
        hf.ImageSet.of([(X[:9], Y[:9], ["a path"] * 9), (X[9:], Y[9:], ["a path"] * 11)])
    said = "holdfast: an entry of the data holds 1 more than images and labels: the rest is not read"
    assert [each.getMessage() for each in caplog.records] == [said]


def test_what_can_be_drawn_once_is_drawn_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "holdfast"):
        assert torch.equal(hf.ImageSet.of(zip(X, Y, strict=True)).images, BYTES)
    assert "can be drawn only once" in caplog.text


def noisy(batch: Any) -> tuple[Tensor, Tensor]:
    images, labels = zip(*batch, strict=True)
    return torch.stack(images) * torch.rand(()), torch.tensor(labels)


def growing() -> Any:
    class Growing(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            self.append((X[0], 0))
            return super().__iter__()

    return Growing(zip(X, Y, strict=True))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DataLoader(Places(), 4, shuffle=True), "the data shuffle: .*shuffle=False"),
        (DataLoader(Places(), 4, collate_fn=noisy), r"the data augment or change: .*from image 0 on.* without chance"),
        (growing(), "the data give 21 images, and 22 when they are drawn again"),
    ],
    ids=["shuffles", "augments", "grows"],
)
def test_data_that_change_are_refused_and_no_random_state_moves(data: Any, words: str) -> None:
    before = torch.get_rng_state()
    with pytest.raises(BadImages, match=words):
        hf.ImageSet.of(data)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ([((X - 0.5) / 0.25, Y)], BadImages, r"in \[-2, 2\]; .*Normalize.*Sequential\(hf\.Normalized\(mean, std\)"),
        ([(255 * X, Y)], BadImages, r"in \[0, 255\]; .*divide them by 255"),
        ([(X / 0, Y)], BadImages, "NaN or infinite"),
        ([(BYTES.long(), Y)], BadImages, "images are torch.int64; expected uint8"),
        ([(X, Y - 1)], BadLabels, "a label of the data is -1: -1 often means that a split has no labels"),
        ([(X, Y + 1_000_000)], BadLabels, "a label of the data is 1000003"),
        ([(X, Y.float())], BadLabels, "labels are torch.float32"),
        ([(X, torch.eye(20).long())], BadLabels, r"shape \(20, 20\).*argmax\(1\).*multi-label"),
        ([(X, Y[:3])], BadLabels, "20 images and 3 labels"),
        ([(X[0], "cat")], BadLabels, "'cat'; expected whole numbers"),
        ([(X[0], None)], BadLabels, "None; expected whole numbers"),
        ([("a.png", 0)], BadImages, "the images of an entry are a str"),
        ([(X.permute(0, 2, 3, 1).repeat(1, 2, 1, 1), Y)], BadImages, r"\(20, 8, 5, 3\), with the channels last"),
        ([(X[0], 0), (X[0, :, :3], 1)], BadImages, r"image 1 of the data is 3x3x5, but the first is 3x4x5.*Compose"),
        ([(Image.new("I;16", (5, 4)), 0)], BadImages, "pixels of kind I;16"),
        ([{"image": [Image.new("L", (5, 4)), Image.new("L", (4, 4))], "label": [0, 1]}], BadImages, "shapes"),
        ([{"picture": X, "label": Y}], BadImages, "the keys picture, label; expected one of image"),
        ([X], BadImages, r"an entry of the data is a Tensor; expected a pair"),
        ([(X[:0], Y[:0])], MissingData, "no images"),
        ([], MissingData, "no images"),
        (7, BadImages, "the data are 7; give a Dataset"),
        ("cifar10", BadImages, r"hf\.load\(NAME, 'test'\)"),
        (Places, BadImages, "the data are the class Places"),
    ],
)
def test_what_is_wrong_is_said_with_its_value(data: Any, kind: type[HoldfastError], words: str) -> None:
    with pytest.raises(kind, match=words):
        hf.ImageSet.of(data)
