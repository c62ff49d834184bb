"""Laws of the views: what is read through a crop and written back is what was there."""

import pytest
import torch

from holdfast.data import CropFlip, read_view, write_view
from holdfast.errors import BadValue
from holdfast.types import View

AUGMENTS = [
    CropFlip(),
    CropFlip(pad=0, size=24),
    CropFlip(pad=3, size=17, flip=False),
    CropFlip(pad=0, flip=True),
    CropFlip(pad=40),
]
index = torch.arange(50)


def pictures(rows: int = 32, columns: int = 32, channels: int = 3) -> torch.Tensor:
    return torch.rand((50, channels, rows, columns), generator=torch.Generator().manual_seed(1)) * 0.9 + 0.1


def by_hand(images: torch.Tensor, augment: CropFlip, view: View) -> torch.Tensor:
    rows, columns = augment.crop(tuple(images.shape[1:]))
    padded = torch.nn.functional.pad(images, [augment.pad] * 4)
    crops = []
    for picture, top, left, flipped in zip(padded, view.top, view.left, view.flipped, strict=True):
        top, left = int(top) + augment.pad, int(left) + augment.pad
        crop = picture[:, top : top + rows, left : left + columns]
        crops.append(crop.flip(2) if flipped else crop)
    return torch.stack(crops)


@pytest.mark.parametrize("augment", AUGMENTS, ids=str)
def test_apply_is_pad_crop_and_flip(augment: CropFlip) -> None:
    for images in (pictures(), pictures(24, 31, 1)):
        channels, rows, columns = images.shape[1:]
        view = augment.draw(index, (channels, rows, columns), seed=0)
        assert torch.equal(augment.apply(images, view), by_hand(images, augment, view))


@pytest.mark.parametrize("augment", AUGMENTS, ids=str)
def test_writing_back_restores_what_was_visible_and_keeps_the_rest(augment: CropFlip) -> None:
    images = pictures()
    view = augment.draw(index, (3, 32, 32), seed=0)
    seen = augment.apply(images, view)
    back = augment.write_back(torch.zeros_like(images), seen, view)
    shown = back != 0
    assert torch.equal(back[shown], images[shown])
    assert torch.equal(shown[:, 0].flatten(1).sum(1), (seen[:, 0] != 0).flatten(1).sum(1))
    assert torch.equal(augment.write_back(images, seen, view), images)
    kept = augment.write_back(images, torch.full_like(seen, -1.0), view)
    assert torch.equal(kept, torch.where(shown, -torch.ones_like(images), images))


@pytest.mark.parametrize("augment", AUGMENTS, ids=str)
def test_reading_what_was_written_gives_the_patch_inside_the_picture(augment: CropFlip) -> None:
    view = augment.draw(index, (3, 32, 32), seed=0)
    rows, columns = augment.crop((3, 32, 32))
    patch = torch.rand(50, 3, rows, columns) + 1
    read = augment.read(augment.write_back(torch.zeros(50, 3, 32, 32), patch, view), view)
    inside = augment.apply(pictures(), view) != 0
    assert torch.equal(read, torch.where(inside, patch, torch.zeros_like(patch)))


def test_without_a_view_the_frames_are_one() -> None:
    images, patch = pictures(), pictures() / 2
    assert read_view(images, None, (32, 32)) is images
    assert write_view(images, patch, None) is patch


def test_gradients_flow_through_the_crop() -> None:
    augment, images = CropFlip(), pictures().requires_grad_()
    view = augment.draw(index, (3, 32, 32), seed=0)
    (gradient,) = torch.autograd.grad(augment.apply(images, view).sum(), images)
    shown = augment.write_back(torch.zeros_like(images), torch.ones(50, 3, 32, 32), view)
    assert torch.equal(gradient, shown)


def test_a_view_belongs_to_the_image_and_the_seed() -> None:
    augment = CropFlip()
    whole = augment.draw(index, (3, 32, 32), seed=3)
    order = torch.tensor([7, 7, 49, 0])
    some = augment.draw(order, (3, 32, 32), seed=3)
    for name in ("top", "left", "flipped"):
        assert torch.equal(getattr(some, name), getattr(whole, name)[order])
        assert not torch.equal(getattr(augment.draw(index, (3, 32, 32), seed=4), name), getattr(whole, name))


def test_views_are_drawn_evenly() -> None:
    many = torch.arange(45_000)
    view = CropFlip(pad=4).draw(many, (3, 32, 32), seed=0)
    for start in (view.top, view.left):
        assert start.min() == -4
        assert start.max() == 4
        assert (start + 4).bincount().sub(5000).abs().max() < 350
    assert abs(view.flipped.float().mean() - 0.5) < 0.012
    assert not CropFlip(flip=False).draw(many, (3, 32, 32), seed=0).flipped.any()


def test_center_is_the_middle_of_large_images_and_nothing_else() -> None:
    images = pictures()
    assert torch.equal(CropFlip(pad=0, size=24).center(images), images[:, :, 4:28, 4:28])
    assert torch.equal(CropFlip().center(images), images)
    assert torch.equal(CropFlip(size=32).center(images), images)


def test_an_empty_batch_passes() -> None:
    augment, none = CropFlip(pad=0, size=24), torch.arange(0)
    view = augment.draw(none, (3, 32, 32), seed=0)
    assert augment.apply(pictures()[:0], view).shape == (0, 3, 24, 24)


def test_impossible_crops_are_refused_in_one_line() -> None:
    with pytest.raises(BadValue, match="pad = -1: a padding is 0 or more pixels"):
        CropFlip(pad=-1)
    with pytest.raises(BadValue, match="size = 0: a crop has 1 or more"):
        CropFlip(size=0)
    with pytest.raises(BadValue, match="size = 40: a crop is at most as large as the images, 32x32"):
        CropFlip(size=40).center(pictures())
