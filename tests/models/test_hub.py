"""Networks of Hugging Face's hub in timm's form: from the cache, from a folder, and downloaded only when asked."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import load_file

from holdfast.data import Framing
from holdfast.errors import MissingData, UnknownName, UsageError
from holdfast.models import Preprocessing, build, from_timm, preprocessing_of
from holdfast.models.hub import hub_file

NAME = "someone/tiny"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the hub's cache at a folder with one repository, in timm's form, and let nobody download."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    network = timm.create_model("test_resnet", num_classes=5, in_chans=1)
    config = {"input_size": [1, 96, 96], "crop_pct": 0.75, "interpolation": "bilinear", "mean": [0.25], "std": [0.5]}
    folder = repository / "snapshots" / ("0" * 40)
    timm.models.save_for_hf(
        network, str(folder), {"pretrained_cfg": config, "num_classes": 5}, {"in_chans": 1}, safe_serialization=True
    )
    return folder


def refuse(*given: object, **named: object) -> None:
    raise OSError("no network\nat all")


def test_it_comes_from_the_cache(cache: Path) -> None:
    images = torch.rand(2, 1, 32, 32)
    for name in (f"hf-hub:{NAME}", f"hf_hub:{NAME}@main", f"local-dir:{cache}"):
        model = from_timm(name, pretrained=True).eval()
        assert model(images).shape == (2, 5)
        assert model.normalized.mean.tolist() == [[[[0.25]]]]
    weights = build(f"timm:hf-hub:{NAME}", (1, 32, 32), 5, pretrained=True).state_dict()
    kept = load_file(cache / "model.safetensors")
    assert all(torch.equal(weights[f"network.{word}"], tensor) for word, tensor in kept.items())
    assert build(f"timm:hf-hub:{NAME}", (1, 32, 32), 3).state_dict()["network.fc.weight"].shape[0] == 3
    assert preprocessing_of(f"timm:hf-hub:{NAME}") == Preprocessing(Framing(128, 96, "bilinear"), (0.25,), (0.5,))


def test_an_old_configuration_is_one_flat_dict(cache: Path) -> None:
    said = json.loads((cache / "config.json").read_text())
    flat = {**said["pretrained_cfg"], "architecture": "test_resnet", "num_classes": 5, "labels": ["a"], "url": "x"}
    (cache / "config.json").write_text(json.dumps({**flat, "mean": [0.1] * 3, "std": [0.2] * 3}))
    model = from_timm(f"hf-hub:{NAME}")
    assert model.normalized.std.flatten().tolist() == pytest.approx([0.2] * 3)
    assert model.network.num_classes == 5


def test_what_is_missing_is_one_line_and_nothing_is_downloaded_unless_asked(cache: Path) -> None:
    with pytest.raises(MissingData, match=r"no config\.json of 'someone/other' in .*--download"):
        from_timm("hf-hub:someone/other")
    with pytest.raises(MissingData, match=r"could not download config\.json of 'someone/other': no network$"):
        from_timm("hf-hub:someone/other", download=True)
    with pytest.raises(MissingData, match=r"no config\.json of 'someone/other'"):
        preprocessing_of("timm:hf-hub:someone/other")
    with pytest.raises(MissingData, match="'a/b/c' is no repository of the hub"):
        from_timm("hf-hub:a/b/c")
    (cache / "model.safetensors").unlink()
    with pytest.raises(MissingData, match=r"no model\.safetensors and no pytorch_model\.bin"):
        from_timm(f"hf-hub:{NAME}", pretrained=True)
    assert from_timm(f"hf-hub:{NAME}", classes=7).network.num_classes == 7


def test_another_s_configuration_is_refused_with_the_door_it_belongs_to(cache: Path) -> None:
    for text in ('{"model_type": "vit"}', "[]", "{"):
        (cache / "config.json").write_text(text)
        with pytest.raises(UsageError, match="not timm's, which names an architecture; try hf:someone/tiny"):
            from_timm(f"hf-hub:{NAME}")
    (cache / "config.json").write_text('{"architecture": "test_resnett", "pretrained_cfg": {}}')
    with pytest.raises(UnknownName, match="did you mean 'test_resnet'"):
        from_timm(f"hf-hub:{NAME}")


def test_a_tag_is_one_that_the_architecture_has() -> None:
    with pytest.raises(UnknownName, match=r"'test_resnet.r161_in1k'; did you mean 'test_resnet.r160_in1k'"):
        from_timm("test_resnet.r161_in1k")
    assert from_timm("test_resnet.r160_in1k", classes=3).network.num_classes == 3


def test_a_download_asks_for_the_files_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import EntryNotFoundError

    asked = []

    def fetched(name: str, file: str, revision: str | None = None) -> str:
        asked.append((name, file, revision))
        if file == "first":
            raise EntryNotFoundError("404")
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetched)
    assert hub_file("someone/tiny@v1", "first", "second", download=True) == tmp_path / "second"
    assert asked == [("someone/tiny", "first", "v1"), ("someone/tiny", "second", "v1")]
    with pytest.raises(MissingData, match="could not download first of 'someone/tiny': 404"):
        hub_file("someone/tiny", "first", download=True)
