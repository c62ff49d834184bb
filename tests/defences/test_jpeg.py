"""JPEG coding by tensors against Pillow's, and at its closed forms."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from holdfast.defences import JPEG


def natural(shape: tuple[int, int, int, int]) -> Tensor:
    """Return blurred colours with a little noise."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(*shape[:2], max(1, shape[2] // 4), max(1, shape[3] // 4), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, shape[2:], mode="bicubic")
    return (smooth + 0.05 * torch.randn(shape, generator=generator)).clamp(0, 1)


def by_pillow(images: Tensor, quality: int) -> Tensor:
    """Return bytes after a file in memory was written and read."""
    decoded = []
    for image in (images * 255).round().byte().movedim(1, -1).numpy():
        file = io.BytesIO()
        Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(
            file, "JPEG", quality=quality, subsampling="4:2:0"
        )
        decoded.append(np.array(Image.open(file)).reshape(image.shape))
    return torch.from_numpy(np.stack(decoded)).movedim(-1, 1).float()


@pytest.mark.parametrize("quality", [10, 49, 50, 75, 90, 100])
@pytest.mark.parametrize("shape", [(6, 3, 32, 32), (6, 1, 28, 28), (4, 3, 33, 47), (1, 3, 7, 9)], ids=str)
def test_it_is_what_pillow_reads_of_what_it_wrote(shape: tuple[int, int, int, int], quality: int) -> None:
    images = natural(shape)
    theirs, ours = by_pillow(images, quality), JPEG(quality)(images) * 255
    apart = (ours - theirs).abs()
    assert apart.mean() < 0.6  # of 255; a cosine that falls on the other side of a half moves one block
    assert apart.le(1).float().mean() > 0.85
    if quality <= 75:
        assert apart.mean() < 0.1 * (theirs - 255 * images).abs().mean()


def test_at_quality_100_a_grey_image_stays_nearly_as_it_is() -> None:
    images = (natural((3, 1, 16, 16)) * 255).round() / 255
    torch.testing.assert_close(JPEG(100)(images), images, rtol=0, atol=2.01 / 255)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_another_type_come_back_in_it_coded_as_in_float32(channels: int, dtype: torch.dtype) -> None:
    images = natural((2, channels, 17, 24)).to(dtype)
    for coded in (JPEG(75), JPEG(75).stand_in):
        torch.testing.assert_close(coded(images), coded(images.float()).to(dtype))


def test_an_image_of_one_grey_stays_so_to_the_step_of_its_mean() -> None:
    grey = torch.full((1, 3, 16, 16), 128 / 255)
    torch.testing.assert_close(JPEG(1)(grey), grey)  # 128 is the middle, which every table keeps
    torch.testing.assert_close(JPEG(75)(grey + 20 / 255), grey + 20 / 255)  # 8 x 20 is 20 steps of 8


def test_lower_quality_keeps_less() -> None:
    images = natural((4, 3, 32, 32))
    lost = [float((JPEG(quality)(images) - images).abs().mean()) for quality in (95, 75, 40, 10)]
    assert lost == sorted(lost)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_stand_in_is_nearer_to_what_a_file_holds_than_the_image_is(channels: int) -> None:
    images = natural((2, channels, 19, 24))
    for quality in (75, 20):
        coded = JPEG(quality)(images)
        near = JPEG(quality).stand_in(images)
        assert (near - coded).abs().mean() < 0.7 * (images - coded).abs().mean()


def test_the_stand_in_follows_cosines_that_may_be_brought_elsewhere_more_than_others() -> None:
    images = natural((2, 1, 16, 16))
    settled = JPEG(40)(images)  # nearly every cosine is a multiple of the table: a little changes none
    slopes = []
    for given in (images, settled):
        x = given.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((JPEG(40).stand_in(x) * natural((2, 1, 16, 16)).flip(3)).sum(), x)
        slopes.append(float(gradient.abs().mean()))
    assert slopes[1] < slopes[0] / 2


def test_the_stand_in_leads_away_from_an_image_of_one_grey() -> None:
    grey = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad((JPEG().stand_in(grey) * natural((1, 1, 8, 8))).sum(), grey)
    assert float(gradient.std()) > 0.01  # cosines that are 0 have a slope too, so that it differs inside the block


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_the_stand_in_has_a_gradient_on_black_and_on_white(channels: int, ground: float) -> None:
    images = torch.full((1, channels, 28, 28), ground)
    images[..., 5:20, 12:15] = 0.9 - 0.8 * ground
    x, weights = images.requires_grad_(), torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((JPEG(75).stand_in(x) * weights).sum(), x)
    assert gradient.ne(0).all()


def test_its_own_gradient_is_none() -> None:
    images = natural((1, 3, 16, 16)).requires_grad_()
    (gradient,) = torch.autograd.grad(JPEG()(images).sum(), images)
    assert not gradient.any()
