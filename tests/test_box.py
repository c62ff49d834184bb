"""A cut into the box has a gradient on its walls, whatever the version of torch."""

import torch

from holdfast.box import boxed


def test_the_gradient_is_one_from_wall_to_wall_and_zero_outside() -> None:
    values = torch.tensor([-0.5, 0.0, 0.25, 1.0, 1.5], requires_grad=True)
    cut = boxed(values)
    assert cut.tolist() == [0.0, 0.0, 0.25, 1.0, 1.0]
    assert torch.autograd.grad(cut.sum(), values)[0].tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_the_walls_may_lie_elsewhere() -> None:
    assert boxed(torch.tensor([-3.0, 255.0, 300.0]), 0, 255).tolist() == [0.0, 255.0, 255.0]
