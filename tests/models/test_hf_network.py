"""Image classifiers of transformers: tiny ones, saved as a repository is, read without a network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holdfast import Linf
from holdfast.attacks import PGD
from holdfast.data import Framing
from holdfast.errors import BadValue, MissingData, UsageError
from holdfast.models import Preprocessing, build, from_hf, preprocessing_of
from holdfast.models.hf_network import _quiet
from holdfast.storage.behaviour import network_fingerprint

transformers = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
user_agent = transformers.utils.hub.http_user_agent
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]
PROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": 16, "image_mean": MEAN, "image_std": STD}


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Let the library draw no bar while a test saves a network."""
    with _quiet():
        yield


def write(folder: Path, processor: dict[str, Any] | None = PROCESSOR, whole: bool = True) -> nn.Module:
    """Save a network of transformers with 5 classes, and what its image processor does."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.ViTConfig(**sizes, image_size=16, patch_size=8, num_channels=3, num_labels=5)
    network = transformers.ViTForImageClassification(config).eval()
    (network if whole else network.vit).save_pretrained(folder)
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return network


def test_its_logits_are_those_of_the_library(tmp_path: Path) -> None:
    network, images, labels = write(tmp_path), torch.rand(2, 3, 16, 16), torch.tensor([0, 4])
    model = build(f"hf:{tmp_path}", (3, 16, 16), 5, pretrained=True).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    pictures = [(255 * image).round().to(torch.uint8) for image in images]
    theirs = network(**processor(pictures, return_tensors="pt")).logits
    torch.testing.assert_close(model(torch.stack(pictures) / 255), theirs)
    assert PGD(Linf(0.1))(model, images, labels).shape == images.shape
    assert from_hf(str(tmp_path), classes=3, pretrained=True)(images).shape == (2, 3)
    assert not torch.equal(from_hf(str(tmp_path))(images), model(images))


class Asking(nn.Module):
    """A network that reaches what transformers makes anew in each process, as its own do by way of their loading."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * len(user_agent())


def test_a_name_for_stored_results_does_not_follow_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = network_fingerprint(Asking())
    monkeypatch.setattr(transformers.utils.hub, "SESSION_ID", "another")
    assert network_fingerprint(Asking()) == before


RESNET = {
    "feature_extractor_type": "ConvNextFeatureExtractor",
    "size": 224,
    "crop_pct": 0.875,
    "do_resize": True,
    "do_normalize": True,
    "image_mean": MEAN,
    "image_std": STD,
    "resample": 3,
}
"""What a ResNet of the hub (microsoft/resnet-50) says of its pictures, in the fields of the first versions."""


def test_a_residual_network_of_the_hub_is_read_with_its_statistics(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=5)
    network = transformers.ResNetForImageClassification(config).train()
    network(torch.rand(4, 3, 32, 32))  # moves the statistics of batch norm
    network.eval().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(RESNET))
    model, images = build(f"hf:{tmp_path}", (3, 32, 32), 5, pretrained=True).eval(), torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(each).reshape(-1, 1, 1) for each in (MEAN, STD))
    torch.testing.assert_close(model(images), network((images - mean) / std).logits)
    assert preprocessing_of(f"hf:{tmp_path}").framing == Framing(256, 224, "bicubic")
    assert PGD(Linf(0.1), steps=1)(model, images, torch.tensor([0, 4])).shape == images.shape


FIELDS = [
    ({"image_processor_type": "ViTImageProcessor"}, ((224, 224), None, "bilinear"), 0.5),
    ({"feature_extractor_type": "ViTFeatureExtractor", "size": 32}, ((32, 32), None, "bilinear"), 0.5),
    ({"image_processor_type": "DeiTImageProcessor"}, ((256, 256), 224, "bicubic"), 0.5),
    (
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875},
        (256, 224, "bicubic"),
        0.5,
    ),
    ({"image_processor_type": "ConvNextImageProcessor", "resample": 2}, ((384, 384), None, "bilinear"), 0.5),
    ({"image_processor_type": "BitImageProcessor"}, (224, 224, "bicubic"), 0.48145466),
    ({"image_processor_type": "MobileNetV2ImageProcessor", "do_normalize": False}, (256, 224, "bilinear"), 0.0),
    ({"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 64, "width": 64}}, None, 0.5),
    ({"image_processor_type": "ViTImageProcessor", "do_resize": False, "rescale_factor": 1 / 127.5}, None, 0.25),
]


@pytest.mark.parametrize(("fields", "sides", "mean"), FIELDS)
def test_what_its_processor_says_is_what_it_does(
    fields: dict[str, Any], sides: tuple[Any, ...] | None, mean: float, tmp_path: Path
) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    found = preprocessing_of(f"hf:{tmp_path}")
    assert isinstance(found, Preprocessing)
    assert found.mean[0] == pytest.approx(mean, abs=1e-9)
    if sides is not None:
        assert found.framing == Framing(*sides)


@pytest.mark.parametrize(
    "fields",
    [
        {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32},
        {"image_processor_type": "LevitImageProcessor"},
    ],
)
def test_a_processor_that_does_something_else_is_refused(fields: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    with pytest.raises(UsageError, match="does more than to resize, crop and normalise; wrap the network yourself"):
        preprocessing_of(f"hf:{tmp_path}")


def test_what_is_not_at_hand_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingData, match=r"no config\.json of 'someone/tiny' in .*; download them with .*--download"):
        from_hf("someone/tiny", pretrained=True)
    write(tmp_path / "bare", processor=None)
    with pytest.raises(MissingData, match="says nothing of its normalisation") as told:
        from_hf(str(tmp_path / "bare"))
    assert "\n" not in str(told.value)
    write(tmp_path / "backbone", whole=False)
    with pytest.raises(UsageError, match=r"holds no finished classifier: it lacks 'classifier\.(weight|bias)'"):
        from_hf(str(tmp_path / "backbone"), pretrained=True)
    (tmp_path / "backbone" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="transformers could not build"):
        from_hf(str(tmp_path / "backbone"))
    (tmp_path / "backbone" / "config.json").write_text('{"model_type": "no such"}')
    with pytest.raises(UsageError, match="transformers does not know the network of"):
        from_hf(str(tmp_path / "backbone"))


def test_code_of_a_repository_is_not_run(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "mine.py").write_text("raise SystemExit\n")
    said = json.loads((tmp_path / "config.json").read_text())
    auto = {"AutoConfig": "mine.Config", "AutoModelForImageClassification": "mine.Network"}
    (tmp_path / "config.json").write_text(json.dumps({**said, "model_type": "mine", "auto_map": auto}))
    with pytest.raises(UsageError, match="transformers does not know the network of"):
        from_hf(str(tmp_path), pretrained=True)


@pytest.mark.parametrize("shape", [(2, 16, 16), (3, 8, 8)])
def test_channels_and_sizes_are_checked(shape: tuple[int, int, int], tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadValue, match="cannot take images of shape"):
        build(f"hf:{tmp_path}", shape, 5)
