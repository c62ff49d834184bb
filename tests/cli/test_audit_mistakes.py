"""One line for every mistake in `holdfast audit`, and for a network that cannot be judged; nothing is written."""

from pathlib import Path

import pytest

from holdfast import Run
from holdfast.models import build
from holdfast.storage.signed import write_json, write_tensors
from tests.cli.saying import said
from tests.cli.test_audit import HERE, LINEAR, QUICK

MISTAKES = [
    ((), "one network or two"),
    (("{linear}", "{linear}", "{linear}"), "one network or two"),
    (("--limit", "3"), "one network or two"),
    (("{tmp}/nowhere",), "no run's folder"),
    (("{tmp}/tiny.py:linear",), "there is no Python file"),
    (("{here}/tiny.py:lineer",), "did you mean 'linear'"),
    (("{tmp}/raises.py:network",), "raised ZeroDivisionError"),
    (("{tmp}/raises.py:number",), "not a torch.nn.Module"),
    (("{tmp}/weights.pt",), "is no file of weights"),
    (("{tmp}/lenet.safetensors",), "--model"),
    (("{tmp}/lenet.safetensors", "--model", "digits-net"), "weights of another network"),
    (("{tmp}/lenet.safetensors", "--model", "lennet"), "did you mean 'lenet'"),
    (("{tmp}/none.safetensors", "--model", "lenet"), "is missing"),
    (("{tmp}/torn.safetensors", "--model", "lenet"), "is damaged"),
    (("timm:restnet18", "--data", "made-up:3x32x32"), "no timm model is called"),
    (("torchvision:resnet81", "--data", "made-up:3x32x32"), "no torchvision model is called"),
    (("{run}",), "is not finished: train it again"),
    (("{linear}", "--data", "digit"), "did you mean 'digits'"),
    (("{linear}", "--data", "made-up:3x8x8"), "cannot take images of shape (3, 8, 8)"),
    (("{linear}", "--data", "mnist", "--data-root", "{tmp}/none"), "--data-root"),
    (("{linear}", "--data", "folder:{tmp}/none"), "there is nothing at {tmp}/none"),
    (("{linear}", "--data", "imagefolder:{tmp}/none"), "there is no folder {tmp}/none"),
    (("{linear}", "--data", "{tmp}/raises.py:numbr"), "did you mean 'number'"),
    (("robustbench:cifar10/Linf/Standart",), "did you mean 'cifar10/Linf/Standard'"),
    (("robustbench:imagenet/Linf/Salman2020Do_R18",), "--data imagefolder:PATH names their folder"),
    (("{linear}", "--limit", "0"), "limit = 0"),
    (("{linear}", "--limit", "few"), "--limit"),
    (("{linear}", "--effort", "standrad"), "did you mean 'standard'"),
    (("{linear}", "--threat.norm", "l3"), "no norm is called 'l3'"),
    (("{linear}", "--norm", "l3"), "no norm is called 'l3'"),
    (("{linear}", "--threat.eps", "8"), "did you mean 8/255?"),
    (("{linear}", "--threat.eps", "-1"), "not 0 or more"),
    (("{linear}", "--threat.eps", "much"), "--threat.eps"),
    (("{linear}", "--require", "45"), "require = 45.0: a share is from 0 to 1"),
    (("{linear}", "--batch", "0"), "batch = 0"),
    (("{linear}", "--device", "gpu"), "device 'gpu' cannot be used here"),
    (("{linear}", "--efort", "fast"), "--effort"),
    (("{linear}", "{tmp}/nowhere"), "no run's folder"),
    (("{linear}", "{tmp}/lenet.safetensors"), "--model"),
    (("{linear}", "--folder", "{tmp}/weights.pt"), "weights.pt"),
]


@pytest.mark.parametrize(("words", "answer"), MISTAKES, ids=lambda value: " ".join(value) or "nothing")
def test_a_mistake_is_one_line_and_status_2(
    words: tuple[str, ...],
    answer: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tensors(tmp_path / "lenet.safetensors", build("lenet", (1, 8, 8), 10).state_dict())
    (tmp_path / "torn.safetensors").write_bytes(b"nothing")
    (tmp_path / "weights.pt").write_bytes(b"x")
    (tmp_path / "raises.py").write_text("def network():\n    return 1 / 0\n\n\ndef number():\n    return 1\n")
    write_json(tmp_path / "run" / "run.json", Run())
    filled = [word.format(tmp=tmp_path, here=HERE, linear=LINEAR, run=tmp_path / "run") for word in words]
    status, out, err = said(capsys, "audit", *filled)
    assert status == 2
    assert answer.format(tmp=tmp_path) in err
    assert out == ""
    assert len([line for line in err.splitlines() if line.startswith("holdfast: ")]) == 1
    assert not list(tmp_path.rglob("report.*"))


def test_a_network_that_answers_nan_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "from torch import nn\nclass Nan(nn.Module):\n    def forward(self, x):\n        "
    (tmp_path / "nan.py").write_text(text + "return x.flatten(1)[:, :10] * float('nan')\n")
    status, _, err = said(capsys, "audit", f"{tmp_path / 'nan.py'}:Nan", *QUICK, "--folder", tmp_path / "a")
    assert status == 2
    assert "NaN" in err.splitlines()[-1]
