"""Nearest neighbours as a column: as scikit-learn counts them, in closed form, kept, and shown in a table."""

from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.analysis.features import features
from holdfast.attacks import FGSM, PGD
from holdfast.data import CropFlip, ImageSet, load, made_up_images
from holdfast.errors import BadValue
from holdfast.experiments import Neighbours, Scale, Table, Workplace, fill_table, neighbours_column, read_results
from holdfast.experiments.images_of_run import images_of, training_images_of
from holdfast.experiments.neighbours_column import NearestVote, nearest, votes
from holdfast.experiments.stored_results import keep
from holdfast.experiments.table import scaled_column
from holdfast.experiments.trained import Trained
from holdfast.metrics import accuracy
from holdfast.report import text_table
from holdfast.storage.behaviour import network_fingerprint
from holdfast.training.loop import silent
from holdfast.training.run import Run

THREAT = Linf(0.05)
RUN = Run(data="made-up:1x8x8", epochs=1, limit=64, batch=16)


@pytest.fixture
def network() -> nn.Module:
    return models.build("digits-net", (1, 8, 8), 10).eval()


def given(model: nn.Module) -> Trained:
    """Return a network that is loaded already."""
    return Trained(network_fingerprint(model), lambda: model)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_the_votes_are_those_of_scikit_learn(network: nn.Module, k: int, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.neighbors")
    bank, data = load("digits", "train"), load("digits", "test")
    points, queries = (
        features(network, each.take(torch.arange(len(each))), "penultimate").double().numpy() for each in (bank, data)
    )
    judge = sklearn.KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(points, bank.labels.numpy())
    ours = nearest(Neighbours(k), given(network), data, bank, 0, tmp_path, silent)
    assert ours.logits.argmax(1).tolist() == judge.predict(queries).tolist()
    assert accuracy(ours) == pytest.approx(judge.score(queries, data.labels.numpy()))


def test_votes_in_closed_form() -> None:
    bank = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    labels = torch.tensor([2, 1, 1])
    point = torch.tensor([[0.8, 0.6]])
    assert votes(point, bank, labels, 1, 3).argmax(1).item() == 2
    assert votes(point, bank, labels, 3, 3).argmax(1).item() == 1
    # One vote each: the smallest label is first, and nothing is equal to it.
    tied = votes(point, bank, labels, 2, 3)[0]
    assert tied.argsort(descending=True).tolist() == [1, 2, 0]
    assert tied.round().tolist() == [0, 1, 1]


def test_length_decides_nothing_and_a_small_bank_votes_whole() -> None:
    images = torch.tensor([[0.9, 0.1], [0.01, 0.02], [0.2, 0.3]]).reshape(3, 1, 1, 2)
    bank = ImageSet(images, torch.tensor([0, 1, 1]), ("flat", "steep"))
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    query = torch.tensor([0.6, 0.5]).reshape(1, 1, 1, 2)
    assert NearestVote(model, "0", 1, bank)(query).argmax(1).item() == 1
    assert NearestVote(model, "0", 9, bank)(query).round().tolist() == [[1, 2]]


def test_attacked_images_are_made_against_the_network_and_nobody_looks_twice(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, data = (made_up_images((1, 8, 8), split) for split in ("train", "test"))
    column = Neighbours(5, FGSM(THREAT))
    found = nearest(column, given(network), data, bank, 0, tmp_path, silent)
    moved = FGSM(THREAT)(network, data.take(torch.arange(len(data))), data.labels)
    alone = NearestVote(network, "penultimate", 5, bank)(moved)
    assert torch.equal(found.logits, alone)
    assert found.distance.max() == pytest.approx(THREAT.eps, abs=1e-6)
    monkeypatch.setattr(neighbours_column, "computed", None)
    assert torch.equal(nearest(column, given(network), data, bank, 0, tmp_path, silent).logits, found.logits)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]
    with pytest.raises(TypeError):  # other training images, another answer
        nearest(column, given(network), data, bank.subset(torch.arange(50)), 0, tmp_path, silent)


def test_a_table_holds_neighbours_beside_attacks(tmp_path: Path) -> None:
    columns = {"PGD": PGD(THREAT, steps=2), "5-NN": Neighbours(5), "5-NN, PGD": Neighbours(5, PGD(THREAT, steps=2))}
    table = Table("t", {"Vanilla": RUN}, columns, seeds=(0, 1), test_limit=30, worst=("PGD", "5-NN, PGD"))
    result = fill_table("t", table, "smoke", Workplace(tmp_path))
    row = result.values["Vanilla"]
    assert all(len(values) == 2 for values in row.values())
    assert all(worst <= min(ends) for worst, *ends in zip(row["worst case"], row["PGD"], row["5-NN, PGD"], strict=True))
    notes = " ".join(text_table(result).below)
    assert "5-NN, PGD: each of the 5 nearest training images has a vote" in notes
    keep(result, tmp_path, "t")
    assert read_results(tmp_path) == [result]


def test_the_bank_is_what_the_run_trains_on_centered_and_not_augmented(tmp_path: Path) -> None:
    run = Run(data="made-up:1x8x8", limit=20, held_out=4, augment=CropFlip(pad=1, size=6))
    bank, test_set = training_images_of(run, Workplace(tmp_path)), images_of(run, 5, Workplace(tmp_path))
    whole = load("made-up:1x8x8", "train", limit=20).split(4, run.seed)[0]
    assert torch.equal(bank.images, whole.images[:, :, 1:7, 1:7])
    assert bank.shape == test_set.shape == (1, 6, 6)


def test_a_scale_shortens_the_attack_and_a_vote_needs_a_voter() -> None:
    assert scaled_column(Neighbours(5, PGD(THREAT, steps=20)), Scale(test_steps=2)) == Neighbours(
        5, PGD(THREAT, steps=2)
    )
    with pytest.raises(BadValue, match="k = 0"):
        Neighbours(0)
