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
from holdfast.analysis.attention_maps import ATTACKED, attention, first_of_classes
from holdfast.analysis.tiles import PLASMA, coloured, overlaid, png
from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from tests.unchecked import refusals

CLEAN_MAP, ATTACKED_MAP = "attention, clean", "attention, attacked"


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
    assert seen.numbers["correlation, attention"] == pytest.approx(1.0, abs=1e-4)
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


def test_grad_cam_of_a_class_is_in_closed_form_also_of_frozen_weights() -> None:
    pooled = nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4)).requires_grad_(
        False
    )
    images, classes = torch.rand(5, 2, 4, 4), torch.tensor([0, 3, 1, 2, 0])
    weights = pooled[3].weight
    features = pooled[0](images)
    for kind, of_class in (("grad-cam true", weights[classes]), ("cam average", weights.mean(0).expand(5, -1))):
        raw = (of_class[:, :, None, None] * features).sum(1)
        raw = raw.relu() if kind == "grad-cam true" else raw
        low, high = raw.amin((1, 2), keepdim=True), raw.amax((1, 2), keepdim=True)
        found = attention(pooled, images, "0", kind, classes)  # type: ignore[arg-type]
        assert torch.allclose(found, (raw - low) / (high - low).clamp_min(1e-12), atol=1e-4)


def test_the_wrong_class_is_the_one_that_is_read_or_the_likeliest_other(network: nn.Module) -> None:
    data = made_up_images((1, 8, 8), "test")
    kinds = ("grad-cam true", "grad-cam false", "sum")
    seen = AttentionMaps(UniformNoise(Linf(0.0)), images=10, maps=kinds)(network, data, 0)  # type: ignore[arg-type]
    names = [f"{name}, {of}" for name in ("Grad-CAM, true class", "Grad-CAM, wrong class", "attention")
             for of in ("clean", "attacked")]  # fmt: skip
    assert [tile.column for tile in seen.pictures[:7]] == [ATTACKED, *names]
    chosen = first_of_classes(data.labels, 10)
    images, labels = data.take(chosen), data.labels[chosen]
    logits = network.eval()(images)
    wrong = torch.where(logits.argmax(1) == labels, logits.topk(2).indices[:, 1], logits.argmax(1))
    shown = overlaid(images, attention(network, images, "attention", "grad-cam false", wrong))
    found = [tile.png for tile in seen.pictures if tile.column == "Grad-CAM, wrong class, clean"]
    assert found == [png(image) for image in shown]


def test_unknown_maps_are_refused() -> None:
    unknown, none = refusals("import holdfast.analysis; hf.analysis.AttentionMaps(maps=it)", "[('grad-cam-true',), ()]")
    assert unknown.endswith("one of sum, grad-cam true, grad-cam false, cam average")
    assert none.endswith("name one or more")


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
