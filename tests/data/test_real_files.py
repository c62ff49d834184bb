"""Figures of the real data sets, where $HOLDFAST_DATA holds them."""

import os
from pathlib import Path

import pytest
import torch

from holdfast.data import load

pytestmark = pytest.mark.data


def needed(*parts: str) -> Path:
    root = os.environ.get("HOLDFAST_DATA")
    if not root:
        pytest.skip("HOLDFAST_DATA is not set")
    path = Path(root).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return path


def test_mnist_has_its_published_counts() -> None:
    needed("MNIST", "raw")
    train, test = load("mnist", "train"), load("mnist", "test")
    assert train.shape == test.shape == (1, 28, 28)
    assert train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.images.float().div(255).mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert train.images.float().div(255).std().item() == pytest.approx(0.3081, abs=1e-4)


@pytest.mark.parametrize(("split", "count"), [("train", 50_000), ("test", 10_000)])
def test_a_zip_of_cifar10_as_jpeg_is_read_whole(split: str, count: int) -> None:
    found = load(f"folder:{needed('cifar10-jpeg.zip')}", split)
    assert found.shape == (3, 32, 32)
    assert torch.equal(found.labels.bincount(), torch.full((10,), count // 10))
    assert found.classes[0] == "airplane"
    # The published means of the channels; JPEG moves them little.
    means = found.images.float().div(255).mean((0, 2, 3)).tolist()
    assert means == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.005)
