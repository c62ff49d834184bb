"""Files of weights on a command line: what must be said of them is asked for, with what each choice is worth."""

from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast.cli.resolve import Named, Sources, resolved
from holdfast.cli.saved import Saved
from holdfast.errors import HoldfastError, UsageError
from holdfast.models import build
from tests.cli.saying import said

THEIRS = {"block1.0": "0", "block2.0": "2", "hidden.1": "5", "linear": "7"}


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return build("wong-kolter", (1, 8, 8), 10, width=2).eval()


@pytest.fixture
def path(net: nn.Module, tmp_path: Path) -> Path:
    own = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith("normalized.")}
    renamed = {f"module.{THEIRS[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": own[name] for name in own}
    torch.save({"ema": renamed, "net": {name: tensor * 2 for name, tensor in renamed.items()}}, tmp_path / "net.pt")
    return tmp_path / "net.pt"


def found(path: Path, **options: object) -> Named:
    saved = Saved(**{"model": "wong-kolter"} | options)
    return resolved(Sources(data="digits", limit=40, saved=saved), [str(path)])[0]


def test_what_is_open_is_asked_for_with_the_accuracy_of_each_choice(path: Path) -> None:
    with pytest.raises(UsageError) as asked:
        found(path)
    words = str(asked.value)
    assert "does not say the normalisation of its network: choose; of some images it gets right" in words
    assert "% with --option normalize=none" in words
    assert "% with --option normalize=symmetric" in words
    assert "\n" not in words


def test_what_is_said_is_used_and_reported(path: Path, net: nn.Module) -> None:
    named = found(path, option=("normalize=none",))
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(named.model(images), net(images))
    assert named.assumed is not None
    assert "weights under 'ema' (also there: net)" in named.assumed
    assert "images are normalised by mean 0 and std 1" in named.assumed
    other = found(path, option=("normalize=none",), key="net")
    assert not torch.equal(other.model(images), net(images))
    assert torch.equal(found(path, mean=(0.0,), std=(1.0,)).model(images), net(images))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"option": ("normalize",)}, "write OPTION=VALUE"),
        ({"option": ("normalize=non",)}, "did you mean 'none'"),
        ({"option": ("normalize=none", "shortcut=raw")}, "no option of 'wong-kolter' is called 'shortcut'"),
        ({"option": ("normalize=none",), "key": "emma"}, "did you mean 'ema'"),
        ({"option": ("normalize=none",), "mean": (0.0,), "std": (1.0,)}, "leave mean and std out"),
        ({"model": None}, "say of which network with --model; its names are those of wong-kolter"),
        ({"model": "resnet-18"}, "its names are those of wong-kolter"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(options: dict[str, object], words: str, path: Path) -> None:
    with pytest.raises(HoldfastError, match=words) as mistake:
        found(path, **options)
    assert "\n" not in str(mistake.value)


def test_options_of_files_need_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (("--key", "ema"), ("--option", "shortcut=raw"), ("--trust-pickle",)):
        status, _, err = said(capsys, "audit", "timm:resnet18", *option)
        assert (status, err.count("\n")) == (2, 1)
        assert f"{option[0]}: none of timm:resnet18 is a file of weights" in err
