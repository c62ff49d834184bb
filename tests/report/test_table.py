from dataclasses import replace

import pytest

from holdfast.attacks import FGSM, PGD
from holdfast.methods import AT, TRADES
from holdfast.optimization import Adam
from holdfast.report import Scale, Table
from holdfast.report.table import shortened
from holdfast.run import Run
from holdfast.threats import Linf

TABLE = Table(
    "Table",
    rows={"AT": Run(AT(PGD(steps=10, step_size=0.01)), epochs=100), "TRADES": Run(TRADES(), epochs=76)},
    columns={"clean": None, "PGD-100": PGD(steps=100, step_size=0.002), "PGD-20": PGD(steps=20), "FGSM": FGSM()},
    test_limit=1000,
)


def test_an_empty_scale_changes_nothing() -> None:
    assert Scale().table(TABLE) == TABLE


def test_every_row_and_column_shrinks_alike() -> None:
    small = Scale(
        epochs=2, limit=64, batch=16, optimizer=Adam(), train_steps=3, test_steps=5, test_limit=50, seeds=(7,)
    )
    scaled = small.table(TABLE)
    assert scaled.rows.keys() == TABLE.rows.keys()
    assert scaled.columns.keys() == TABLE.columns.keys()
    for run in scaled.rows.values():
        assert (run.epochs, run.limit, run.batch, run.optimizer) == (2, 64, 16, Adam())
        assert run.method.attack.steps == 3
    assert [getattr(attack, "steps", None) for attack in scaled.columns.values()] == [None, 5, 5, None]
    assert (scaled.seeds, scaled.test_limit) == ((7,), 50)


def test_seeds_that_are_asked_for_win() -> None:
    assert Scale(seeds=(7,)).table(TABLE, seeds=(1, 2)).seeds == (1, 2)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_a_shorter_attack_reaches_as_far(steps: int) -> None:
    attack = PGD(Linf(0.3), steps=40, step_size=0.01)
    short = shortened(attack, steps)
    assert short.steps == steps
    assert short.steps * short.step_size == pytest.approx(40 * 0.01)
    assert replace(short, steps=40, step_size=0.01) == attack


def test_a_rule_for_the_step_size_stays_a_rule() -> None:
    assert shortened(PGD(steps=40), 5) == PGD(steps=5)


def test_short_attacks_and_no_attacks_stay_as_they_are() -> None:
    for value in (FGSM(), PGD(steps=4, step_size=0.1), None):
        assert shortened(value, 4) == value


def test_the_attack_inside_a_method_isshortened_and_the_rest_stays() -> None:
    short = shortened(TRADES(beta=3.0), 2)
    assert short.attack.steps * short.attack.step_size == pytest.approx(10 * 0.007)
    assert replace(short, attack=TRADES().attack) == TRADES(beta=3.0)
