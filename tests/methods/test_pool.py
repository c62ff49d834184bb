"""Further training images: of the class that is asked for, with a view of each draw, afresh at each step."""

import pytest
import torch

from holdfast.data import CropFlip, ImageSet, made_up_images
from holdfast.errors import BadLabels
from holdfast.methods import (
    Pool,
)
from holdfast.rng import Stream, fresh


def test_a_pool_draws_of_the_class_with_a_view_of_each_draw_and_afresh_at_each_step() -> None:
    data = made_up_images((1, 8, 8), "train")
    pool, wanted = Pool(data, CropFlip(pad=2)), torch.zeros(400, dtype=torch.int64)
    keys = Stream.at(torch.arange(400), 0)
    drawn = pool.draw(wanted, keys)
    assert torch.equal(drawn.labels, wanted)
    same = drawn.index == drawn.index[0]
    assert drawn.view is not None
    assert len(drawn.view.top[same].unique()) > 1
    again = pool.draw(wanted, Stream.at(torch.arange(400), 0))
    assert torch.equal(again.images, drawn.images)
    with fresh(0, 1):
        assert not torch.equal(pool.draw(wanted, Stream.at(torch.arange(400), 0)).index, drawn.index)
    assert len(pool.any(keys).labels.unique()) == 10


def test_a_pool_without_augmentation_gives_the_images_themselves() -> None:
    data = made_up_images((1, 8, 8), "train")
    drawn = Pool(data).any(Stream.at(torch.arange(9), 0))
    assert torch.equal(drawn.images, data.take(drawn.index))
    few = ImageSet(data.images[:9], data.labels[:9], data.classes)
    with pytest.raises(BadLabels, match="class 9"):
        Pool(few).draw(torch.tensor([9]), Stream.at(torch.arange(1), 0))
