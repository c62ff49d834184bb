"""`--seeds`: the same command once a seed, folders beside each other, and what came of it on average."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from holdfast import Linf, Report
from holdfast.auditing.checks_registry import RANDOM_OUTPUT
from holdfast.auditing.findings import Check
from holdfast.cli.audit_verdict import claim_over, over_seeds
from holdfast.cli.seeds import of_seed, on_average
from holdfast.data import load
from holdfast.errors import UsageError
from holdfast.objectives import is_correct
from holdfast.training.folder import RunFolder, read_run
from tests.cli.saying import said

SHORT = ("--epochs", "1", "--limit", "64", "--batch", "32")
QUICK = ("--effort", "fast", "--threat.eps", "0.05", "--limit", "12")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the place of two runs that differ in their seeds alone."""
    return tmp_path_factory.mktemp("seeds") / "run"


def test_a_run_a_seed_is_kept_beside_the_others_and_a_network_a_seed_is_audited(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = said(capsys, "train", "Standard", *SHORT, "--folder", two, "--seeds", "3", "5")
    assert status == 0
    assert {path.name for path in two.parent.iterdir()} == {"run-seed-3", "run-seed-5"}
    assert [read_run(two.parent / f"run-seed-{seed}").seed for seed in (3, 5)] == [3, 5]
    shares = [float(line.split()[2].rstrip("%")) / 100 for line in out.splitlines()[:2]]
    assert on_average(shares, (3, 5)) in out
    words = ("audit", two, *QUICK, "--seeds", "3", "5", "--folder", tmp_path / "a")
    status, out, _ = said(capsys, *words, "--json", "--require", "0")
    found = json.loads(out)
    assert status == 0
    assert [each["network"] for each in found["seeds"].values()] == [f"{two}-seed-3", f"{two}-seed-5"]
    assert [each["seed"] for each in found["seeds"].values()] == [3, 5]
    reached = [each["robust_accuracy"] for each in found["seeds"].values()]
    mean, std = statistics.fmean(reached), statistics.stdev(reached)
    assert found["robust_accuracy"] == [{"mean": mean, "std": std, "robust_accuracy_is": "an upper bound"}]
    for seed in ("3", "5"):
        assert json.loads((tmp_path / f"a-seed-{seed}" / "report.json").read_text()) == found["seeds"][seed]
    status, out, _ = said(capsys, *words, "--resume", "--require", "1")
    assert status == 3
    assert f"{two}: robust accuracy at most: {on_average(reached, (3, 5))}" in out


def test_a_purifier_of_each_seed_is_tested_by_its_classifier_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "train", "Standard", *SHORT, "--folder", tmp_path / "c")[0] == 0
    small = ("--model", "unet-b", "--options", "width", "2", "--method.attack.steps", "1", "--seeds", "3", "5")
    words = ("--method.width", "2", "--others", tmp_path / "c", "--folder", tmp_path / "p")
    status, out, _ = said(capsys, "train", "Pix2Pix", *SHORT, *small, *words)
    assert status == 0
    classifier = RunFolder(read_run(tmp_path / "c"), tmp_path / "c").network((1, 8, 8), 10)
    data = load("digits", "test")
    for seed, line in zip((3, 5), out.splitlines()[:2], strict=True):
        folder = tmp_path / f"p-seed-{seed}"
        purifier = RunFolder(read_run(folder), folder).network((1, 8, 8), 10)
        right = is_correct(classifier(purifier(data.take(torch.arange(len(data))))), data.labels)
        assert line == f"{folder}: accuracy {float(right.float().mean()):.2%}"
    assert f"{len(data)} images, purified for the classifier that was used: mean" in out
    auto = ("--model", "magnet-autoencoder", "--attack", "GaussianNoise", "--folder", tmp_path / "m", "--seeds", "1")
    status, out, _ = said(capsys, "train", "Denoiser", *SHORT, *auto)
    assert (status, out) == (0, f"{tmp_path / 'm'}-seed-1\n")


def test_seeds_are_audited_each_by_its_own_network_or_all_by_one(tmp_path: Path) -> None:
    name = str(tmp_path / "run")
    assert of_seed(name, 0, (0, 1)) == name
    assert of_seed(name, 0, ()) == name
    (tmp_path / "run-seed-0").mkdir()
    assert of_seed(name, 0, (0,)) == f"{name}-seed-0"
    with pytest.raises(UsageError, match="run-seed-1"):
        of_seed(name, 0, (0, 1))


def test_the_mean_of_one_seed_has_no_deviation() -> None:
    assert on_average([0.5], [7]) == "mean 50.00 % over seeds 7"
    assert on_average([0.4, 0.6], [0, 1]) == "mean 50.00 % (standard deviation 14.14) over seeds 0, 1"


def test_the_mean_of_a_network_that_answers_at_random_is_no_bound() -> None:
    random, images = Check("raised", 1.0, 0.5, name=RANDOM_OUTPUT), torch.zeros(4, 1, 2, 2)
    fates = torch.tensor([-1, -1, 0, 0])
    plain = Report(Linf(), "fast", 0, images, fates, ())
    reports = [plain, replace(plain, checks=(random,))]
    words = "of one draw, no bound: the network answers at random"
    mean = "mean 50.00 % (standard deviation 0.00) over seeds 0, 1"
    assert claim_over((0, 1), reports) == f"robust accuracy: {mean}; {words}"
    assert claim_over((0, 1), [plain, plain]) == f"robust accuracy at most: {mean}"
    found = over_seeds((0, 1), ({}, {}), (reports, [plain, plain]))["robust_accuracy"]
    assert [each["robust_accuracy_is"] for each in found] == [words, "an upper bound"]


@pytest.mark.parametrize("verb", ["train Standard", "audit timm:x"])
@pytest.mark.parametrize("words", ["--seeds 1 1", "--seeds 1 2 --seed 3", "--seed=3 --seeds 1", "--seeds x"])
def test_seeds_that_contradict_each_other_are_refused(
    verb: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = said(capsys, *verb.split(), *words.split())
    assert (status, err.count("\n")) == (2, 1)
    assert "--seeds" in err
