"""`holdfast audit NETWORK --threat corruptions`: its table, page, JSON and status, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.saying import said

TEXT = """
import torch
from torch import nn

class Reds(nn.Module):
    def forward(self, images):
        # Class 0 in the dark, else class 1.
        light = images.mean((1, 2, 3)) - 0.5
        return torch.cat([torch.stack([-light, light], 1), torch.full((len(images), 8), -9.0)], 1)

    def get_extra_state(self):
        return {"no": "tensor"}

def network():
    return Reds()
"""


@pytest.fixture
def words(tmp_path: Path) -> tuple[object, ...]:
    """Return the words of an audit of images that are all of class 0, and lighter the more severe the corruption is."""
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    levels = np.repeat(np.array([20, 50, 80, 150, 200], np.uint8), 3)[:, None, None, None]
    np.save(folder / "fog.npy", np.broadcast_to(levels, (15, 32, 32, 3)))
    np.save(folder / "snow.npy", np.broadcast_to(levels // 2, (15, 32, 32, 3)))
    np.save(folder / "spatter.npy", np.broadcast_to(levels, (15, 32, 32, 3)))
    np.save(folder / "labels.npy", np.zeros(15, np.uint8))
    (tmp_path / "net.py").write_text(TEXT)
    where = ("--data", "cifar10-c", "--data-root", tmp_path, "--folder", tmp_path / "out")
    return ("audit", f"{tmp_path / 'net.py'}:network", "--threat", "corruptions", *where)


def test_the_accuracy_by_corruption_and_severity_is_told_and_written(
    words: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(capsys, *words, "--severities", 1, 3, 5, "--require", 0.9)
    assert status == 3, err
    assert "mean accuracy 83.33% over 2 corruptions (13 of the usual fifteen are missing)" in out
    assert "no mCE: no baseline was named" in out
    assert "spatter" not in out
    assert "mean accuracy 83.33%, lower than the required 90.00%" in err
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["accuracy"] == {"snow": [1, 1, 1], "fog": [1, 1, 0]}
    assert (found["severities"], found["count"], found["mce"]) == ([1, 3, 5], 3, None)
    assert found["command"].startswith("holdfast audit ")
    assert "--threat corruptions" in found["command"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "83.33 %" in page
    assert found["command"] in page


def test_corruptions_are_chosen_and_json_is_one_object(
    words: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--corruptions", "spatter", "fog", "--limit", 2, "--baseline", "alexnet", "--json")
    status, out, _ = said(capsys, *words, *chosen)
    found = json.loads(out)
    assert (status, found["accuracy"]) == (0, {"spatter": [1, 1, 1, 0, 0], "fog": [1, 1, 1, 0, 0]})
    assert found["mean_over"] == ["fog"]
    assert (found["count"], found["mce"]) == (2, None)
    assert found["without_mce"] == "the baseline alexnet is of imagenet-c, not of cifar10-c"


def test_a_file_of_options_names_the_threat(
    words: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"threat": "corruptions", "severities": [1, 3, 5], "batch": 4}
    (tmp_path / "options.json").write_text(json.dumps(options))
    status, out, err = said(capsys, *words[:2], *words[4:], "--config", tmp_path / "options.json", "--json")
    assert (status, json.loads(out)["severities"]) == (0, [1, 3, 5]), err
    typed = (*words, "--config", tmp_path / "options.json", "--severities", 1, "--json")
    assert json.loads(said(capsys, *typed)[1])["severities"] == [1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("--severities", 0), "--severities 0: give some of 1 to 5, each once"),
        (("--severities", 2, 2), "--severities 2 2: give some of 1 to 5, each once"),
        (("--data", "cifar10"), "--data cifar10: corruptions are of cifar10-c, cifar100-c"),
        (("--corruptions", "frog"), "no corruption of cifar10-c is called 'frog'; did you mean 'fog'?"),
        (("--baseline", "resnet"), "no baseline is called 'resnet'; did you mean 'alexnet'?"),
        (("--require", 2), "require = 2.0: a share is from 0 to 1"),
        (("--effort", "fast"), "--effort"),
        (("--data-root", "nowhere"), "the files of cifar10-c are missing in nowhere/CIFAR-10-C"),
        (("--batch", 0), "batch = 0"),
    ],
)
def test_mistakes_are_one_line(
    changed: tuple[object, ...], message: str, words: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = said(capsys, *words, *changed)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_another_threat_is_named_by_its_norm(words: tuple[object, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "audit", "a", "--threat", "Linf")
    assert (status, "--threat Linf: corruptions is one; a ball is named by --norm and --threat.eps" in err) == (2, True)
    status, _, err = said(capsys, *words[:2], "b", *words[2:])
    assert (status, "takes one network, not 2" in err) == (2, True)
