"""Captured layers: what is seen, what stays behind, and what names mean in wrappers."""

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import UnknownName, UsageError
from holdfast.models import Normalized, adapt, build, capture, layer_names


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return build("wrn-10-1", (3, 8, 8), 4).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 8, 8)


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))


def hooks(model: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def test_a_call_overwrites_the_one_before(model: nn.Module, images: Tensor) -> None:
    with capture(model, "block2", "output") as seen:
        assert seen == {}
        model(images)
        first = dict(seen)
        logits = model(images[:1])
    assert first["block2"].shape == (2, 32, 4, 4)
    assert seen["block2"].shape == (1, 32, 4, 4)
    assert seen["output"] is logits


def test_no_hooks_stay(model: nn.Module, images: Tensor) -> None:
    with capture(model, "block1", "penultimate", "output") as seen:
        model(images)
        assert hooks(model) == 3
    kept = dict(seen)
    model(images)
    assert hooks(model) == 0
    assert all(seen[name] is kept[name] for name in kept)


def test_no_hooks_stay_after_an_exception(model: nn.Module) -> None:
    with pytest.raises(KeyError), capture(model, "block1"):
        raise KeyError
    with pytest.raises(UnknownName), capture(model, "block1", "nowhere"):
        pass
    assert hooks(model) == 0


def test_captures_nest(model: nn.Module, images: Tensor) -> None:
    with capture(model, "block1") as outer:
        with capture(model, "block1", "block2") as inner:
            model(images)
        model(images[:1])
    assert (len(outer["block1"]), len(inner["block1"])) == (1, 2)


def test_the_outer_output_of_a_wrapper_and_the_layers_inside(model: nn.Module, images: Tensor) -> None:
    class Halved(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images / 2

    wrapped = nn.Sequential(Halved(), nn.Sequential(model))
    with capture(wrapped, "penultimate", "output") as seen:
        logits = wrapped(images)
    assert seen["output"] is logits
    with capture(model, "penultimate") as expected:
        model(images / 2)
    torch.testing.assert_close(seen["penultimate"], expected["penultimate"])
    assert layer_names(wrapped) == layer_names(model)


def test_a_plain_network_is_asked_by_path(images: Tensor) -> None:
    model = nn.Sequential(Normalized(0.5, 0.5), plain())
    with capture(model, "1.1", "output") as seen:
        model(images)
    assert seen["1.1"].shape == (2, 4, 6, 6)
    assert layer_names(model) == ("0", "1", "1.0", "1.1", "1.2", "1.3", "output")


def test_the_outermost_names_count(model: nn.Module, images: Tensor) -> None:
    adapted = adapt(model, layers={"middle": "block2"})
    with capture(adapted, "middle") as seen:
        adapted(images)
    assert seen["middle"].shape == (2, 32, 4, 4)
    with pytest.raises(UnknownName):
        capture(adapted, "block2").__enter__()


def test_a_list_called_layers_names_nothing(images: Tensor) -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([plain()])

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.layers[0](images)
            return logits

    model = Listed()
    with capture(model, "layers.0.2") as seen:
        model(images)
    assert seen["layers.0.2"].shape == (2, 144)


def test_wrong_names_get_one_line(model: nn.Module) -> None:
    with pytest.raises(UnknownName, match="no layer is called 'penultimat'; did you mean 'penultimate'"):
        capture(model, "penultimat").__enter__()
    with pytest.raises(UnknownName, match=r"no layer is called '2\.x'"):
        capture(plain(), "2.x").__enter__()


def test_two_networks_with_names_are_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match=r"several parts .* \(WideResNet, WideResNet\)"):
        capture(nn.Sequential(model, build("wrn-10-1", (3, 8, 8), 4)), "block1").__enter__()


@pytest.mark.parametrize("in_place", [False, True])
def test_compiled_networks_are_seen_too(images: Tensor, in_place: bool) -> None:
    model = plain()  # our own networks cannot be compiled while the suite checks every shape
    model.layers = {"penultimate": "2"}
    if in_place:
        model.compile(backend="eager")
    compiled = model if in_place else torch.compile(model, backend="eager")
    expected = compiled(images)
    with capture(compiled, "penultimate", "output") as seen:
        logits = compiled(images)
    torch.testing.assert_close(logits, expected)
    assert seen["output"] is logits
    assert seen["penultimate"].shape == (2, 144)
    assert hooks(model) == 0


def test_layers_are_seen_without_gradients_too(model: nn.Module, images: Tensor) -> None:
    with torch.inference_mode(), capture(model, "penultimate") as seen:
        model(images)
    assert not seen["penultimate"].requires_grad
