"""What every published method promises; new ones enrol themselves."""

import json
import shutil
import signal
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from holdfast import CropFlip, Run, methods, train
from holdfast.errors import BadValue
from holdfast.methods import AT, FreeAT, Kurakin, Method, SIMAdv
from holdfast.storage.describe import describe, restore
from holdfast.training.optimizers import SGD
from holdfast.training.schedules import Triangle
from tests.conftest import BOTH_SHAPES, published

from .killed import kill_at
from .resuming import Stop, assert_same_end, lines, stop_and_resume, weights

KINDS = published(methods, Method, ("CraftedMethod", "LossMethod", "Method"))
BASE = Run(epochs=3, batch=16, limit=72, optimizer=SGD(lr=0.05), schedule=Triangle(), data="made-up:1x8x8")
"""Five batches an epoch, the last of them smaller."""


def of(kind: type[Method], data: str = BASE.data) -> Run:
    """Return a short run of the method; one with a `source`, which has to be given, uses a run of a classifier."""
    names = {field.name for field in fields(kind)}
    method = replace(kind(), **({"width": 2} if "width" in names else {}))
    if "source" in names:
        method = method.using((replace(BASE, data=data, epochs=1, model="cifar-resnet-8", optimizer=SGD(lr=0.1)),))
    small = (("width", 4),) if kind.trains == "images" else ()
    return replace(BASE, method=method, model=kind.example_network, options=small, data=data)


KILLED = (AT, FreeAT, Kurakin, SIMAdv)
"""Methods of four ways to keep state; that the system kills a run of the others is tried among the slow tests."""

EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@EACH
def test_trains_finite_named_terms(kind: type[Method], tmp_path: Path) -> None:
    model = train(of(kind), tmp_path)
    told = [json.loads(line) for line in lines(tmp_path)]
    assert [line["epoch"] for line in told] == [1, 2, 3]
    terms = [{name: value for name, value in line.items() if name not in ("epoch", "step")} for line in told]
    assert all(terms[0].keys() == line.keys() for line in terms)
    assert all(torch.isfinite(torch.tensor(list(line.values()))).all() for line in terms)
    assert sum(terms[-1].values()) < sum(terms[0].values())
    assert not model.training


@EACH
@pytest.mark.parametrize(
    "at", [pytest.param(1, marks=pytest.mark.slow), 5, 7, pytest.param(14, marks=pytest.mark.slow)]
)
def test_stopped_at_any_step_and_resumed_is_bit_identical(
    kind: type[Method], at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_resume(of(kind), at, tmp_path, monkeypatch)


@EACH
@BOTH_SHAPES
def test_the_state_between_saves_does_not_matter(
    kind: type[Method], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    channels, rows, columns = shape
    run = replace(of(kind, f"made-up:{channels}x{rows}x{columns}"), augment=CropFlip(pad=2))
    train(run, tmp_path / "straight")

    def cut(done: int, total: int, words: str) -> None:
        if done == 8:  # last.pt was written after step 5
            raise Stop

    with pytest.raises(Stop):
        train(run, tmp_path / "broken", tell=cut)
    train(run, tmp_path / "broken")
    assert_same_end(tmp_path / "straight", tmp_path / "broken")


def killed_and_resumed(kind: type[Method], tmp_path: Path) -> None:
    run = replace(of(kind), epochs=6)
    train(run, tmp_path / "straight")
    folder = tmp_path / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    assert kill_at(8, tmp_path / "straight", folder) == -signal.SIGKILL
    assert not (folder / "model.safetensors").exists()
    train(run, folder)
    assert_same_end(tmp_path / "straight", folder)


@pytest.mark.parametrize("kind", KILLED)
def test_killed_by_the_system_and_resumed_is_bit_identical(kind: type[Method], tmp_path: Path) -> None:
    killed_and_resumed(kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in KILLED])
def test_any_killed_by_the_system_and_resumed_is_bit_identical(kind: type[Method], tmp_path: Path) -> None:
    killed_and_resumed(kind, tmp_path)


@EACH
def test_another_seed_gives_other_weights(kind: type[Method], tmp_path: Path) -> None:
    for seed in (0, 1):
        train(replace(of(kind), epochs=1, seed=seed), tmp_path / str(seed))
    first, second = weights(tmp_path / "0"), weights(tmp_path / "1")
    assert any(not torch.equal(first[name], second[name]) for name in first)


@EACH
def test_leaves_the_global_random_state_alone(kind: type[Method], tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    train(replace(of(kind), epochs=1), tmp_path)
    assert torch.equal(state, torch.random.get_rng_state())


@EACH
def test_an_infinite_number_is_refused(kind: type[Method]) -> None:
    for field in fields(kind):
        if isinstance(field.default, float):
            with pytest.raises(BadValue, match="inf"):
                replace(of(kind).method, **{field.name: float("inf")})


@EACH
def test_a_word_that_is_not_offered_is_refused(kind: type[Method]) -> None:
    for name, hint in get_type_hints(kind).items():
        if get_origin(hint) is not Literal:
            continue
        assert all(kind(**{name: offered}) is not None for offered in get_args(hint))
        method: Any = kind()
        object.__setattr__(method, name, "Others")  # past the tests' type checker, which users do not have
        with pytest.raises(BadValue, match=f"{kind.__name__}: {name} = 'Others'"):
            method.__post_init__()


@EACH
def test_is_a_value_that_comes_back_from_its_description(kind: type[Method]) -> None:
    from holdfast.training.registry import KINDS as WORDS

    assert restore(describe(kind()), WORDS) == kind()
    assert hash(kind()) == hash(kind())
