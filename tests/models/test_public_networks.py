"""Networks as their authors saved them, where $HOLDFAST_DATA holds them."""

import os
from pathlib import Path

import pytest
import torch

from holdfast.data import load as load_data
from holdfast.evaluation import judge
from holdfast.models import load
from holdfast.objectives import is_correct

pytestmark = pytest.mark.data


@pytest.fixture
def root() -> Path:
    path = Path(os.environ.get("HOLDFAST_DATA", ""))
    if not os.environ.get("HOLDFAST_DATA") or not (path / "models").is_dir():
        pytest.skip("needs models/ under $HOLDFAST_DATA")
    return path


def accuracy(path: Path, data: str, root: Path, **options: object) -> float:
    """Return the share of the first 1,000 test images that the network in a file gets right."""
    images = load_data(data, "test", root=root, limit=1000)
    model = load(path, "wong-kolter", images.shape, len(images.classes), **options)
    some = images.take(torch.arange(len(images)))
    return float(is_correct(judge(model, some), images.labels).float().mean())


def test_wong_and_kolter_on_mnist_is_as_right_as_published(root: Path) -> None:
    assert accuracy(root / "models" / "wong-kolter-mnist.pth", "mnist", root, normalize="none") > 0.97


def test_the_first_stage_of_a_cascade(root: Path) -> None:
    if not (root / "cifar10-jpeg.zip").is_file():
        pytest.skip("needs cifar10-jpeg.zip under $HOLDFAST_DATA")
    options = {"key": "state_dict.0", "normalize": "wong-kolter"}
    data = f"folder:{root / 'cifar10-jpeg.zip'}"
    assert 0.2 < accuracy(root / "models" / "wong-cifar-small-8px.pth", data, root, **options) < 0.35
