"""`--answers` and `--probabilities`: networks of others that return more than logits, or probabilities."""

from pathlib import Path

import pytest
import torch

from holdfast.cli.resolve import Sources, resolved
from holdfast.errors import UsageError
from tests.cli.saying import said

CODE = """
import torch
from torch import nn

class Returning(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.way, self.last = way, nn.Linear(64, 10)
    def forward(self, x):
        return self.way(x, self.last(x.flatten(1)))

def plain():
    return Returning(lambda x, z: z)

def of_dict():
    return Returning(lambda x, z: {"aux": x, "out": z})

def of_tuple():
    return Returning(lambda x, z: (z, x))

def sure():
    return Returning(lambda x, z: (x, z.softmax(1)))
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "returning.py").write_text(CODE)
    return str(tmp_path / "returning.py")


def answer(name: str, given: Sources) -> torch.Tensor:
    named = resolved(given, [name])[0]
    return named.model(named.data.take(torch.arange(len(named.data))))


def test_the_part_that_is_told_is_taken(mine: str) -> None:
    plain = answer(f"{mine}:plain", Sources(limit=5))
    assert torch.equal(answer(f"{mine}:of_dict", Sources(limit=5, answers="out")), plain)
    assert torch.equal(answer(f"{mine}:of_tuple", Sources(limit=5, answers="0")), plain)
    logarithms = answer(f"{mine}:sure", Sources(limit=5, answers="1", probabilities=True))
    torch.testing.assert_close(logarithms, plain.log_softmax(1))


def test_who_says_nothing_is_told_what_to_say(mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "audit", f"{mine}:of_dict", "--limit", "5")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "returns a dict of 'aux' and 'out': say which are the logits" in err
    assert "--answers out" in err


def test_it_is_said_of_networks_of_others(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"--answers and --probabilities: none of net\.safetensors is FILE.onnx, timm:NAME"
    ):
        resolved(Sources(limit=5, answers="out"), ["net.safetensors"])
