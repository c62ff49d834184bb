import base64
from io import BytesIO

import pytest
import torch
from PIL import Image

from holdfast.attacks import FGSM
from holdfast.errors import BadValue
from holdfast.experiments import Pictures, picture
from holdfast.report import gallery
from holdfast.report.image_grid import GAP, MARGIN

from ..experiments.made_up import CLASSES, made_up


def decoded(uri: str) -> Image.Image:
    start = "data:image/png;base64,"
    assert uri.startswith(start)
    image = Image.open(BytesIO(base64.b64decode(uri[len(start) :])))
    image.load()
    return image


def test_where_nothing_is_right_nothing_can_be_drawn() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    nothing = Pictures("FGSM", torch.zeros(0, 1, 8, 8), torch.zeros(0, 1, 8, 8), none, none, CLASSES)
    with pytest.raises(BadValue, match="FGSM"):
        gallery(nothing)


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
    image = decoded(gallery(Pictures("one", images, images, label, label, CLASSES))).convert("RGB")
    side = (image.width - MARGIN - GAP) // 2
    assert {image.getpixel((MARGIN + x, y)) for x in (0, side - 1) for y in (0, side - 1)} == {(255, 0, 255)}
    assert image.getpixel((MARGIN + side, 0)) == (0, 0, 0)
    assert image.getpixel((MARGIN, image.height - 1)) == (127, 127, 127)
