"""Averages of the weights: their recurrences, what is judged and kept, and going on as if never stopped."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf, Run, attacks, train
from holdfast.attacks import Attack
from holdfast.cli.compose import chosen_run
from holdfast.data import load
from holdfast.errors import BadValue
from holdfast.methods import Memory
from holdfast.models.suppression import Suppression
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_state
from holdfast.training.averages import EMA, SWA, Average
from holdfast.training.averaging import follow, settle
from holdfast.training.folder import read_run
from holdfast.training.patience import Patience
from holdfast.training.run import Start
from holdfast.training.state import State
from holdfast.training.supply import Supply, supplied
from tests.methods.resuming import stop_and_resume, weights
from tests.training.moment import BASE

SHORT = replace(BASE, epochs=4, batch=32, options=(("width", 4),))


def raw(folder: Path) -> dict[str, Tensor]:
    """Return the weights that the optimizer moved."""
    kept: dict[str, Tensor] = read_state(folder / "last.pt", "")["networks"]["model"]
    return kept


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """Collect the weights and statistics after each step of the runs of a test."""
    kept: list[dict[str, Tensor]] = []

    def spy(supply: Supply, state: State) -> None:
        kept.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})
        follow(supply, state)

    monkeypatch.setattr("holdfast.training.loop.follow", spy)
    return kept


def test_the_decay_grows_with_the_steps_since_the_warm_up() -> None:
    shares = [EMA(0.5, 0.2).share(step, 10, 5) for step in range(1, 11)]
    assert shares[:2] == [1.0, 1.0]
    assert shares[2:6] == pytest.approx([1 - 1 / 10, 1 - 2 / 11, 1 - 3 / 12, 1 - 4 / 13])
    assert EMA(0.995, 0).share(10_000, 10_000, 100) == pytest.approx(0.005)


def test_the_mean_counts_the_ends_of_epochs_after_its_start() -> None:
    assert [SWA(0.5).share(step, 8, 2) for step in range(1, 9)] == [0, 1, 0, 1, 0, 1, 0, 1 / 2]
    assert [SWA(0).share(step, 5, 2) for step in range(1, 6)] == [0, 1, 0, 1 / 2, 1 / 3]


def test_the_mean_begins_where_its_start_is_a_whole_number_of_epochs_but_for_rounding() -> None:
    assert 0.7 * (110 * 391) / 391 < 77
    shares = [SWA(0.7).share(epoch * 391, 110 * 391, 391) for epoch in (77, 78, 79)]
    assert shares == [1, 1, 1 / 2]


@pytest.mark.parametrize(("field", "value"), [("decay", 1.0), ("decay", -0.1), ("warm_up", 1.0)])
def test_parts_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(BadValue, match=f"EMA: {field} = {value}, not in"):
        EMA(**{field: value})


def test_the_moving_average_is_its_recurrence_with_the_trained_networks_statistics(
    passed: list[dict[str, Tensor]], tmp_path: Path
) -> None:
    found = train(replace(SHORT, average=EMA(0.2, 0)), tmp_path).state_dict()
    mean = passed[0]
    for step, now in enumerate(passed):
        decay = min(0.2, (1 + step) / (10 + step))
        mean = {name: decay * mean[name] + (1 - decay) * now[name] for name in now}
    for name, tensor in found.items():
        wanted = passed[-1][name] if "running" in name or "num_batches" in name else mean[name]
        assert torch.allclose(tensor, wanted, atol=1e-6), name
    assert len(passed) == 8


def test_the_mean_of_epochs_has_statistics_of_its_own(passed: list[dict[str, Tensor]], tmp_path: Path) -> None:
    run = replace(SHORT, average=SWA(0.5))
    model = train(run, tmp_path)
    for name, weight in model.named_parameters():
        assert torch.allclose(weight, (passed[5][name] + passed[7][name]) / 2, atol=1e-6), name
    norm = next(part for part in model.modules() if isinstance(part, nn.BatchNorm2d))
    taken: list[Tensor] = []
    norm.register_forward_hook(lambda part, given, answer: taken.append(given[0].detach()))
    model(load(run.data, "train", limit=run.limit).take(torch.arange(64)))
    # The mean of two equal batches is that of all; their variances leave out what is between the batches.
    assert torch.allclose(norm.running_mean, taken[0].mean((0, 2, 3)), atol=1e-5)
    first = next(name for name in passed[-1] if "running_mean" in name)
    assert not torch.allclose(norm.running_mean, passed[-1][first], atol=1e-3)


def test_the_statistics_of_a_network_that_trains_on_labels_are_computed_with_them() -> None:
    supply = supplied(replace(BASE, average=SWA()), None, False)
    norm, suppression = nn.BatchNorm2d(1), Suppression(1, 10)
    state = State(nn.Identity(), Memory(), {}, {}, averaged=nn.Sequential(suppression, norm))
    settle(supply, state, 0)
    images, labels = supply.images.take(torch.arange(64)), supply.images.labels
    wanted = images * suppression.linear.weight[labels][:, :, None, None]
    assert torch.allclose(norm.running_mean, wanted.mean((0, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("average", [EMA(0.9), SWA(0.25)], ids=["EMA", "SWA"])
def test_an_average_changes_nothing_of_the_training(average: Average, tmp_path: Path) -> None:
    run = replace(SHORT, held_out=16)
    plain = train(run, tmp_path / "plain").state_dict()
    averaged = train(replace(run, average=average), tmp_path / "averaged").state_dict()
    trained = raw(tmp_path / "averaged")
    assert all(torch.equal(plain[name], trained[name]) for name in plain)
    assert any(not torch.equal(plain[name], averaged[name]) for name in plain)


@pytest.mark.parametrize("average", [EMA(0.9, 0.2), SWA(0.25)], ids=["EMA", "SWA"])
def test_stopped_and_resumed_is_bit_identical(
    average: Average, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(SHORT, held_out=16, average=average, select=attacks.FGSM(Linf(0.1)))
    stop_and_resume(run, 5, tmp_path, monkeypatch)
    assert all(torch.equal(kept, raw(tmp_path / "broken")[name]) for name, kept in raw(tmp_path / "straight").items())


@pytest.mark.parametrize("average", [EMA(0.9), SWA(0.25)], ids=["EMA", "SWA"])
def test_the_average_is_what_is_selected_kept_and_read_back(average: Average, tmp_path: Path) -> None:
    run = replace(SHORT, held_out=16, select=attacks.FGSM(Linf(0.1)), average=average)
    model = train(run, tmp_path)
    scores = [json.loads(line)["held_out_robust"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    held_out = load(run.data, "train", limit=64).split(16, run.seed)[1]
    attacked = attacks.FGSM(Linf(0.1))(model, held_out.take(torch.arange(16)), held_out.labels)
    assert float((model(attacked).argmax(1) == held_out.labels).float().mean()) == max(scores)
    assert all(torch.equal(kept, weights(tmp_path)[name]) for name, kept in model.state_dict().items())
    assert read_run(tmp_path) == run


def test_a_run_without_an_average_keeps_its_name() -> None:
    assert "average" not in str(describe(Run()))
    assert fingerprint(replace(BASE, average=EMA())) != fingerprint(BASE)


def test_the_command_line_names_it() -> None:
    assert chosen_run("AT", ["--average", "ema"]).average == EMA()
    assert chosen_run("AT", []).average is None


def test_an_optimizer_is_not_taken_over_with_averaged_weights() -> None:
    begun = replace(BASE, average=EMA())
    assert replace(BASE, start=Start(begun)).start is not None
    with pytest.raises(BadValue, match="the start's weights are averaged"):
        replace(BASE, start=Start(begun, "position"))


@pytest.mark.parametrize("select", [attacks.FGSM(Linf(0.1)), Patience(2)], ids=["attack", "patience"])
def test_an_optimizer_is_not_taken_over_with_the_weights_of_an_earlier_epoch(select: Attack | Patience) -> None:
    begun = replace(BASE, held_out=16, select=select)
    assert replace(BASE, start=Start(begun)).start is not None
    for takes in ("optimizer", "position"):
        with pytest.raises(BadValue, match="the start's weights are those of its best epoch"):
            replace(BASE, start=Start(begun, takes))  # type: ignore[arg-type]
