"""Sources whose images are levelled: what the shift is, and that crops of them are crops of images less their mean."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from holdfast.data import ImageSet, load
from holdfast.data.level import levelled, levelled_like, unevenness
from holdfast.data.sources import holds_pictures
from holdfast.data.stamp import stamp
from holdfast.experiments import Scale
from holdfast.training.run import Run


def some(count: int) -> ImageSet:
    torch.manual_seed(count)
    slope = torch.arange(6)[None, None, :, None] * 9
    images = (torch.randint(60, 140, (count, 3, 6, 6)) + slope).byte()
    return ImageSet(images, torch.arange(count) % 2, ("a", "b"))


def test_the_mean_of_each_pixel_becomes_that_of_its_channel_to_half_a_byte() -> None:
    train = some(200)
    assert float(unevenness(train.images).abs().max()) > 15
    level = levelled(train, train)
    assert level.images.dtype == torch.uint8
    assert float(unevenness(level.images).abs().max()) <= 1
    assert torch.allclose(level.images.double().mean((0, 2, 3)), train.images.double().mean((0, 2, 3)), atol=0.5)
    assert torch.equal(level.labels, train.labels)


def test_a_crop_less_the_mean_of_its_channel_is_a_crop_of_the_image_less_its_mean_image() -> None:
    train, test = some(200), some(7)
    level = levelled(test, train)
    centered = test.images.double() - train.images.double().mean(0)
    seen = level.images.double() - train.images.double().mean((0, 2, 3))[:, None, None]
    assert float((seen - centered).abs().max()) <= 0.5 + 1e-6


def test_white_and_black_pixels_that_the_shift_takes_out_of_range_are_clipped() -> None:
    train = some(200)
    shift = unevenness(train.images).round()
    assert float(shift.min()) < -15 < 15 < float(shift.max())
    for value, beyond in ((255, -shift), (0, shift)):
        edge = replace(train, pixels=torch.full((200, 3, 6, 6), value, dtype=torch.uint8))
        level = levelled(edge, train).images[0].float()
        assert torch.equal(level[beyond > 0], torch.full_like(level[beyond > 0], value))
        assert torch.equal(level[beyond <= 0], (value - shift)[beyond <= 0])


def test_floating_images_are_shifted_as_bytes_are_and_stay_in_range() -> None:
    train = some(200)
    floating = replace(train, pixels=train.images.float() / 255)
    one, other = levelled(floating, floating).images, levelled(train, train).images.float() / 255
    assert float((one - other).abs().max()) <= 0.51 / 255
    white = replace(train, pixels=torch.ones(200, 3, 6, 6))
    assert float(levelled(white, floating).images.max()) <= 1


def test_a_source_is_levelled_by_all_its_training_images(tmp_path: Path) -> None:
    train = load("made-up:3x8x8", "train")
    few = load("level:made-up:3x8x8", "test", limit=5)
    assert torch.equal(few.images, levelled(load("made-up:3x8x8", "test", limit=5), train).images)
    assert torch.equal(
        load("level:digits", "train").images, levelled(load("digits", "train"), load("digits", "train")).images
    )
    path = tmp_path / "set.npz"
    before = stamp(f"level:npz:{path}")
    np.savez(path, a=np.zeros(1))
    assert stamp(f"level:npz:{path}") == stamp(f"npz:{path}") != before
    assert holds_pictures("level:folder:pets")
    assert not holds_pictures("level:digits")


def test_a_scale_with_other_images_levels_them_where_a_run_does() -> None:
    scale = Scale(data="made-up:3x8x8")
    assert [scale.run(Run(data=name)).data for name in ("cifar10", "level:cifar10")] == [
        "made-up:3x8x8", "level:made-up:3x8x8",
    ]  # fmt: skip
    assert levelled_like("level:cifar10", "level:mnist") == "level:mnist"
