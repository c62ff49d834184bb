"""Accuracy under corruptions: its means, and an mCE only against a baseline that fits."""

import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import holdfast as hf
from holdfast.auditing.corruption_baselines import BASELINES
from holdfast.data.corrupted import MAIN, SEVERITIES
from holdfast.errors import BadImages, UnknownName


def flags(share: float, severities: int = 5, count: int = 20) -> torch.Tensor:
    return (torch.arange(count) < share * count).expand(severities, count)


WHOLE = hf.CorruptionReport("imagenet-c", SEVERITIES, {name: flags(0.25) for name in MAIN}, "alexnet")


@pytest.mark.parametrize("right", [3, 29, 58, 70])
def test_means_are_the_shares_that_a_person_types(right: int) -> None:
    some = (torch.arange(100) < right).expand(5, 100)
    report = replace(WHOLE, right=dict.fromkeys(MAIN, some))
    assert report.mean_accuracy == report.accuracy_at(3) == report.accuracy("fog") == right / 100


def test_the_mce_divides_each_error_by_the_baseline_s_of_that_name() -> None:
    alexnet = BASELINES["alexnet"].errors
    assert set(alexnet) == set(MAIN)
    wanted = statistics.fmean(0.75 / alexnet[name] for name in MAIN)
    assert WHOLE.mce == pytest.approx(wanted)
    other_order = replace(WHOLE, right=dict(reversed(WHOLE.right.items())) | {"spatter": flags(0.0)})
    assert other_order.mce == pytest.approx(wanted)
    assert WHOLE.corruption_error("fog") == pytest.approx(0.75 / 0.819324)
    assert other_order.corruption_error("spatter") is None


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(WHOLE, baseline=None), "no baseline was named"),
        (replace(WHOLE, data="cifar10-c"), "the baseline alexnet is of imagenet-c, not of cifar10-c"),
        (replace(WHOLE, severities=(1, 3), right={name: flags(0.2, 2) for name in MAIN}), "1 to 5, not 1, 3"),
        (replace(WHOLE, right={name: flags(0.2) for name in MAIN[2:]}), "missing gaussian_noise, shot_noise"),
    ],
    ids=["no baseline", "another set", "severities", "corruptions"],
)
def test_without_a_baseline_that_fits_there_is_no_mce(report: hf.CorruptionReport, words: str) -> None:
    assert report.mce is None
    assert report.corruption_error("fog") is None
    assert words in report.without_mce
    assert f"no mCE: {report.without_mce}" in str(report)


def test_means_are_over_the_main_corruptions_alone() -> None:
    right = {"fog": torch.cat([flags(1.0, 1), flags(0.5, 1)]), "snow": flags(0.25, 2), "saturate": flags(0.0, 2)}
    report = hf.CorruptionReport("cifar10-c", (1, 5), right)
    assert report.accuracies("fog") == (1.0, 0.5)
    assert report.mean_accuracy == pytest.approx((0.75 + 0.25) / 2)
    assert report.accuracy_at(5) == pytest.approx(0.375)
    low, high = report.interval
    assert low < report.mean_accuracy < high
    said = str(report)
    assert "mean accuracy 50.00% over 2 corruptions (13 of the usual fifteen are missing)" in said
    assert "mean error 50.00%, divided by no baseline" in said
    assert "saturate" in said
    assert said.count("(extra)") == 1
    assert hf.CorruptionReport("imagenet-3dcc", (1,), {"flash": flags(0.5, 1)}).mean_accuracy == 0.5


def test_images_are_read_by_the_network_at_rest() -> None:
    model = nn.Sequential(nn.Dropout(0.9), nn.Flatten())
    pixels = torch.eye(4)[:, None, None]

    def load(name: str, severity: int) -> hf.ImageSet:
        labels = torch.arange(4) if name == "fog" else torch.tensor([0, 1, 2, 2])
        return hf.ImageSet(pixels / severity, labels, tuple("abcd"))

    told: list[str] = []
    report = hf.audit_corruptions(
        model, "mine", load, ("fog", "snow"), (1, 2), batch=3, tell=lambda *words: told.append(words[2])
    )
    assert (report.accuracies("fog"), report.accuracies("snow")) == ((1.0, 1.0), (0.75, 0.75))
    assert report.count == 4
    assert "fog: accuracy 100.00%" in told
    assert model.training


def test_the_files_of_a_set_are_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CIFAR-10-C").mkdir()
    for name, held in (("fog", np.zeros((10, 2, 2, 3), np.uint8)), ("labels", np.zeros(10, np.uint8))):
        np.save(tmp_path / "CIFAR-10-C" / f"{name}.npy", held)
    np.save(tmp_path / "CIFAR-10-C" / "spatter.npy", np.zeros((10, 2, 2, 3), np.uint8))
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    report = hf.audit_corruptions(nn.Flatten(), "cifar10-c", severities=(1, 4))
    assert {name: rows.shape for name, rows in report.right.items()} == {"fog": (2, 2)}


def test_what_does_not_fit_is_refused() -> None:
    def load(name: str, severity: int) -> hf.ImageSet:
        count = 4 if name == "fog" else 3
        return hf.ImageSet(torch.rand(count, 1, 2, 2), torch.zeros(count, dtype=torch.int64), tuple("abcd"))

    with pytest.raises(BadImages, match="mine:snow:2 has 3 images, and the first corruption 4"):
        hf.audit_corruptions(nn.Flatten(), "mine", load, ("fog", "snow"), (2,))
    with pytest.raises(UnknownName, match="no baseline is called 'alexnett'; did you mean 'alexnet'"):
        hf.audit_corruptions(nn.Flatten(), "mine", load, baseline="alexnett")
