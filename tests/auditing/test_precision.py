"""The same seed gives the same report, whatever the processor multiplies and however long anything takes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import PGD
from holdfast.auditing.engine import Move, Subject, name_of, run_moves
from holdfast.auditing.report import Report
from holdfast.auditing.schedule import EFFORTS, moves_of
from holdfast.auditing.surrogate import fast_copy
from holdfast.auditing.surrogate_bfloat16 import InBfloat16
from holdfast.errors import UnknownName
from holdfast.threats import Threat
from tests.auditing.tiny import linear

EARLY = {"climb", "climb ce", "classes"}


@pytest.fixture
def few() -> tuple[Tensor, Tensor]:
    test = hf.load("digits", "test")
    return test.take(torch.arange(12)), test.labels[:12]


def numbers(report: Report) -> tuple[object, ...]:
    """Return every number of a report but the seconds."""
    stages = tuple(replace(stage, seconds=0.0) for stage in report.stages)
    tensors = (report.broken_by.tolist(), report.margin.tolist(), report.adversarial.tolist(), report.best.tolist())
    return (*tensors, stages, report.checks, report.crafted_on, report.precision)


def multiplies(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    """Have torch say that the processor does or does not multiply bfloat16."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: yes, raising=False)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_report_on_every_processor(
    precision: str, few: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, found = linear(), []
    for yes in (True, False):
        multiplies(monkeypatch, yes)
        found.append(hf.audit(network, *few, hf.Linf(0.06), "fast", seed=3, precision=precision))
    assert numbers(found[0]) == numbers(found[1])
    assert found[0].precision == precision
    assert f"{precision}" in found[0].crafted_on


class Allowed(nn.Module):
    """A network that notes the precision which torch is allowed while it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()

    def forward(self, images: Tensor) -> Tensor:
        SEEN.add(torch.backends.mkldnn.matmul.fp32_precision)
        return self.inner(images)


SEEN: set[str] = set()


def test_a_caller_who_allows_less_precision_does_not_lower_it(few: tuple[Tensor, Tensor]) -> None:
    SEEN.clear()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        network = Allowed()
        run_moves(Subject(network, network, *few), {"pgd": Move(PGD(hf.Linf(0.1), steps=2))})
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert {"ieee"} == SEEN


def test_a_precision_that_is_none_is_refused(few: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UnknownName, match="float16"):
        hf.audit(linear(), *few, hf.Linf(0.1), precision="float16")


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("threat", [hf.Linf(0.1), hf.L2(0.5), hf.L1(2.0)], ids=str)
def test_only_the_first_climbs_may_be_coarse(effort: str, threat: Threat) -> None:
    early = {name: move for name, move in moves_of(effort, threat).items() if move.early}
    assert set(early) <= EARLY
    assert not any(move.attack.gradient_free for move in early.values())


def test_early_moves_alone_see_the_coarse_copy(few: tuple[Tensor, Tensor]) -> None:
    asked: list[str] = []

    def watched(name: str, network: nn.Module) -> nn.Module:
        network.register_forward_hook(lambda *_: asked.append(name))
        return network

    model, exact = linear(), watched("exact", linear())
    coarse = watched("coarse", InBfloat16(linear()))
    moves = {"first": Move(PGD(hf.Linf(0.02), steps=2), early=True), "second": Move(PGD(hf.Linf(0.02), steps=2))}
    subject = Subject(model, exact, *few, early=coarse)
    run_moves(subject, moves)
    assert asked == ["coarse"] * 2 + ["exact"] * 2


def test_moves_of_one_kind_draw_different_numbers(few: tuple[Tensor, Tensor]) -> None:
    """Two moves with the same attack do not repeat each other: the move's name is part of the key."""
    starts: list[Tensor] = []

    class Watches(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            starts.append(images.detach().clone())
            return images.flatten(1)[:, :10]

    network = linear()
    run_moves(
        Subject(network, Watches(), *few),
        {"a": Move(PGD(hf.Linf(0.02), steps=1)), "b": Move(PGD(hf.Linf(0.02), steps=1))},
    )
    assert len(starts) == 2
    same = [image for image in starts[1] for other in starts[0] if torch.equal(image, other)]
    assert not same


def test_what_is_kept_in_one_precision_is_not_gone_on_with_in_another(few: tuple[Tensor, Tensor]) -> None:
    network, names = linear(), set()
    for precision in ("float32", "bfloat16"):
        copied = fast_copy(network, few[0], precision)
        names.add(name_of(Subject(network, copied.network, *few, early=copied.early, words=copied.words), {}))
    assert len(names) == 2
