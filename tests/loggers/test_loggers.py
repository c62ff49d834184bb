"""Loggers: each gets the numbers of every epoch once, with the steps, also over an interruption."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import jaxtyping
import pytest

from holdfast import train
from holdfast.errors import BadValue, MissingExtra, UnknownName, UsageError
from holdfast.loggers import Logger, MLflow, TensorBoard, WandB, Write, logger
from holdfast.storage.describe import Described, describe
from holdfast.storage.fingerprint import name_of_described
from tests.cli.saying import said
from tests.methods.resuming import Stop, lines
from tests.training.moment import BASE

from .fakes import Calls, fake_mlflow, fake_tensorboard, fake_wandb

RUN = replace(BASE, epochs=3, batch=32, options=(("width", 4),))


@dataclass(frozen=True)
class Kept:
    """A logger of one's own."""

    told: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)
    opened: list[tuple[str, int]] = field(default_factory=list)

    @contextmanager
    def open(self, name: str, run: Described, folder: Path, step: int) -> Iterator[Write]:
        assert run == describe(RUN)
        self.opened.append((name, step))
        yield lambda at, values: self.told.append((at, values))


def interrupted(folder: Path, log: Logger) -> None:
    """Carry the run out, stopped in its second epoch."""

    def cut(done: int, total: int, words: str) -> None:
        if done == 3 and not words:
            raise Stop

    with pytest.raises(Stop):
        train(RUN, folder, log=[log], tell=cut)
    train(RUN, folder, log=[log])


def test_a_logger_of_ones_own_gets_the_lines_of_the_metrics(tmp_path: Path) -> None:
    mine = Kept()
    interrupted(tmp_path, mine)
    assert [values for _, values in mine.told] == [json.loads(line) for line in lines(tmp_path)]
    assert [at for at, _ in mine.told] == [2, 4, 6]
    assert mine.opened == [(name_of_described(describe(RUN)), 0), (name_of_described(describe(RUN)), 2)]
    train(RUN, tmp_path, log=[mine])
    assert len(mine.told) == 3  # a finished run has nothing to tell


def test_tensorboard_hides_what_an_interruption_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_tensorboard(monkeypatch)
    interrupted(tmp_path, logger("tensorboard"))
    place = str(tmp_path / "tensorboard")
    assert [what for name, what in calls if name == "open"] == [(place, 1), (place, 3)]
    wanted = [(term, value, at["step"]) for at in map(json.loads, lines(tmp_path)) for term, value in at.items()]
    assert [what for name, what in calls if name == "write"] == wanted
    assert [name for name, _ in calls].count("close") == 2


def test_wandb_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_wandb(monkeypatch)
    interrupted(tmp_path, logger("wandb:mine"))
    opened = [what for name, what in calls if name == "open"]
    assert [(each["project"], each["id"], each["resume"]) for each in opened] == [
        ("mine", name_of_described(describe(RUN)), "allow")
    ] * 2
    assert opened[0]["config"] == describe(RUN)
    assert [what for name, what in calls if name == "write"] == [
        (at["step"], at) for at in map(json.loads, lines(tmp_path))
    ]
    assert [what for name, what in calls if name == "close"] == [1, 0]


def test_mlflow_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_mlflow(monkeypatch)
    interrupted(tmp_path, logger("mlflow:http://localhost:5000"))
    assert [what for name, what in calls if name == "client"] == ["http://localhost:5000"] * 2
    assert [what for name, what in calls if name == "create"] == [("7", tmp_path.name)]
    parameters = dict(what for name, what in calls if name == "param")
    assert (parameters["epochs"], parameters["optimizer.lr"]) == ("3", "0.05")
    written = [what for name, what in calls if name == "write"]
    assert {(run, at) for run, _, _, at in written} == {("0", 2), ("0", 4), ("0", 6)}
    assert [what for name, what in calls if name == "close"] == [("0", "FAILED"), ("0", "FINISHED")]


def test_what_a_package_raises_is_one_line_and_the_run_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_wandb(monkeypatch)

    def unreachable(**words: object) -> None:
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr("wandb.init", unreachable)
    with pytest.raises(UsageError, match=r"^--log wandb:holdfast: no route to host$"):
        train(RUN, tmp_path, log=[WandB()])
    assert train(RUN, tmp_path)


@pytest.mark.parametrize(("kind", "package"), [(TensorBoard, "tensorboard"), (WandB, "wandb"), (MLflow, "mlflow")])
def test_a_missing_package_is_named_before_anything_begins(
    kind: Callable[[], Logger], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=rf"holdfast-robust\[{package}\]"):
        kind()


def test_names_that_nothing_answers_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tensorboard(monkeypatch)
    with pytest.raises(UnknownName, match="did you mean 'tensorboard'"):
        logger("tensorbord")
    with pytest.raises(UsageError, match="tensorboard takes nothing after a colon"):
        logger("tensorboard:x")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the type checker of the tests says it before us
    with pytest.raises(BadValue, match="give loggers"):
        train(RUN, tmp_path, log=["tensorboard"])  # type: ignore[list-item]


def test_the_command_line_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board, bias = fake_tensorboard(monkeypatch), fake_wandb(monkeypatch)
    words = ("--epochs", "1", "--limit", "64", "--data", "made-up:1x8x8", "--folder", tmp_path / "run")
    status, _, _ = said(capsys, "train", "Standard", *words, "--log", "tensorboard", "wandb:mine")
    assert status == 0
    calls: list[Calls] = [board, bias]
    assert all([name for name, _ in each].count("close") == 1 for each in calls)


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="the extra 'tensorboard' is not installed")
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_itself_reads_what_was_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    interrupted(tmp_path, TensorBoard())
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    read = [(event.step, round(event.value, 5)) for event in found.Scalars("clean")]
    assert read == [(at["step"], round(at["clean"], 5)) for at in map(json.loads, lines(tmp_path))]


@pytest.mark.skipif(find_spec("wandb") is None, reason="the extra 'wandb' is not installed")
@pytest.mark.filterwarnings("ignore")
def test_wandb_itself_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    train(RUN, tmp_path, log=[WandB("mine")])
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra 'mlflow' is not installed")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_itself_keeps_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    interrupted(tmp_path / "run", MLflow(uri))
    client = MlflowClient(uri)
    (ours,) = client.search_runs([client.get_experiment_by_name("holdfast").experiment_id])
    read = [(point.step, point.value) for point in client.get_metric_history(ours.info.run_id, "clean")]
    assert read == [(at["step"], at["clean"]) for at in map(json.loads, lines(tmp_path / "run"))]
    assert ours.data.params["epochs"] == "3"
