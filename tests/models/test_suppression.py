"""Suppression by class: its closed form, whose class counts, whose labels hold, and where the networks have it."""

import copy
import threading
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

from holdfast.auditing.surrogate import fast_copy
from holdfast.errors import BadLabels, BadValue, UnknownName, UsageError
from holdfast.models import Suppression, WithAuxiliary, build, capture, labelled, layer_names
from holdfast.models.cas import suppressed
from holdfast.models.memory_format import use_channels_last

SHAPE = (3, 8, 8)
LABELS = torch.tensor([0, 1])


@pytest.fixture
def part() -> Suppression:
    """Give a head of two channels and three classes whose weights are known."""
    part = Suppression(2, 3)
    with torch.no_grad():
        part.linear.weight.copy_(torch.tensor([[1.0, 2.0], [-3.0, 4.0], [0.5, 0.0]]))
        part.linear.bias.copy_(torch.tensor([0.0, 0.0, 10.0]))
    return part


@pytest.fixture
def activation() -> Tensor:
    return torch.tensor([[[1.0, 3.0]], [[0.0, 2.0]]]).expand(2, 2, 1, 2).contiguous()


def test_in_training_the_channels_are_multiplied_by_the_raw_weights_of_the_true_class(
    part: Suppression, activation: Tensor
) -> None:
    with labelled(part, LABELS):
        seen = part(activation)
    weights = torch.tensor([[1.0, 2.0], [-3.0, 4.0]])[:, :, None, None]
    torch.testing.assert_close(seen, activation * weights)


def test_at_rest_the_class_is_the_head_s_own_answer(part: Suppression, activation: Tensor) -> None:
    # The means are (2, 1): logits 4, -2 and 11, so class 2 wins by its bias, which does not multiply.
    with capture(part, "linear") as seen:
        shown = part.eval()(activation)
    torch.testing.assert_close(seen["linear"], torch.tensor([[4.0, -2.0, 11.0]]).expand(2, 3))
    torch.testing.assert_close(shown, activation * torch.tensor([0.5, 0.0])[:, None, None])
    with labelled(part, LABELS):
        torch.testing.assert_close(part(activation), shown)


def test_the_head_learns_from_its_logits_and_from_what_it_lets_through(part: Suppression, activation: Tensor) -> None:
    with labelled(part, LABELS):
        (gradient,) = torch.autograd.grad(part(activation).sum(), part.linear.weight)
    torch.testing.assert_close(gradient, torch.tensor([[4.0, 2.0], [4.0, 2.0], [0.0, 0.0]]))


def test_without_labels_training_is_one_line(part: Suppression, activation: Tensor) -> None:
    with pytest.raises(UsageError, match=r"with labelled\(model, labels\)") as caught:
        part(activation)
    assert "\n" not in str(caught.value)
    with labelled(part, LABELS), pytest.raises(UsageError, match=r"with labelled\(model, labels\)"):
        copy.deepcopy(part)(activation)


def test_labels_of_another_number_or_range_are_one_line(part: Suppression, activation: Tensor) -> None:
    with labelled(part, LABELS[:1]), pytest.raises(BadLabels, match="1 labels for a batch of 2 images"):
        part(activation)
    for wrong in (torch.tensor([0, 3]), torch.tensor([-1, 0])):
        with pytest.raises(BadLabels, match="the network knows 0 to 2"):
            labelled(part, wrong).__enter__()
    with labelled(part, LABELS[:0]):
        assert part(activation[:0]).shape == (0, 2, 1, 2)


def test_the_former_labels_return(part: Suppression, activation: Tensor) -> None:
    with labelled(part, LABELS):
        outer = part(activation)
        with suppress(KeyError), labelled(part, LABELS.flip(0)):
            assert not torch.equal(part(activation), outer)
            raise KeyError
        with labelled(Suppression(2, 3), LABELS[:1]):  # another network's
            assert torch.equal(part(activation), outer)
        assert torch.equal(part(activation), outer)
    with pytest.raises(UsageError):
        part(activation)


def test_threads_do_not_see_each_other_s_labels(part: Suppression, activation: Tensor) -> None:
    turn, seen = threading.Barrier(2), dict[str, Tensor]()

    def work(name: str, labels: Tensor) -> None:
        with labelled(part, labels):
            turn.wait(60)
            seen[name] = part(activation)
            turn.wait(60)

    threads = [threading.Thread(target=work, args=given) for given in (("a", LABELS), ("b", LABELS.flip(0)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, labels in (("a", LABELS), ("b", LABELS.flip(0))):
        with labelled(part, labels):
            assert torch.equal(seen[name], part(activation))


@pytest.mark.parametrize(
    ("name", "side", "heads", "channels"),
    [
        ("resnet-18-cas", 8, ("block4.0.1.linear", "block4.1.1.linear"), 512),
        ("vgg-16-cas", 32, ("block5.2.1.linear", "block5.5.1.linear", "block5.8.1.linear"), 512),
        ("wrn-16-2-cas", 8, ("block3.1.conv1.0.linear", "tail.1.linear"), 128),
    ],
)
def test_where_each_network_suppresses(name: str, side: int, heads: tuple[str, ...], channels: int) -> None:
    model = build(name, (3, side, side), 4).eval()
    names = [f"auxiliary{number}" for number in range(1, len(heads) + 1)]
    assert [layer for layer in layer_names(model) if layer.startswith("aux")] == names
    images = torch.rand(2, 3, side, side)
    with capture(model, *names, "attention") as seen, torch.no_grad():
        logits = model(images)
    for path, layer in zip(heads, names, strict=True):
        head = model.get_submodule(path)
        assert isinstance(head, nn.Linear)
        assert (head.in_features, head.out_features) == (channels, 4)
        assert seen[layer].shape == (2, 4)
    assert seen["attention"].shape[2] > 1 or side < 16
    joint = WithAuxiliary(model)(images)
    torch.testing.assert_close(joint, torch.stack([logits, *(seen[layer] for layer in names)], 1))


@pytest.mark.parametrize(("name", "side"), [("resnet-18", 8), ("vgg-16", 32), ("wrn-16-2", 8)])
def test_a_head_of_ones_lets_everything_through(name: str, side: int) -> None:
    plain = build(name, (3, side, side), 4).eval()
    model = suppressed(copy.deepcopy(plain), 4).eval()
    for part in model.modules():
        if isinstance(part, Suppression):
            nn.init.ones_(part.linear.weight)
    images = torch.rand(2, 3, side, side)
    torch.testing.assert_close(model(images), plain(images))


def test_the_shortcut_of_a_wide_block_keeps_its_activation_whole() -> None:
    model = build("wrn-16-2-cas", SHAPE, 4).eval()
    block = model.get_submodule("block3.1")
    nn.init.zeros_(block.get_submodule("conv1.0.linear").weight)  # type: ignore[arg-type]
    x = torch.randn(2, 128, 2, 2)
    change = block.get_submodule("conv2")(torch.relu(block.get_submodule("norm2")(torch.zeros_like(x))))
    torch.testing.assert_close(block(x), x + change)


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet-18-cas", 11_173_962 + 2 * 5130), ("vgg-16-cas", 14_728_266 + 3 * 5130), ("wrn-34-10-cas", 46_173_294)],
)
def test_heads_add_a_linear_layer_each(name: str, count: int) -> None:
    with torch.device("meta"):
        model = build(name, (3, 32, 32), 10)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_only_networks_with_known_places_suppress() -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        build("vgg-11-cas", (3, 32, 32), 10)
    with pytest.raises(BadValue, match="no place is known where Linear suppresses"):
        suppressed(nn.Linear(2, 2), 2)
    with pytest.raises(UsageError, match="WideResNet has no auxiliary heads"):
        WithAuxiliary(build("wrn-10-1", SHAPE, 4))


def test_a_normalisation_is_chosen_for_it_too() -> None:
    model = build("wrn-10-1-cas", SHAPE, 4, normalize="symmetric").eval()
    assert model.state_dict()["normalized.mean"].item() == 0.5


def test_it_lies_with_the_channels_last_and_folds() -> None:
    model = use_channels_last(build("wrn-16-2-cas", SHAPE, 4), SHAPE)
    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions)
    model.eval()
    found = fast_copy(model, torch.rand(3, *SHAPE))
    assert "7 of 13 batch norms" in found.words
    images = torch.rand(4, *SHAPE)
    torch.testing.assert_close(found.network(images), model(images), rtol=1e-3, atol=1e-4)


def test_it_trains_on_labels() -> None:
    torch.manual_seed(0)
    model = WithAuxiliary(build("wrn-10-1-cas", SHAPE, 4))
    images, labels = torch.rand(4, *SHAPE), torch.arange(4)
    with labelled(model, labels):
        outputs = model(images)
    assert outputs.shape == (4, 3, 4)
    loss = nn.functional.cross_entropy(outputs.flatten(0, 1), labels.repeat_interleave(3))
    loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())
