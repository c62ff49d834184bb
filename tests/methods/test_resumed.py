"""Methods whose memory turns over during a run: stopped behind a turn and resumed, they end as if nothing had been."""

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import Linf, Run
from holdfast.attacks import PGD
from holdfast.methods import AT, Guarded, Method, SIMAdv
from holdfast.training.optimizers import SGD

from .resuming import lines, stop_and_resume

BASE = Run(epochs=5, batch=16, limit=72, optimizer=SGD(lr=0.1), data="made-up:1x8x8")
"""Five batches an epoch."""
TURNING: dict[str, Method] = {
    "images that begin anew every two epochs": SIMAdv(Linf(0.1), n1=2, n2=2),
    "half a memory": SIMAdv(Linf(0.1), n1=2, n2=3, kept_as="float16"),
    "a guard that looks at every other step": Guarded(AT(PGD(Linf(0.2), steps=1)), every=2, drop=0.02),
}


@pytest.mark.parametrize("at", [11, 13, 21])
@pytest.mark.parametrize("method", TURNING.values(), ids=TURNING.keys())
def test_stopped_behind_a_turn_and_resumed_is_bit_identical(
    method: Method, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_and_resume(replace(BASE, method=method), at, tmp_path, monkeypatch)
    if isinstance(method, Guarded):
        assert any('"collapses": 0.2' in line for line in lines(tmp_path / "straight"))  # it went back at least once
