"""Each architecture is the one that its paper or its public code describes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.models import (
    CifarResNet,
    ImageNetResNet,
    LeNet,
    MadryResNet,
    PreActResNet,
    SmallCNN,
    SMLResNet,
    Standardized,
    WideResNet,
    build,
    capture,
)

State = dict[str, Tensor]


def shaken(model: nn.Module) -> nn.Module:
    """Give every parameter and average a random value, so that no term of a formula hides behind a 0 or a 1."""
    generator = torch.Generator().manual_seed(0)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.1)
    return model.double().eval()


def norm(state: State, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    mean, variance, weight, bias = (
        state[f"{name}.{word}"][:, None, None] for word in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + eps).sqrt() * weight + bias


def test_a_wide_resnet_follows_its_formula() -> None:
    model = shaken(WideResNet(channels=1, classes=3, depth=10, width=2))
    state = model.state_dict()
    images = torch.rand(2, 1, 8, 8)
    x = (images - state["normalized.mean"]) / state["normalized.std"]
    x = F.conv2d(x, state["stem.weight"], padding=1)
    for group, stride in (("block1.0", 1), ("block2.0", 2), ("block3.0", 2)):
        a = F.relu(norm(state, f"{group}.norm1", x))
        h = F.conv2d(a, state[f"{group}.conv1.weight"], stride=stride, padding=1)
        h = F.conv2d(F.relu(norm(state, f"{group}.norm2", h)), state[f"{group}.conv2.weight"], padding=1)
        x = h + F.conv2d(a, state[f"{group}.shortcut.weight"], stride=stride)
    x = F.relu(norm(state, "tail.0", x)).mean((2, 3))
    torch.testing.assert_close(model(images), x @ state["linear.weight"].T + state["linear.bias"])


def test_madry_s_network_follows_its_formula() -> None:
    model = shaken(MadryResNet(channels=1, classes=3, depth=16, width=2)).float()
    state = model.state_dict()
    for name in [name for name in state if "conv" in name]:
        state[name].sub_(0.35)  # of both signs, so that the leaky side of the ReLUs is used
    images = torch.rand(2, 1, 8, 8)
    x = F.conv2d(Standardized()(images), state["stem.weight"], padding=1)
    for unit, stride, added in (
        ("block1.0", 1, 8), ("block1.1", 1, 0), ("block2.0", 2, 16), ("block2.1", 1, 0),
        ("block3.0", 2, 32), ("block3.1", 1, 0),
    ):  # fmt: skip
        a = F.leaky_relu(norm(state, f"{unit}.norm1", x, eps=1e-3), 0.1)
        kept = a if unit == "block1.0" else x
        kept = F.pad(F.avg_pool2d(kept, stride), (0, 0, 0, 0, added, added))
        h = F.conv2d(a, state[f"{unit}.conv1.weight"], stride=stride, padding=1)
        h = F.leaky_relu(norm(state, f"{unit}.norm2", h, eps=1e-3), 0.1)
        assert (h < 0).any()
        x = kept + F.conv2d(h, state[f"{unit}.conv2.weight"], padding=1)
    x = F.leaky_relu(norm(state, "tail.0", x, eps=1e-3), 0.1).mean((2, 3))
    expected = x @ state["linear.weight"].T + state["linear.bias"]
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


def test_madry_s_network_has_five_units_a_group_and_slow_batch_norms() -> None:
    with torch.device("meta"):
        model = build("madry-wrn-34-10", (3, 32, 32), 10)
        assert isinstance(model, MadryResNet)
        with capture(model, "block1", "block2", "block3") as seen:
            model(torch.zeros(1, 3, 32, 32))
    assert [len(group) for group in (model.block1, model.block2, model.block3)] == [5, 5, 5]
    assert [tuple(value.shape[1:]) for value in seen.values()] == [(160, 32, 32), (320, 16, 16), (640, 8, 8)]
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {(part.momentum, part.eps) for part in norms} == {(0.1, 0.001)}


def test_an_activated_bottleneck_keeps_the_raw_input() -> None:
    block = SMLResNet(classes=3).block2
    nn.init.zeros_(block[0].conv3.weight)
    nn.init.zeros_(block[1].conv3.weight)
    x = torch.randn(2, 256, 4, 4)
    torch.testing.assert_close(block[0](x), F.conv2d(x, block[0].shortcut.weight, stride=2))
    kept = torch.randn(2, 512, 4, 4)
    torch.testing.assert_close(block[1](kept), kept)


def test_sml_s_res50_has_the_published_groups() -> None:
    with torch.device("meta"):
        model = SMLResNet()
        with capture(model, "stem", "block1", "block2", "block3", "block4") as seen:
            model(torch.zeros(1, 3, 64, 64))
    sizes = [(64, 64), (256, 64), (512, 32), (1024, 16), (2048, 8)]
    assert [tuple(value.shape[1:3]) for value in seen.values()] == sizes
    assert [len(group) for group in (model.block1, model.block2, model.block3, model.block4)] == [2, 3, 5, 2]


def test_a_later_wide_block_keeps_the_raw_input() -> None:
    model = WideResNet(depth=16, width=1)
    block = model.block2[1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 32, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_wide_convolutions_are_drawn_by_their_outputs() -> None:
    torch.manual_seed(0)
    weight = WideResNet(depth=10, width=4).block3[0].conv2.weight
    assert abs(weight.std().item() / (2 / (9 * 256)) ** 0.5 - 1) < 0.01


def test_the_shortcut_of_paper_002_pools_and_adds_zeros_at_the_end() -> None:
    block = CifarResNet(depth=8).block2[0]
    x = torch.rand(2, 16, 6, 6)
    short = block.shortcut(x)
    assert short.shape == (2, 32, 3, 3)
    torch.testing.assert_close(short[:, :16], x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)))
    assert not short[:, 16:].any()


def test_the_network_of_paper_002_takes_any_size() -> None:
    model = CifarResNet(depth=8).eval()
    assert all(model(torch.rand(1, 3, side, side)).isfinite().all() for side in (1, 7, 24, 28, 30, 33))


def test_the_network_of_paper_002_starts_as_published() -> None:
    torch.manual_seed(0)
    model = CifarResNet(depth=20)
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {(part.momentum, part.eps) for part in norms} == {(0.001, 0.001)}
    assert not model.linear.bias.any()
    weight = model.block3[1].conv1.weight
    limit = (6 / (9 * 64 + 9 * 64)) ** 0.5
    assert 0.99 * limit < weight.abs().max() <= limit
    with capture(model, "stem", "block1", "block2", "block3") as seen:
        model(torch.rand(1, 3, 24, 24))
    assert [tuple(value.shape[1:]) for value in seen.values()] == [(16, 24, 24), (16, 24, 24), (32, 12, 12), (64, 6, 6)]


def test_a_lenet_of_half_the_width_has_half_the_channels_and_hidden_units() -> None:
    with torch.device("meta"):
        narrow = build("lenet", (1, 28, 28), 10, width=16)
    assert [tuple(each.shape[:2]) for each in narrow.parameters() if each.ndim > 1] == [
        (16, 1),
        (32, 16),
        (512, 32 * 7 * 7),
        (10, 512),
    ]


def test_lenet_starts_by_glorot_with_zero_biases() -> None:
    torch.manual_seed(0)
    model = LeNet()
    for part in model.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            fan = sum(nn.init._calculate_fan_in_and_fan_out(part.weight))
            assert 0.9 * (6 / fan) ** 0.5 < part.weight.abs().max() <= (6 / fan) ** 0.5
            assert part.bias is not None
            assert not part.bias.any()


def test_small_cnn_starts_with_equal_logits_and_the_authors_names() -> None:
    model = SmallCNN().eval()
    assert not model(torch.rand(2, 1, 28, 28)).any()
    parts = [f"feature_extractor.conv{number}" for number in (1, 2, 3, 4)]
    parts += [f"classifier.fc{number}" for number in (1, 2, 3)]
    assert [name for name, _ in model.named_parameters()] == [
        f"{part}.{end}" for part in parts for end in ("weight", "bias")
    ]
    with capture(model, "features", "hidden", "penultimate") as seen:
        model(torch.rand(1, 1, 28, 28))
    assert [tuple(value.shape[1:]) for value in seen.values()] == [(64, 4, 4), (200,), (200,)]


def test_small_cnn_takes_other_sizes() -> None:
    assert SmallCNN(channels=3, image_size=(16, 33))(torch.rand(2, 3, 16, 33)).shape == (2, 10)


def test_both_forms_of_the_preactivation_resnet_count_as_published() -> None:
    with torch.device("meta"):
        counts = [sum(p.numel() for p in PreActResNet(final_norm=final).parameters()) for final in (True, False)]
    assert counts == [11_172_170, 11_171_146]
    small = PreActResNet(final_norm=False).eval()
    with capture(small, "block4", "features") as seen:
        small(torch.rand(1, 3, 8, 8))
    assert torch.equal(seen["block4"], seen["features"])


def test_resnet_18_stages_have_the_published_sizes() -> None:
    model = build("resnet-18", (3, 32, 32), 10).eval()
    with capture(model, "stem", "block1", "block2", "block3", "block4") as seen, torch.no_grad():
        model(torch.rand(1, 3, 32, 32))
    sizes = [(64, 32), (64, 32), (128, 16), (256, 8), (512, 4)]
    assert [tuple(value.shape[1:3]) for value in seen.values()] == sizes


def test_the_embeddings_of_paper_000() -> None:
    model = ImageNetResNet().eval()
    names = [f"embedding{number}" for number in range(1, 6)]
    channels = (64, 64, 128, 256, 512)
    for side, sides in ((32, (8, 8, 4, 2, 1)), (28, (7, 7, 4, 2, 1))):
        with capture(model, *names, "output", "penultimate") as seen, torch.no_grad():
            model(torch.rand(2, 3, side, side))
        expected = [(2, c, s, s) for c, s in zip(channels, sides, strict=True)]
        assert [tuple(seen[name].shape) for name in names] == expected
        assert seen["output"].shape == (2, 10)
        assert torch.equal(seen["penultimate"], seen["embedding5"].flatten(1))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("cifar-resnet-8", (3, 24, 24), (64, 6, 6)),
        ("digits-net", (1, 8, 8), (64, 4, 4)),
        ("imagenet-resnet-18", (3, 32, 32), (256, 2, 2)),
        ("lenet", (1, 28, 28), (64, 7, 7)),
        ("lenet-5", (1, 28, 28), (16, 5, 5)),
        ("madry-wrn-10-1", (3, 32, 32), (64, 8, 8)),
        ("preact-resnet-18", (3, 32, 32), (512, 4, 4)),
        ("resnet-18", (3, 32, 32), (512, 4, 4)),
        ("sml-resnet", (3, 64, 64), (2048, 8, 8)),
        ("small-cnn", (1, 28, 28), (64, 4, 4)),
        ("vgg-16", (3, 32, 32), (512, 2, 2)),
        ("vgg-19", (3, 32, 32), (512, 2, 2)),
        ("wrn-10-1", (3, 32, 32), (64, 8, 8)),
    ],
)
def test_attention_is_the_last_map_larger_than_one_pixel(
    name: str, shape: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    with torch.device("meta"):
        model = build(name, shape, 10).eval()
        with capture(model, "attention") as seen:
            model(torch.zeros(2, *shape))
    assert tuple(seen["attention"].shape[1:]) == expected


def test_the_attention_of_a_vgg_is_what_its_last_pool_is_given() -> None:
    model = build("vgg-19", (3, 32, 32), 10).eval()
    with capture(model, "attention", "features") as seen, torch.no_grad():
        model(torch.rand(2, 3, 32, 32))
    assert torch.equal(F.max_pool2d(seen["attention"], 2), seen["features"])
    assert model.state_dict().keys() >= {"block5.9.weight", "block5.10.running_mean"}
