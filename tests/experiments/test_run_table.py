import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from holdfast.attacks import BIM, FGSM, PGD, Attack
from holdfast.errors import BadValue, TrainingDiverged, UnknownName, UsageError
from holdfast.experiments import (
    Audit,
    Figure,
    Likeness,
    Neighbours,
    Scale,
    Seconds,
    Table,
    Transfer,
    Workplace,
    fill_table,
)
from holdfast.experiments.figure import scaled_figure
from holdfast.experiments.scale import shortened
from holdfast.experiments.stored_results import stored_table
from holdfast.experiments.table import Column, scaled_table
from holdfast.methods import AT, AWP, CAT, TRADES, Method, SIMAdv, Standard, UnifiedEmbedding
from holdfast.objectives import Towards, margin
from holdfast.threats import Linf
from holdfast.training.dependencies import origins
from holdfast.training.optimizers import SGD, Adam
from holdfast.training.run import Run, Start
from holdfast.training.schedules import Steps
from holdfast.types import Images

TABLE = Table(
    "Table",
    rows={"AT": Run(AT(PGD(steps=10, step_size=0.01)), epochs=100), "TRADES": Run(TRADES(), epochs=76)},
    columns={"clean": None, "PGD-100": PGD(steps=100, step_size=0.002), "PGD-20": PGD(steps=20), "FGSM": FGSM()},
    test_limit=1000,
)


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("worst", ("clean", "PGD-10"), "'PGD-10'; did you mean 'PGD-100'"),
        ("published", {"AT": {"cleen": (97.0, 0.5)}}, "'cleen'; did you mean 'clean'"),
        ("published", {"TRADE": {"clean": (97.0, 0.5)}}, "'TRADE'; did you mean 'TRADES'"),
        ("published", {"AT": {"worst case": (40.0, 0.5)}}, "'worst case'; known: "),
    ],
)
def test_names_that_the_table_does_not_have_are_refused(field: str, given: object, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        replace(TABLE, **{field: given})
    replace(TABLE, worst=("clean", "FGSM"), published={"AT": {"clean": (97.0, 0.5), "worst case": (40.0, 0.5)}})


@pytest.mark.parametrize("column", [Seconds(), Likeness("PSNR")])
def test_a_worst_case_of_what_is_no_accuracy_is_refused(column: Column) -> None:
    with pytest.raises(BadValue, match="the worst case of 'Table' is of accuracies: leave out column 'other'"):
        replace(TABLE, columns={**TABLE.columns, "other": column}, worst=("clean", "other"))
    assert stored_table({}, {"FGSM": FGSM(), "other": column}, worst=("FGSM", "other"), title="").worst == ("FGSM",)


WANTED = PGD(objective=Towards(margin))


@pytest.mark.parametrize("column", [WANTED, Transfer(Run(Standard()), WANTED), Neighbours(5, WANTED)])
def test_a_column_towards_wanted_classes_is_refused(column: Column) -> None:
    with pytest.raises(UsageError, match="column 'other' of 'Table' has no wanted classes"):
        replace(TABLE, columns={"other": column})


def test_an_audit_of_fewer_images_in_a_worst_case_is_refused_before_any_training(tmp_path: Path) -> None:
    columns = {"clean": None, "audit": Audit(Linf(0.1), limit=20)}
    table = Table("T", {"row": BLACK}, columns, (0,), worst=("clean", "audit"), test_limit=30)
    with pytest.raises(BadValue, match="column 'audit' of the worst case audits 20 of the 30 test images: audit all"):
        fill_table("t", table, "smoke", Workplace(tmp_path))
    assert not list(tmp_path.iterdir())
    table.check_counts(20)
    replace(table, columns={**columns, "audit": Audit(Linf(0.1))}).check_counts(30)


@pytest.mark.parametrize("seeds", [(), (0, 0), (1, 0, 1)])
def test_seeds_that_have_no_mean_are_refused(seeds: tuple[int, ...]) -> None:
    with pytest.raises(BadValue, match=re.escape(f"seeds = {seeds}")):
        replace(TABLE, seeds=seeds)


@pytest.mark.parametrize("scaled", [partial(scaled_table, TABLE), partial(scaled_figure, Figure("F", {}))])
def test_a_seed_that_is_asked_for_twice_is_refused(scaled: Callable[..., Any]) -> None:
    scaled(Scale(), (0, 1))
    with pytest.raises(BadValue, match=r"seeds = \(0, 0\)"):
        scaled(Scale(), (0, 0))


def test_an_empty_scale_changes_nothing() -> None:
    assert scaled_table(TABLE, Scale()) == TABLE


def test_every_row_and_column_shrinks_alike() -> None:
    small = Scale(
        epochs=2, limit=64, batch=16, optimizer=Adam(), train_steps=3, test_steps=5, test_limit=50, seeds=(7,)
    )
    scaled = scaled_table(TABLE, small)
    assert scaled.rows.keys() == TABLE.rows.keys()
    assert scaled.columns.keys() == TABLE.columns.keys()
    for run in scaled.rows.values():
        assert (run.epochs, run.limit, run.batch, run.optimizer) == (2, 64, 16, Adam())
        assert run.method.attack.steps == 3
    assert [getattr(attack, "steps", None) for attack in scaled.columns.values()] == [None, 5, 5, None]
    assert (scaled.seeds, scaled.test_limit) == ((7,), 50)


def test_seeds_that_are_asked_for_win() -> None:
    assert scaled_table(TABLE, Scale(seeds=(7,)), (1, 2)).seeds == (1, 2)


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


def test_a_method_that_attacks_by_itself_is_shortened_too() -> None:
    short = shortened(AWP(CAT(steps=10, step_size=0.01)), 1).method
    assert (short.steps, short.step_size) == (1, pytest.approx(0.1))
    assert shortened(CAT(steps=4), 4) == CAT(steps=4)
    assert shortened(SIMAdv(steps=3), 1) == SIMAdv(steps=3)


def test_a_share_of_a_run_keeps_its_shape() -> None:
    first = Run(epochs=None, steps=100, schedule=Steps((40, 80)))
    run = Run(epochs=None, steps=1000, schedule=Steps((400, 800)), start=Start(first, "position"))
    quarter = Scale(share=0.25, epochs=3, pretrained=False).run(run)
    assert (quarter.steps, quarter.epochs, quarter.schedule) == (250, None, Steps((100, 200)))
    assert origins(quarter) == (replace(first, steps=25, schedule=Steps((10, 20))),)
    assert Scale(share=0.001).run(Run(epochs=10)).epochs == 1


def test_a_decay_shortly_before_the_end_stays_before_it() -> None:
    """3 % of 105 epochs are 3, and of the milestone at 100 too: the rate would never decay."""
    early = Scale(share=0.03).run(Run(epochs=105, schedule=Steps((50, 100))))
    assert (early.epochs, early.schedule) == (3, Steps((1.5, round(3 * 100 / 105, 6))))
    assert Scale(share=0.03).run(Run(epochs=155, schedule=Steps((150,)))).schedule == Steps((4.5,))
    assert Scale(share=0.5).run(Run(epochs=10, schedule=Steps((10,)))).schedule == Steps((5,))


@pytest.mark.parametrize(("least", "first", "later"), [(1, 1, 10), (5, 5, 10), (40, 40, 40), (5_000, 100, 1_000)])
def test_a_short_pre_training_keeps_its_least_steps(least: int, first: int, later: int) -> None:
    run = Run(epochs=None, steps=1_000, start=Start(Run(epochs=None, steps=100), "position"))
    shorter = Scale(share=0.01, least_steps=least).run(run)
    assert (origins(shorter)[0], shorter.steps) == (Run(epochs=None, steps=first), later)
    assert Scale(share=0.5, least_steps=least).run(Run(epochs=10)) == Run(epochs=5)


def test_runs_that_a_row_or_a_column_names_shrink_with_it() -> None:
    source = Run(AT(PGD(steps=10)), start=Start(Run(limit=500)))
    table = replace(TABLE, columns={"black box": Transfer(source, PGD(steps=20))})
    scaled = scaled_table(table, Scale(limit=64, train_steps=2, test_steps=3)).columns["black box"]
    assert isinstance(scaled, Transfer)
    assert scaled.attack == PGD(steps=3)
    assert scaled.source.method == AT(PGD(steps=2))
    assert {run.limit for run in (scaled.source, *origins(scaled.source))} == {64}


BLACK = Run(epochs=2, batch=16, limit=64, optimizer=SGD(lr=0.05), data="made-up:1x8x8")


def test_a_black_box_is_judged_by_the_row_and_made_by_the_source(tmp_path: Path) -> None:
    from holdfast import load, train
    from holdfast.attacks import BIM

    attack, source = BIM(Linf(0.1), steps=3), replace(BLACK, seed=1)
    columns = {"white box": attack, "black box": Transfer(source, attack)}
    result = fill_table("t", Table("T", {"row": BLACK}, columns, seeds=(0, 5)), "smoke", Workplace(tmp_path))
    data = load(BLACK.data, "test")
    images, labels = data.take(data.labels.new_tensor(range(len(data)))), data.labels
    for place, seed in enumerate((0, 5)):
        judged = train(replace(BLACK, seed=seed), tmp_path / "j" / str(seed))
        other = train(replace(BLACK, seed=seed + 1), tmp_path / "o" / str(seed))
        for column, model in (("white box", judged), ("black box", other)):
            right = judged(attack(model, images, labels)).argmax(1) == labels
            assert result.values["row"][column][place] == pytest.approx(float(right.float().mean()))
    assert len(list((tmp_path / "runs").iterdir())) == 4


def test_a_black_box_attacks_its_source_once_for_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    attacked = Attack.__call__

    def counted(self: Attack, *given: Any, **more: Any) -> Images:
        calls.append(type(self).__name__)
        return attacked(self, *given, **more)

    monkeypatch.setattr(Attack, "__call__", counted)
    rows = {f"seed {seed}": replace(BLACK, seed=seed, epochs=1) for seed in range(3)}
    columns = {
        "black box": Transfer(replace(BLACK, seed=9, epochs=1), FGSM()),
        "from a row": Transfer(rows["seed 0"], BIM()),
    }
    fill_table("t", Table("T", rows, columns, seeds=(0,)), "smoke", Workplace(tmp_path))
    assert sorted(calls) == ["BIM", "FGSM"]


def test_a_table_with_black_boxes_comes_back_from_its_description(tmp_path: Path) -> None:
    from holdfast.experiments import read_results
    from holdfast.report.text import to_json
    from holdfast.storage.signed import write_text

    table = Table("T", {"row": BLACK}, {"black box": Transfer(replace(BLACK, seed=1), FGSM())}, seeds=(0,))
    result = fill_table("t", table, "smoke", Workplace(tmp_path))
    write_text(tmp_path / "tables" / "t.json", to_json(result))
    assert read_results(tmp_path) == [result]


def test_a_row_that_diverges_says_so_and_the_others_stand(tmp_path: Path) -> None:
    from holdfast.report import page, text_table
    from holdfast.training.loop import train

    wild = replace(BLACK, optimizer=SGD(lr=1e38))
    table = Table("T", {"calm": BLACK, "wild": wild}, {"clean": None, "FGSM": FGSM()}, (0,), worst=("clean", "FGSM"))
    result = fill_table("t", table, "smoke", Workplace(tmp_path))
    rows = {row: [str(cell) for cell in cells] for row, cells in text_table(result).rows}
    assert rows["wild"] == ["diverged"] * 3
    assert "diverged" not in rows["calm"]
    assert len(result.train_seconds["wild"]) == 0
    assert "nan%" not in page("T", [result], [])
    with pytest.raises(TrainingDiverged, match=r"diverged\.json says; delete it to try again"):
        train(wild, tmp_path / "runs" / next(path.parent.name for path in tmp_path.glob("runs/*/diverged.json")))


WILD: dict[str, Method] = {"no attack": Standard(), "attacks the network": AT(FGSM()), "distance": UnifiedEmbedding()}


@pytest.mark.parametrize("method", WILD.values(), ids=WILD.keys())
@pytest.mark.parametrize("rate", [1e3, 1e6, 1e30])
def test_whatever_the_method_a_divergence_is_one(method: Method, rate: float, tmp_path: Path) -> None:
    wild = replace(BLACK, method=method, epochs=20, optimizer=SGD(lr=rate))
    result = fill_table("t", Table("T", {"wild": wild}, {"clean": None}, (0,)), "smoke", Workplace(tmp_path))
    diverged = list(tmp_path.glob("runs/*/diverged.json"))
    assert math.isnan(result.values["wild"]["clean"][0]) == bool(diverged)
    assert bool(diverged) or rate < 1e30


def test_a_black_box_whose_source_diverged_is_one_column(tmp_path: Path) -> None:
    wild = replace(BLACK, optimizer=SGD(lr=1e38))
    columns = {"calm box": Transfer(replace(BLACK, seed=1), FGSM()), "wild box": Transfer(wild, FGSM())}
    result = fill_table(
        "t", Table("T", {"row": BLACK}, columns, (0,), worst=tuple(columns)), "smoke", Workplace(tmp_path)
    )
    values = {column: each[0] for column, each in result.values["row"].items()}
    assert math.isnan(values["wild box"])
    assert values["worst case"] == values["calm box"]


def test_the_worst_black_box_leaves_out_the_rows_own_network(tmp_path: Path) -> None:
    from holdfast.attacks import PGD

    own, other = Transfer(BLACK, PGD(Linf(1.0))), Transfer(replace(BLACK, seed=1), FGSM(Linf(0.01)))
    table = Table("T", {"row": BLACK}, {"own": own, "other": other}, (0, 3), worst=("own", "other"))
    values = fill_table("t", table, "smoke", Workplace(tmp_path)).values["row"]
    assert values["worst case"] == values["other"]
    assert values["own"] != values["other"]


def test_a_scale_may_name_a_network_for_each() -> None:
    scale = Scale(model={"cifar-resnet-20": "cifar-resnet-20-average-9"})
    models = [scale.run(Run(model=name)).model for name in ("cifar-resnet-20", "lenet")]
    assert models == ["cifar-resnet-20-average-9", "lenet"]
