"""Resizing and padding at random: what is seen of an image, where, and at which sizes."""

import torch
from torch.nn.functional import interpolate

from holdfast.defences import RandomResizePad


def extent(line: torch.Tensor) -> tuple[int, int]:
    """Return where the part begins that is not grey, and how long it is."""
    places = line.nonzero().flatten()
    return int(places[0]), int(places[-1]) - int(places[0]) + 1


def test_what_is_seen_is_the_image_shrunk_to_the_nearest_pixels_somewhere_in_the_frame() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 3, 32, 24)
    seen = RandomResizePad()(images)
    sizes, places = set(), set()
    for image, each in zip(images, seen, strict=True):
        filled = each.ne(0.5).any(0)
        (top, rows), (left, columns) = extent(filled.any(1)), extent(filled.any(0))
        shrunk = interpolate(image[None], (rows, columns), mode="nearest")[0]
        assert torch.equal(each[:, top : top + rows, left : left + columns], shrunk)
        sizes.add((rows, columns))
        places.add((top, left))
    assert {rows for rows, _ in sizes} == {29, 30, 31, 32}  # 32 x 299 / 331 is 28.9
    assert {columns for _, columns in sizes} == {22, 23, 24}
    assert {top for top, _ in places} == {0, 1, 2, 3}


def test_at_full_size_nothing_changes() -> None:
    images = torch.rand(5, 1, 9, 7)
    assert torch.equal(RandomResizePad(1.0)(images), images)


def test_the_smallest_image_is_one_pixel() -> None:
    torch.manual_seed(0)
    seen = RandomResizePad(1e-6)(torch.zeros(300, 1, 3, 3))
    filled = seen.eq(0).flatten(1).sum(1)
    assert set(filled.tolist()) == {1, 4, 9}


def test_a_pixel_that_is_seen_has_the_gradient_of_where_it_is_seen() -> None:
    torch.manual_seed(1)
    images = torch.rand(1, 1, 16, 16, requires_grad=True)
    seen = RandomResizePad(0.5)(images)
    (gradient,) = torch.autograd.grad(seen.sum(), images)
    assert set(gradient.flatten().tolist()) <= {0.0, 1.0}
    assert gradient.sum() == seen.ne(0.5).sum()
