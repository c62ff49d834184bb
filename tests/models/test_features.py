"""A network up to a layer: the same features as `capture` sees, and nothing computed above."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf
from holdfast.attacks import FeatureDistortion
from holdfast.errors import ModelFault, UnknownName, UsageError
from holdfast.models import Features, build, capture


@pytest.fixture
def model() -> nn.Module:
    return build("wrn-10-1", (3, 8, 8), 4).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 8, 8)


def hooks(model: nn.Module) -> int:
    return sum(len(part._forward_hooks) for part in model.modules())


@pytest.mark.parametrize("layer", ["stem", "block1", "block2", "block3", "penultimate", "output"])
def test_one_layer_is_as_captured(model: nn.Module, images: Tensor, layer: str) -> None:
    with capture(model, layer) as seen:
        model(images)
    assert torch.equal(Features(model, layer)(images), seen[layer])
    assert hooks(model) == 0


def test_several_layers_are_one_behind_the_other_in_the_order_that_is_asked_for(
    model: nn.Module, images: Tensor
) -> None:
    with capture(model, "block1", "penultimate") as seen:
        model(images)
    found = Features(model, "penultimate", "block1")(images)
    assert torch.equal(found, torch.cat([seen["penultimate"].flatten(1), seen["block1"].flatten(1)], 1))


def test_the_layers_above_are_not_computed(model: nn.Module, images: Tensor) -> None:
    passed = []
    for name in ("block1", "block2", "block3"):
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: passed.append(name))
    Features(model, "block2", "block1")(images)
    assert passed == ["block1", "block2"]


def test_gradients_flow_to_the_images_and_the_attack_on_it_is_the_one_on_the_whole_network(
    model: nn.Module, images: Tensor
) -> None:
    features, labels = Features(model, "block2"), torch.zeros(3, dtype=torch.int64)
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(features(x).square().sum(), x)
    assert bool((gradient != 0).any())
    attack = FeatureDistortion(Linf(16 / 255), steps=3)
    whole = FeatureDistortion(Linf(16 / 255), steps=3, layers=("block2",))
    assert torch.equal(attack(features, images, labels), whole(model, images, labels))


def test_a_network_in_training_is_put_at_rest_by_an_attack_and_back(model: nn.Module, images: Tensor) -> None:
    model.train()
    before = {name: kept.clone() for name, kept in model.named_buffers()}
    FeatureDistortion(steps=1)(Features(model, "block2"), images, torch.zeros(3, dtype=torch.int64))
    assert model.training
    assert all(torch.equal(before[name], kept) for name, kept in model.named_buffers())


class Backwards(nn.Module):
    """A network that answers its first layer with its rows and columns exchanged, and passes the second by."""

    def __init__(self) -> None:
        super().__init__()
        self.turned, self.unused = nn.Flatten(0, 1), nn.Flatten()

    def forward(self, images: Tensor) -> Tensor:
        return self.turned(images).flatten(1)


def test_what_has_no_row_an_image_or_no_such_layer_is_refused(model: nn.Module, images: Tensor) -> None:
    with pytest.raises(UsageError, match="name a layer"):
        Features(model)
    with pytest.raises(UnknownName, match="no layer is called 'block9'"):
        Features(model, "block9")
    for layer in ("turned", "unused"):
        with pytest.raises(ModelFault, match=f"layer '{layer}' gave no tensor with one row for each of 3 images"):
            Features(Backwards(), layer)(images)
