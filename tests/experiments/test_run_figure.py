"""Figures: what names the results of their analyses on disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holdfast.analysis import Analysis, AttentionMaps, Embedding, NearestImages, PurifiedImages, SoftmaxArguments
from holdfast.attacks import FGSM
from holdfast.data import ImageSet
from holdfast.experiments import Defended, Figure, FigureResult, Study, Workplace, fill_figure
from holdfast.experiments.trained import Trained
from holdfast.training.run import Run

from .made_up import made_up, noisy

RENAMED = ("round", "edged", "named")


def filled(
    analysis: Analysis, model: nn.Module, data: ImageSet, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> FigureResult:
    """Return the figure of an analysis of this network on these images."""
    monkeypatch.setattr("holdfast.experiments.run_figure.made", lambda *given: Trained("network", lambda: model))
    monkeypatch.setattr("holdfast.experiments.run_figure.images_of", lambda *given: data)
    study = Study(Defended(Run(), ()), analysis)
    return fill_figure("f", Figure("F", {"panel": {"": study}}), "smoke", place)


def test_renamed_classes_are_renamed_in_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = made_up(8, 1)
    for classes in (data.classes, RENAMED):
        result = filled(PurifiedImages(FGSM()), model, replace(data, classes=classes), Workplace(tmp_path), monkeypatch)
        assert {tile.column for tile in result.results["panel"][""].pictures} == set(classes)


def test_results_without_names_of_classes_are_found_under_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = made_up(8, 1)
    for classes in (data.classes, RENAMED):
        filled(SoftmaxArguments(), model, replace(data, classes=classes), Workplace(tmp_path), monkeypatch)
    assert len(list((tmp_path / "analyses").iterdir())) == 1


def test_who_names_classes() -> None:
    naming = (AttentionMaps(), NearestImages(), PurifiedImages(), Embedding(clouds="class"))
    assert all(each.names_classes for each in naming)
    assert not any(each.names_classes for each in (Embedding(), SoftmaxArguments()))


def test_an_analysis_of_a_random_network_is_that_of_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = noisy(8, 1)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        place = Workplace(tmp_path / str(seed))
        found.append(filled(PurifiedImages(FGSM()), network.load(), data, place, monkeypatch).results)
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0] == found[1]
