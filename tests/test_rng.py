"""Random numbers belong to an image: not to a batch, an order or a process."""

import subprocess
import sys

import torch

from holdfast.rng import Stream, fresh, number


def test_numbers_do_not_depend_on_batch_or_order() -> None:
    images = torch.rand(20, 1, 4, 4)
    together = Stream.of(images, 0, "a").uniform((3, 5))
    order = torch.randperm(20)
    assert torch.equal(Stream.of(images[order], 0, "a").uniform((3, 5)), together[order])
    assert torch.equal(Stream.of(images[7:8], 0, "a").uniform((3, 5)), together[7:8])


def test_longer_streams_begin_alike() -> None:
    stream = Stream.at(torch.arange(4), 1)
    assert torch.equal(stream.uniform((10,))[:, :6], stream.uniform((6,)))


def test_seed_name_and_image_each_change_the_numbers() -> None:
    images = torch.rand(2, 1, 4, 4)
    base = Stream.of(images, 0, "a").uniform((8,))
    assert not torch.equal(base, Stream.of(images, 1, "a").uniform((8,)))
    assert not torch.equal(base, Stream.of(images, 0, "b").uniform((8,)))
    assert not torch.equal(base[0], base[1])


def test_a_seed_is_a_number_of_whatever_type() -> None:
    images = torch.rand(3, 1, 2, 2)
    one, true = (Stream.of(images, seed, "a").uniform((4,)) for seed in (1, True))
    assert torch.equal(one, true)


def test_equal_images_draw_equal_numbers_and_zero_has_one_sign() -> None:
    images = torch.zeros(2, 1, 2, 2)
    images[1] = -0.0
    drawn = Stream.of(images, 0).uniform((4,))
    assert torch.equal(drawn[0], drawn[1])


def test_fresh_changes_the_numbers_inside_and_only_there() -> None:
    stream = lambda: Stream.at(torch.arange(3), 0).uniform((4,))  # noqa: E731
    outside = stream()
    with fresh(0, 1):
        first = stream()
        with fresh("again"):
            nested = stream()
    with fresh(0, 2):
        second = stream()
    assert torch.equal(outside, stream())
    assert len({tuple(drawn.flatten().tolist()) for drawn in (outside, first, nested, second)}) == 4


def test_uniform_and_normal_have_their_moments() -> None:
    stream = Stream.at(torch.arange(64), 0)
    uniform, normal = stream.uniform((4096,)), stream.normal((4096,))
    assert 0 <= float(uniform.min()) < 1e-4
    assert 0.9999 < float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 3e-3
    assert abs(float(uniform.var()) - 1 / 12) < 1e-3
    assert abs(float(normal.mean())) < 1e-2
    assert abs(float(normal.std()) - 1) < 1e-2
    assert abs(float((normal**4).mean()) - 3) < 0.1


def test_neighbours_are_not_correlated() -> None:
    drawn = Stream.at(torch.arange(512), 0).uniform((512,)) - 0.5
    for other in (drawn.roll(1, 0), drawn.roll(1, 1), drawn.T):
        assert abs(float((drawn * other).mean() * 12)) < 0.01


def test_a_number_is_the_same_in_another_process() -> None:
    code = "from holdfast.rng import number; print(number('a', 1, (2.5, None)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == number("a", 1, (2.5, None))
