import base64
from io import BytesIO

import pytest
import torch
from PIL import Image
from torch import nn

from holdfast.attacks import FGSM, UniformNoise
from holdfast.data import ImageSet
from holdfast.errors import BadValue
from holdfast.report import Pictures, gallery, picture
from holdfast.report.pictures import GAP, MARGIN
from holdfast.threats import Linf

CLASSES = ("circle", "square", "a very long name of a class")


def made_up(side: int, channels: int, count: int = 60) -> tuple[nn.Module, ImageSet]:
    """Return a linear network, and images of which it gets every second one right."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 3))
    images = torch.rand(count, channels, side, side)
    with torch.no_grad():
        logits = model(images)
        model[1].bias -= logits.mean(0)
        seen = model(images).argmax(1)
    return model, ImageSet(images, (seen + torch.arange(count) % 2) % 3, CLASSES)


def decoded(uri: str) -> Image.Image:
    start = "data:image/png;base64,"
    assert uri.startswith(start)
    image = Image.open(BytesIO(base64.b64decode(uri[len(start) :])))
    image.load()
    return image


def test_only_images_that_the_network_gets_right_are_shown() -> None:
    model, data = made_up(8, 1)
    shown = picture("FGSM", model, FGSM(Linf(0.1)), data, count=7)
    assert len(shown.images) == 7
    assert shown.before.equal(shown.labels)
    assert model(shown.images).argmax(1).equal(shown.labels)
    assert model(shown.attacked).argmax(1).equal(shown.after)
    assert shown.fooled == int((shown.after != shown.labels).sum()) > 0
    assert float((shown.attacked - shown.images).abs().max()) <= 0.1 + 1e-6


def test_one_of_each_class_comes_first() -> None:
    model, data = made_up(8, 1)
    assert picture("FGSM", model, FGSM(), data, count=3).labels.tolist() == [0, 1, 2]
    assert picture("FGSM", model, FGSM(), data, count=6).labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_seed_decides_which_images_and_which_noise() -> None:
    model, data = made_up(8, 1)
    first, again, other = (picture("noise", model, UniformNoise(), data, seed=seed) for seed in (1, 1, 2))
    assert first.attacked.equal(again.attacked)
    assert not first.images.equal(other.images)


def test_fewer_images_than_asked_for_are_fine_and_none_cannot_be_drawn() -> None:
    model, data = made_up(8, 1, count=10)
    assert len(picture("FGSM", model, FGSM(), data, count=100).images) == 5
    wrong = ImageSet(data.images, (model(data.images).argmax(1) + 1) % 3, CLASSES)
    nothing = picture("FGSM", model, FGSM(), wrong)
    assert len(nothing.images) == nothing.fooled == 0
    with pytest.raises(BadValue, match="no image"):
        gallery(nothing)
    with pytest.raises(BadValue, match="count"):
        picture("FGSM", model, FGSM(), data, count=0)


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 1), (32, 3), (64, 3)])
def test_a_gallery_is_a_picture_of_sensible_size(side: int, channels: int) -> None:
    model, data = made_up(side, channels, count=12)
    image = decoded(gallery(picture("FGSM", model, FGSM(), data, count=4)))
    assert MARGIN + 4 * 200 < image.width < MARGIN + 4 * 300
    assert 600 < image.height < 1100


def test_pixels_stay_squares_of_their_own_colour() -> None:
    images = torch.tensor([[1.0, 0.0], [0.0, 0.0]])[None, None].expand(1, 3, 2, 2).clone()
    images[0, 1] = 0
    label = torch.zeros(1, dtype=torch.int64)
    image = decoded(gallery(Pictures("one", images, images, label, label, label, CLASSES))).convert("RGB")
    side = (image.width - MARGIN - GAP) // 2
    assert {image.getpixel((MARGIN + x, y)) for x in (0, side - 1) for y in (0, side - 1)} == {(255, 0, 255)}
    assert image.getpixel((MARGIN + side, 0)) == (0, 0, 0)
    assert image.getpixel((MARGIN, image.height - 1)) == (127, 127, 127)


def test_the_change_is_amplified_to_the_full_range() -> None:
    model, data = made_up(8, 1)
    shown = picture("FGSM", model, FGSM(Linf(8 / 255)), data)
    assert shown.gain == pytest.approx(255 / 16, rel=1e-3)
