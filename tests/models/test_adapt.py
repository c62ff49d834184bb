"""Networks made elsewhere: plain modules, torchvision's, timm's, and their weights on disk."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import BadValue, MissingData, MissingExtra, UnknownName, UsageError
from holdfast.models import Adapted, ImageNetResNet, adapt, build, capture, from_timm, from_torchvision, layer_names
from holdfast.models.weights import load_weights

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
Public = Callable[[str, dict[str, Tensor]], None]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 32, 32)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    """Point torch at an empty folder of weights."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    yield tmp_path
    torch.hub.set_dir(before)


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=8), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 5))


def test_a_plain_network_gets_its_normalisation_and_names(images: Tensor) -> None:
    network = plain()
    model = adapt(network, mean=(0.1, 0.2, 0.3), std=0.5, layers={"block1": "1"})
    torch.testing.assert_close(model(images), network((images - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / 0.5))
    with capture(model, "penultimate", "block1", "output") as seen:
        logits = model(images)
    assert layer_names(model) == ("penultimate", "block1", "output")
    torch.testing.assert_close(network[3](seen["penultimate"]), logits)
    assert "network.0.weight" in model.state_dict()


def test_a_network_of_one_linear_layer() -> None:
    model = adapt(nn.Linear(6, 2))
    with capture(model, "penultimate") as seen:
        model(torch.ones(1, 1, 5, 6))
    assert torch.equal(seen["penultimate"], torch.ones(1, 1, 5, 6))


def test_names_are_kept_from_a_network_that_has_them() -> None:
    network = build("wrn-10-1", (3, 8, 8), 4)
    assert set(layer_names(adapt(network))) == set(layer_names(network))


def test_parts_go_by_their_own_names() -> None:
    network = nn.Sequential()
    network.add_module("conv", nn.Conv2d(3, 4, 1))
    network.add_module("flat", nn.Flatten())
    assert layer_names(adapt(network)) == ("conv", "flat", "output")


def test_a_wrong_path_gets_one_line() -> None:
    with pytest.raises(UnknownName, match="no layer is called '7'; known: 0, 1, 2, 3"):
        adapt(plain(), layers={"block": "7"})


def test_timm(images: Tensor) -> None:
    model = from_timm("resnet18", classes=7).eval()
    assert torch.equal(model.normalized.mean.flatten(), IMAGENET_MEAN)
    with capture(model, "block5", "penultimate") as seen:
        logits = model(images)
    assert logits.shape == (2, 7)
    assert seen["block5"].shape == (2, 512, 1, 1)
    torch.testing.assert_close(model.network.get_submodule("fc")(seen["penultimate"]), logits)
    assert build("timm:resnet18", (1, 32, 32), 4)(images[:, :1]).shape == (2, 4)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"pip install 'holdfast-robust\[timm\]'"):
        from_timm("resnet18")


def test_weights_of_timm_come_from_the_cache_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    import timm

    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, file: None)
        with pytest.raises(
            MissingData, match=r"timm could not get the weights of 'resnet18': none in .*pretrained=False"
        ):
            from_timm("resnet18", pretrained=True)
        file = tmp_path / "weights.pth"
        weights = timm.create_model("resnet18").state_dict()
        torch.save(weights, file)
        patch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, name: str(file))
        state = from_timm("resnet18", classes=3, pretrained=True).network.state_dict()
    assert torch.equal(state["conv1.weight"], weights["conv1.weight"])
    assert state["fc.weight"].shape == (3, 512)


def test_torchvision(images: Tensor) -> None:
    model = from_torchvision("mobilenet_v3_small", classes=7).eval()
    assert torch.equal(model.normalized.mean.flatten(), IMAGENET_MEAN)
    with capture(model, "features", "penultimate") as seen:
        logits = model(images)
    assert logits.shape == (2, 7)
    assert seen["features"].ndim == 4
    torch.testing.assert_close(model.network.get_submodule("classifier.3")(seen["penultimate"]), logits)


def test_pretrained_weights_are_read_from_torch_s_folder(hub: Path) -> None:
    from torchvision.models import resnet18

    weights = resnet18().state_dict()
    (hub / "checkpoints").mkdir()
    torch.save(weights, hub / "checkpoints" / "resnet18-f37072fd.pth")
    ours = ImageNetResNet(classes=3, pretrained=True)
    theirs = from_torchvision("resnet18", classes=3, pretrained=True)
    for model in (ours, theirs):
        assert torch.equal(model.network.get_submodule("conv1").weight, weights["conv1.weight"])
    assert theirs.network.get_submodule("fc").weight.shape == (3, 512)
    assert from_torchvision("resnet18", pretrained=True).network.get_submodule("fc").weight.shape == (1000, 512)
    as_many = from_torchvision("resnet18", classes=1000, pretrained=True).network.get_submodule("fc").weight
    assert torch.equal(as_many, weights["fc.weight"])


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Public:
    """Return what gives a weight set of torchvision its state, as if it had been downloaded."""

    def give(name: str, state: dict[str, Tensor]) -> None:
        monkeypatch.setattr("holdfast.models.pretrained.Path.is_file", lambda path: True)
        monkeypatch.setattr(f"torchvision.models.{name}_Weights.get_state_dict", lambda *given, **named: state)

    return give


def test_networks_trained_on_other_pixels_than_their_transforms_say_see_those(public: Public, images: Tensor) -> None:
    from torchvision.models import GoogLeNet_Weights, googlenet

    weights = googlenet(init_weights=False).state_dict()
    public("GoogLeNet", weights)
    theirs, seen_by_theirs = googlenet(weights="DEFAULT").eval(), []
    theirs.conv1.register_forward_pre_hook(lambda part, given: seen_by_theirs.append(given[0]))
    preset = GoogLeNet_Weights.DEFAULT.transforms()
    theirs((images - IMAGENET_MEAN[:, None, None]) / Tensor(preset.std)[:, None, None])
    ours = adapt(from_torchvision("googlenet", pretrained=True), layers={"seen": "network.conv1:input"}).eval()
    with capture(ours, "seen") as seen:
        ours(images)
    torch.testing.assert_close(seen["seen"], seen_by_theirs[0])
    with warnings.catch_warnings(action="ignore"):  # about its initial weights
        load_weights(from_torchvision("googlenet"), ours.network.state_dict(), "a run from public weights")


def test_weights_under_older_names_are_read(public: Public) -> None:
    from torchvision.models import densenet121

    weights = densenet121().state_dict()
    kept = [name for name in weights if not name.endswith("tracked")]
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): weights[name] for name in kept}
    assert "features.denseblock1.denselayer1.norm.1.weight" in older
    public("DenseNet121", older)
    found = from_torchvision("densenet121", classes=3, pretrained=True).network.state_dict()
    name = "features.denseblock1.denselayer1.conv1.weight"
    assert torch.equal(found[name], weights[name])


def test_weights_of_another_size_than_usual_are_read(public: Public) -> None:
    from torchvision.models import vit_h_14

    with torch.device("meta"):
        public("ViT_H_14", vit_h_14(image_size=518).state_dict())
        for pretrained in (True, False):
            assert from_torchvision("vit_h_14", 1000, pretrained).network.image_size == 518


@pytest.mark.parametrize("name", ["imagenet-resnet-18", "torchvision:resnet18"])
def test_missing_weights_get_one_line_and_nothing_is_downloaded(
    name: str, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*given: object, **named: object) -> None:
        raise OSError("no network\nat all")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(MissingData, match=rf"torchvision could not get .* there is no {hub}.*use pretrained=False"):
        build(name, (3, 32, 32), 10, pretrained=True)
    with pytest.raises(MissingData, match=rf"\(no network\); it looks for {hub}/checkpoints/.*use pretrained=False"):
        build(name, (3, 32, 32), 10, pretrained=True, download=True)


def test_a_broken_file_of_weights_gets_one_line(hub: Path) -> None:
    (hub / "checkpoints").mkdir()
    (hub / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"torn")
    with pytest.raises(MissingData, match=r"torchvision could not get the weights ResNet18_Weights\.IMAGENET1K_V1"):
        ImageNetResNet(pretrained=True)


def test_a_last_layer_that_cannot_be_replaced(public: Public) -> None:
    from torchvision.models import squeezenet1_1

    public("SqueezeNet1_1", squeezenet1_1().state_dict())
    from_torchvision("squeezenet1_1", classes=1000, pretrained=True)
    with pytest.raises(UsageError, match="SqueezeNet ends in no linear layer to replace"):
        from_torchvision("squeezenet1_1", classes=3, pretrained=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:resnet_18x", "no timm model is called 'resnet_18x'; did you mean 'resnet18"),
        ("timm:resnet18.wrong", "no timm model is called 'resnet18.wrong'; did you mean 'resnet18"),
        ("torchvision:resnet_18", "no torchvision model is called 'resnet_18'; did you mean 'resnet18'"),
        ("torchvision:fcn_resnet50", "no torchvision model is called 'fcn_resnet50'"),
        ("timm:vit_tiny_patch16_224", r"cannot take images of shape \(3, 32, 32\)"),
    ],
)
def test_wrong_names_and_sizes_get_one_line(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        build(name, (3, 32, 32), 10)
    assert len(str(caught.value)) < 300


def test_a_wrong_option_gets_one_line() -> None:
    with pytest.raises(UnknownName, match="no option of 'timm:resnet18' is called 'pretraned'"):
        build("timm:resnet18", (3, 32, 32), 10, pretraned=True)


def test_mean_and_std_are_checked() -> None:
    with pytest.raises(BadValue):
        adapt(plain(), std=-1.0)
    assert isinstance(adapt(plain()), Adapted)
