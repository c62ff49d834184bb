"""Images that a function of a person's own file gives: "FILE.py:FUNCTION"."""

import os
from pathlib import Path

import pytest
import torch

from holdfast.data import load
from holdfast.data.stamp import stamp
from holdfast.errors import BadImages, HoldfastError, UnknownName, UsageError

TEXT = """
import torch
from torch.utils.data import DataLoader, TensorDataset

Y = torch.arange(6) % 3

def pairs(split):
    return [(torch.full((6, 1, 2, 2), 0.2 if split == "train" else 0.4), Y)]

def tested():
    return DataLoader(TensorDataset(torch.zeros(6, 1, 2, 2), Y), batch_size=4)

def shuffled():
    return DataLoader(TensorDataset(torch.rand(6, 1, 2, 2), Y), batch_size=4, shuffle=True)

def broken(split):
    raise KeyError("no such file")

def number(split):
    return 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(TEXT)
    return tmp_path / "mine.py"


def test_a_function_gives_the_split_that_it_is_asked_for(file: Path) -> None:
    for split, byte in (("train", 51), ("test", 102)):
        found = load(f"{file}:pairs", split)
        assert (found.images.unique().tolist(), len(found), found.classes) == ([byte], 6, ("0", "1", "2"))
    assert len(load(f"{file}:pairs", "test", limit=4)) == 4


def test_a_function_without_an_argument_gives_test_images(file: Path) -> None:
    assert torch.equal(load(f"{file}:tested", "test").images, torch.zeros(6, 1, 2, 2, dtype=torch.uint8))
    with pytest.raises(UsageError, match="tested' takes no argument, and so gives test images"):
        load(f"{file}:tested", "train")


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("shuffled", BadImages, "the data shuffle"),
        ("broken", UsageError, "broken' raised KeyError: 'no such file'"),
        ("number", BadImages, "the data are 3; give a Dataset"),
        ("pair", UnknownName, r"no function is called 'pair'; did you mean 'pairs'\?"),
    ],
)
def test_what_goes_wrong_is_one_line(function: str, kind: type[HoldfastError], words: str, file: Path) -> None:
    with pytest.raises(kind, match=words):
        load(f"{file}:{function}", "test")
    with pytest.raises(UsageError, match=r"there is no Python file .*none\.py"):
        load(f"{file.with_name('none.py')}:{function}", "test")


def test_a_changed_file_is_noticed(file: Path) -> None:
    before = stamp(f"{file}:pairs")
    os.utime(file, (0, 0))
    assert stamp(f"{file}:pairs") not in (0, before)
