"""One definition of a right answer, and everything that counts right answers follows it: a tie is wrong."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import holdfast
from holdfast import AutoAttack, ImageSet, Linf, audit
from holdfast.analysis.one_step import SoftmaxArguments
from holdfast.analysis.saturation import error
from holdfast.attacks import FGSM
from holdfast.attacks.attack import succeeded
from holdfast.cli.attacked_files import write_attacked
from holdfast.experiments import picture
from holdfast.methods import Guarded, Memory
from holdfast.objectives import Towards, cross_entropy, difference, is_correct, margin, undetected
from holdfast.training.epoch import measure
from holdfast.training.run import Run
from holdfast.training.state import State

INF, NAN = torch.inf, torch.nan


def test_a_label_is_right_only_where_it_is_the_highest() -> None:
    logits = torch.tensor([[2.0, 1, 0], [1, 1, 0], [0, 1, 2], [NAN, 0, 0], [1, NAN, 0], [-INF, -INF, -INF]])
    labels = torch.zeros(6, dtype=torch.int64)
    assert is_correct(logits, labels).tolist() == [True, False, False, False, False, False]
    assert is_correct(logits, labels, top=2).tolist() == [True, True, False, False, True, False]
    assert is_correct(logits[:0], labels[:0]).tolist() == []


def test_the_attacker_wins_at_a_tie_and_reaches_no_class_there() -> None:
    tied, labels = torch.zeros(2, 3), torch.tensor([0, 1])
    assert succeeded(margin, tied, labels).tolist() == [True, True]
    assert succeeded(Towards(cross_entropy), tied, labels).tolist() == [False, False]
    assert succeeded(difference, tied, torch.tensor([[0, 1], [1, 2]])).tolist() == [True, True]


def test_a_detected_image_is_no_success() -> None:
    outputs = torch.tensor([[0.0, 1.0, -0.5], [0.0, 1.0, 0.5], [1.0, 0.0, -0.5], [1.0, 1.0, 0.0]])
    assert succeeded(undetected, outputs, torch.zeros(4, dtype=torch.int64)).tolist() == [True, False, False, True]


class Tied(nn.Module):
    """A network that finds all classes equally likely, whatever it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(16, 3))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


DATA = ImageSet(torch.rand(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64), ("a", "b", "c"))
FAST = FGSM(Linf(0.1))


def exported(tmp_path: Path) -> float:
    said = write_attacked(Tied(), Tied(), FAST, DATA, tmp_path / "x.npz", 8, lambda done, total, words: None)
    return float(re.findall(r"([0-9.]+)%", said)[0])


def watched(tmp_path: Path) -> float:
    guarded, network = Guarded(probe=FAST), Tied()
    memory = Memory(
        held=Tied(), images=DATA.images, labels=DATA.labels, best=torch.zeros(()), error=torch.ones(()),
    )  # fmt: skip
    guarded.look(network, memory)
    return 1 - float(memory.error)


COUNTS: dict[str, Callable[[Path], float]] = {
    "export": exported,
    "guard": watched,
    "selection of an epoch": lambda folder: max(
        measure(Run(batch=8, held_out=8, select=FAST), State(Tied(), Memory(), {}, {}), DATA).values()
    ),
    "AutoAttack": lambda folder: AutoAttack(Tied(), verbose=False).clean_accuracy(DATA.images, DATA.labels),
    "audit": lambda folder: audit(Tied(), DATA.images, DATA.labels, Linf(0.1), "fast").clean_accuracy,
    "saturation": lambda folder: 1 - error(Tied(), DATA, None),
    "one step": lambda folder: SoftmaxArguments(eps=(0.0, 1.0))(Tied(), DATA, 0).numbers["lowest accuracy on the line"],
    "pictures": lambda folder: float(len(picture("", Tied(), FAST, DATA).images)),
}


@pytest.mark.parametrize("where", COUNTS)
def test_a_tie_is_wrong_everywhere(where: str, tmp_path: Path) -> None:
    assert COUNTS[where](tmp_path) == 0


def compares_an_argmax(path: Path) -> list[int]:
    """Return the lines where an argmax is compared with something: a definition of right of one's own."""
    compared = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Compare)]
    return [
        node.lineno for node in compared
        if any(isinstance(part, ast.Attribute) and part.attr == "argmax" for part in ast.walk(node))
    ]  # fmt: skip


def test_nobody_defines_right_anew() -> None:
    root = Path(holdfast.__file__).parent
    found = {path.name: lines for path in root.rglob("*.py") if (lines := compares_an_argmax(path))}
    assert not found, "is_correct says who is right"
