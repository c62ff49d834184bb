"""Pictures of where a network looks: which images, the maps in closed form, and colours."""

import base64
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from holdfast import Linf, models
from holdfast.analysis import AttentionMaps
from holdfast.analysis.attention_maps import ATTACKED, ATTACKED_MAP, CLEAN_MAP, attention, first_of_classes
from holdfast.analysis.tiles import PLASMA, coloured, overlaid, png
from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import made_up_images
from holdfast.errors import BadValue


@pytest.fixture
def network() -> nn.Module:
    return models.build("digits-net", (1, 8, 8), 10)


def pixels(written: str) -> Tensor:
    """Return what a PNG in base64 holds, (rows, columns, 3)."""
    return torch.from_numpy(np.array(Image.open(BytesIO(base64.b64decode(written)))))


def test_each_image_is_of_another_class_and_shown_in_three_ways(network: nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    seen = AttentionMaps(FGSM(Linf(0.1)), images=4)(network, data, 0)
    assert len(seen.pictures) == 12
    assert len({tile.row for tile in seen.pictures}) == 4
    assert [tile.column for tile in seen.pictures[:3]] == [ATTACKED, CLEAN_MAP, ATTACKED_MAP]
    assert all(pixels(tile.png).shape == (8, 8, 3) for tile in seen.pictures)
    assert 0 <= seen.numbers["misread"] <= 1
    assert AttentionMaps(FGSM(Linf(0.1)), images=4)(network, data, 0) == seen
    assert AttentionMaps(images=4).count(data) == 4
    assert AttentionMaps(images=40).count(data) == 10


def test_the_shown_images_are_the_first_of_their_classes() -> None:
    labels = torch.tensor([7, 7, 2, 5, 2, 0])
    assert first_of_classes(labels, 3).tolist() == [0, 2, 3]
    assert first_of_classes(labels, 9).tolist() == [0, 2, 3, 5]


def test_an_image_that_is_not_moved_has_the_same_map(network: nn.Module) -> None:
    seen = AttentionMaps(UniformNoise(Linf(0.0)))(network, made_up_images((1, 8, 8), "test"), 0)
    assert seen.numbers["correlation of the maps"] == pytest.approx(1.0, abs=1e-4)
    shown = {(tile.row, tile.column): tile.png for tile in seen.pictures}
    assert all(shown[row, CLEAN_MAP] == shown[row, ATTACKED_MAP] for row, _ in shown)


def test_a_map_is_the_stretched_sum_of_the_channels_at_the_size_of_the_image() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 2))
    images = torch.rand(3, 2, 4, 4)
    pooled = nn.functional.avg_pool2d(images, 2).sum(1)
    low, high = pooled.amin((1, 2), keepdim=True), pooled.amax((1, 2), keepdim=True)
    found = attention(model, images, "0")
    corners = found[:, ::3, ::3]  # bilinear growth by two leaves the corners as they are
    assert torch.allclose(corners, (pooled - low) / (high - low), atol=1e-6)
    with pytest.raises(BadValue, match="more than one position"):
        attention(model, images, "1")


def test_colours_run_from_the_first_to_the_last_and_cover_half() -> None:
    ends = coloured(torch.tensor([[[0.0, 0.5, 1.0]]]))[0, :, 0].T
    assert torch.allclose(ends * 255, torch.tensor([PLASMA[0], PLASMA[2], PLASMA[4]]).float(), atol=1e-3)
    laid = overlaid(torch.ones(1, 3, 1, 1), torch.zeros(1, 1, 1))
    assert torch.allclose(laid[0, :, 0, 0], 0.5 + torch.tensor(PLASMA[0]) / 510)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_picture_holds_the_pixels(channels: int) -> None:
    image = torch.arange(channels * 6).reshape(channels, 2, 3) / 255
    expected = image if channels == 3 else image.mean(0, keepdim=True).expand(3, -1, -1)
    assert torch.equal(pixels(png(image)), (255 * expected).round().to(torch.uint8).permute(1, 2, 0))
