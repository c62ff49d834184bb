"""Packages of loggers that write down how they are called, so that tests need none of them."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Calls = list[tuple[str, Any]]


def module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """Let a module of this content be imported by this name."""
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    vars(made).update(content)
    monkeypatch.setitem(sys.modules, name, made)


def fake_tensorboard(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls: Calls = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            calls.append(("open", (folder, purge_step)))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            calls.append(("write", (name, value, step)))

        def flush(self) -> None:
            calls.append(("flush", None))

        def close(self) -> None:
            calls.append(("close", None))

    module(monkeypatch, "tensorboard")
    module(monkeypatch, "torch.utils.tensorboard", SummaryWriter=SummaryWriter)
    return calls


def fake_wandb(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls: Calls = []
    run = SimpleNamespace(
        log=lambda values, step: calls.append(("write", (step, values))),
        finish=lambda exit_code=0: calls.append(("close", exit_code)),
    )

    def init(**words: Any) -> SimpleNamespace:
        calls.append(("open", words))
        return run

    module(monkeypatch, "wandb", init=init)
    return calls


def fake_mlflow(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Let one server remember its runs, however many clients ask it."""
    calls: Calls = []
    runs: list[Any] = []

    class MlflowClient:
        def __init__(self, uri: str | None) -> None:
            calls.append(("client", uri))

        def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
            return SimpleNamespace(experiment_id="7") if runs else None

        def create_experiment(self, name: str) -> str:
            return "7"

        def search_runs(self, experiments: list[str], tag: str) -> list[Any]:
            return [each for each in runs if f"'{each.name}'" in tag]

        def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> SimpleNamespace:
            made = SimpleNamespace(info=SimpleNamespace(run_id=str(len(runs))), name=tags["holdfast.run"])
            runs.append(made)
            calls.append(("create", (experiment, run_name)))
            return made

        def log_param(self, run: str, name: str, value: str) -> None:
            calls.append(("param", (name, value)))

        def update_run(self, run: str, status: str) -> None:
            calls.append(("open", (run, status)))

        def log_metric(self, run: str, name: str, value: float, step: int) -> None:
            calls.append(("write", (run, name, value, step)))

        def set_terminated(self, run: str, status: str = "FINISHED") -> None:
            calls.append(("close", (run, status)))

    module(monkeypatch, "mlflow", MlflowClient=MlflowClient)
    return calls
