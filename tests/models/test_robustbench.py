"""Networks of RobustBench by name: each is read as it computes, and stands beside what was published of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_1

from holdfast.cli.resolve import Sources, resolved
from holdfast.data import Framing
from holdfast.errors import MissingData, UnknownName, UsageError
from holdfast.models import Preprocessing, architecture_of, from_robustbench, preprocessing_of, robustbench
from holdfast.models.normalized import NORMALIZATIONS, PRESETS
from holdfast.models.robustbench import published_of
from holdfast.models.robustbench_entries import ENTRIES
from tests.models import public_forms as forms

TRADES = "cifar10/Linf/Zhang2019Theoretically"


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_one_that_can_be_built(name: str) -> None:
    entry = ENTRIES[name]
    data, threat, _ = name.split("/")
    library, colon, inside = entry.model.partition(":")
    if colon:
        known = pytest.importorskip(f"{library}.models").list_models()
        assert inside in known
        assert not entry.options
    else:
        architecture = architecture_of(entry.model)
        assert architecture is not None
        assert set(entry.options) <= set(architecture.options)
    assert (entry.framing is None) == (data != "imagenet")
    assert entry.normalize in {**PRESETS, **NORMALIZATIONS}
    assert 100 > entry.clean > entry.autoattack >= (entry.lower or 0) >= 0
    assert data in robustbench.CLASSES
    assert threat in published_of(name)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep a tiny network in the place of TRADES', and say so in the table."""
    monkeypatch.setattr(forms, "CLASSES", 10)
    monkeypatch.setitem(ENTRIES, TRADES, replace(ENTRIES[TRADES], model="wrn-10-1"))
    path = tmp_path / "models" / f"{TRADES}.pt"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": {f"module.{name}": each for name, each in forms.TRADES.state().items()}}, path)
    return tmp_path


def test_it_is_read_from_its_place_beside_what_was_published(kept: Path) -> None:
    images, state = torch.rand(2, 3, 32, 32), torch.load(kept / "models" / f"{TRADES}.pt")["state_dict"]
    wanted = forms.TRADES({name.removeprefix("module."): each for name, each in state.items()}, images)
    found = from_robustbench(TRADES, kept / "models")
    torch.testing.assert_close(found.model(images), wanted, rtol=1e-3, atol=1e-4)
    named = resolved(Sources(data="made-up:3x32x32", limit=2, data_root=kept), [f"robustbench:{TRADES}"])[0]
    torch.testing.assert_close(named.model(images), wanted, rtol=1e-3, atol=1e-4)
    assert named.published == "clean 84.92 %, AutoAttack 53.08 %, Linf 0.031 (RobustBench)"
    assert "normalis" in (named.assumed or "")


IMAGENET = "imagenet/Linf/Chen2024Data_WRN_50_2"


def test_a_network_of_imagenet_is_read_in_its_library_s_names_and_gets_pictures_framed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(ENTRIES[IMAGENET], model="torchvision:squeezenet1_1", framing=Framing(80, 64))
    monkeypatch.setitem(ENTRIES, IMAGENET, small)
    network, path = squeezenet1_1().eval(), tmp_path / "models" / f"{IMAGENET}.pt"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": {f"module.model.{name}": each for name, each in network.state_dict().items()}}, path)
    for number in range(2):
        (tmp_path / "val" / str(number)).mkdir(parents=True)
        Image.new("RGB", (90 + number, 85), (60, 120, 200)).save(tmp_path / "val" / str(number) / "a.png")
    (tmp_path / "wnids.txt").write_text(" ".join(map(str, range(1000))))
    sources = Sources(data=f"imagefolder:{tmp_path}", data_root=tmp_path)
    named = resolved(sources, [f"robustbench:{IMAGENET}"])[0]
    assert named.data.framed == "resized to shorter side 80 (bilinear), cropped to the middle 64 x 64"
    images = named.data.take([0, 1])
    torch.testing.assert_close(named.model(images), network(images))
    published = "clean 68.76 %, AutoAttack 40.60 %, Linf 4/255 (RobustBench, on 5,000 images of its own)"
    assert named.published == published
    with pytest.raises(UsageError, match="--data imagefolder:PATH names their folder"):
        resolved(Sources(), [f"robustbench:{IMAGENET}"])


def test_its_normalisation_is_inside_and_its_framing_known() -> None:
    found = preprocessing_of("robustbench:imagenet/Linf/Wong2020Fast")
    assert found == Preprocessing(Framing(crop=288), *PRESETS["imagenet"])
    assert preprocessing_of(f"robustbench:{IMAGENET}") == Preprocessing(Framing(256, 224))
    assert preprocessing_of(f"robustbench:{TRADES}") is None


def test_what_is_missing_or_unknown_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"is not at .*models/cifar10/Linf/Standard\.pt: put its file there"):
        from_robustbench("cifar10/Linf/Standard", tmp_path / "models")
    with pytest.raises(UnknownName, match=r"in our table is called 'cifar10/Linf/Standart'; did you mean '.*Standard'"):
        from_robustbench("cifar10/Linf/Standart")
    assert "65.87 % by a stronger attack" in published_of("cifar10/Linf/Gowal2020Uncovering_70_16_extra")
