"""What random defences draw follows from the seed: not from the caller's generator, nor from an interruption."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from holdfast.attacks import FGSM
from holdfast.evaluation import Outcomes
from holdfast.experiments import Neighbours, Workplace, picture
from holdfast.experiments.neighbours_column import nearest
from holdfast.experiments.run_table import evaluate
from holdfast.training.loop import silent

from .made_up import NOISY, noisy


def twice(ask: Callable[[int], torch.Tensor]) -> None:
    """Ask under two states of the caller's generator, which have to stay and give the same."""
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(ask(seed))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)


def test_neighbours_of_a_random_network_are_those_of_the_seed(tmp_path: Path) -> None:
    network, data = noisy(8, 1)

    def ask(place: int) -> torch.Tensor:
        return nearest(Neighbours(3, layer="1.1"), network, data, data, 0, tmp_path / str(place), silent).logits

    twice(ask)


def test_pictures_of_a_random_network_are_those_of_the_seed() -> None:
    network, data = noisy(8, 1)

    def ask(place: int) -> torch.Tensor:
        shown = picture("FGSM", network.load(), FGSM(), data)
        return torch.cat([shown.attacked.flatten(), shown.after])

    twice(ask)


@pytest.mark.parametrize("column", ["clean", "neighbours"])
def test_an_interrupted_evaluation_of_a_random_network_ends_the_same(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.evaluation.SAVE_EVERY", -1.0)
    network, data = noisy(4, 1, count=600)

    def ask(folder: str, tell: Callable[[int, int, str], None]) -> Outcomes:
        if column == "clean":
            return evaluate(NOISY, network, None, 0, data, Workplace(tmp_path / folder), tell)
        return nearest(Neighbours(3, layer="1.1"), network, data, data, 0, tmp_path / folder, tell)

    def cut(done: int, total: int, words: str) -> None:
        if done == 500:  # the first batch is kept
            raise KeyboardInterrupt

    whole = ask("whole", silent)
    with pytest.raises(KeyboardInterrupt):
        ask("cut", cut)
    assert list((tmp_path / "cut").rglob("*.part"))
    assert torch.equal(ask("cut", silent).logits, whole.logits)
