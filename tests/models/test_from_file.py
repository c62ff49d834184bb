"""A network that a function in someone's file returns."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from holdfast.errors import UsageError
from holdfast.models import build, from_file
from holdfast.storage.behaviour import installed
from holdfast.storage.python_file import BESIDE

CODE = """
import torch
from neighbour import features

def network(outputs=3):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(features), torch.nn.Linear(features, outputs))
    model[1].eval()
    return model

def number():
    return 3

def fails():
    raise ZeroDivisionError("by zero")

text = "no function"
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "neighbour.py").write_text("features = 48\n")
    (tmp_path / "torn.py").write_text("def network(:\n")
    yield str(tmp_path / "mine.py")
    for name in ("neighbour", "holdfast_file_mine", "holdfast_file_torn"):
        sys.modules.pop(name, None)


def test_the_function_is_called(file: str) -> None:
    before = list(sys.path)
    assert from_file(f"{file}:network")(torch.rand(2, 3, 4, 4)).shape == (2, 3)
    assert sys.path == before


def test_build_passes_options_and_leaves_the_modes(file: str) -> None:
    model = build(f"{file}:network", (3, 4, 4), 5, outputs=5)
    assert [part.training for part in model.children()] == [True, False, True]


def test_each_file_has_its_own_neighbours(tmp_path: Path) -> None:
    answers = []
    for folder, sign in (("old", 1), ("new", -1), ("old", 1)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "beside_it.py").write_text(f"sign = {sign}\n")
        code = "import torch, beside_it\ndef network():\n    return torch.nn.Hardtanh(0.0, 2.0 + beside_it.sign)\n"
        (tmp_path / folder / "model.py").write_text(code)
        answers.append(from_file(f"{tmp_path / folder / 'model.py'}:network")(torch.full((1, 1), 9.0)).item())
    assert answers == [3.0, 1.0, 3.0]


def test_a_neighbour_of_its_own_name_stays(tmp_path: Path) -> None:
    (tmp_path / "a_neighbour.py").write_text("sign = 2\n")
    late = "import torch\nclass Late(torch.nn.Module):\n    def forward(self, x):\n        import a_neighbour\n"
    code = f"import a_neighbour\n{late}        return a_neighbour.sign * x\n"
    (tmp_path / "late.py").write_text(code)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "plain.py").write_text("import torch\nnetwork = torch.nn.Flatten\n")
    network = from_file(f"{tmp_path / 'late.py'}:Late")
    from_file(f"{tmp_path / 'other' / 'plain.py'}:network")
    assert network(torch.ones(1)).item() == 2
    assert BESIDE["a_neighbour"] == tmp_path
    assert all(installed(sys.modules[name]) for name in ("json", "torch.nn", "holdfast.training.run", "pytest"))


@pytest.mark.parametrize("line", ["import sys; sys.exit('no')", "raise ValueError('one\\ntwo')"])
def test_a_file_that_leaves_or_says_much_is_one_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text(f"def network():\n    {line}\n")
    with pytest.raises(UsageError, match="raised") as caught:
        from_file(f"{tmp_path / 'leaves.py'}:network")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("{file}", "a function in a file is named 'path/to/file.py:function'"),
        ("{file}:", "a function in a file is named"),
        ("{file}x:network", "there is no Python file"),
        ("{folder}/none.py:network", "there is no Python file .*none.py"),
        ("{file}:netwrk", "no function is called 'netwrk'; did you mean 'network'"),
        ("{file}:text", "no function is called 'text'"),
        ("{file}:number", "returned int, not a torch.nn.Module"),
        ("{file}:fails", "raised ZeroDivisionError: by zero"),
        ("{folder}/torn.py:network", "torn.py:network' raised SyntaxError"),
    ],
)
def test_mistakes_get_one_line(file: str, place: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        from_file(place.format(file=file, folder=Path(file).parent))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "classes", "words"),
    [
        ((3, 4, 4), 10, r"answers two images with shape \(2, 3\), not \(2, 10\)"),
        ((3, 8, 8), 3, r"cannot take images of shape \(3, 8, 8\)"),
    ],
)
def test_the_answer_is_checked(file: str, shape: tuple[int, int, int], classes: int, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        build(f"{file}:network", shape, classes)
    assert "\n" not in str(caught.value)
