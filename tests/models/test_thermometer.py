"""Thermometer coding by hand, and networks that are built on it."""

import pytest
import torch

from holdfast.defences import steps_of, views
from holdfast.errors import UsageError
from holdfast.models import Thermometer, build


def test_a_code_by_hand() -> None:
    values = torch.tensor([0.0, 0.25, 0.3, 1.0]).reshape(1, 1, 1, 4)
    code = Thermometer(4)(values)[0, :, 0].T
    assert code.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    near = Thermometer(4).stand_in(values)[0, :, 0].T
    torch.testing.assert_close(near[2], torch.tensor([0.8, 0.55, 0.3, 0.05]))


def test_the_stand_in_sees_the_steps_that_a_value_can_climb_to_as_well_as_those_it_can_fall_from() -> None:
    value = torch.full((1, 1, 1, 1), 0.5, requires_grad=True)
    code = Thermometer(16).stand_in(value).flatten()
    slopes = [torch.autograd.grad(level, value, retain_graph=True)[0].item() for level in code]
    seen = [level for level, slope in enumerate(slopes) if slope > 0]
    assert seen == [6, 7, 8, 9, 10]  # 8/16 is the value itself


def test_channels_are_coded_one_after_the_other() -> None:
    images = torch.rand(2, 3, 5, 4)
    assert torch.equal(Thermometer()(images)[:, 16:32], Thermometer()(images[:, 1:2]))


@pytest.mark.parametrize("name", ["small-cnn", "wrn-10-1", "resnet-18", "cifar-resnet-8"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_is_built_on_the_code_and_can_be_seen_through_its_stand_in(name: str, channels: int) -> None:
    torch.manual_seed(0)
    model = build(name, (channels, 16, 16), 5, normalize="thermometer").eval()
    torch.nn.init.normal_(list(model.parameters())[-2])  # some begin at zero: no gradient would pass
    assert [type(step) for step in steps_of(model)] == [Thermometer]
    seen = views(model)
    assert set(seen) == {"plain gradients", "straight through"}  # without the code it is no network
    images = torch.rand(2, channels, 16, 16, requires_grad=True)
    assert torch.equal(seen["straight through"](images), model(images))
    for name, view in seen.items():
        (gradient,) = torch.autograd.grad(view(images).logsumexp(1).sum(), images)
        assert bool(gradient.any()) == (name == "straight through")


def test_a_network_that_cannot_take_the_code_says_how_many_channels_it_takes() -> None:
    with pytest.raises(UsageError, match="'thermometer' makes 48 channels of 3, and 'imagenet-resnet-18' takes 1 or 3"):
        build("imagenet-resnet-18", (3, 32, 32), 10, normalize="thermometer")
