"""Paper 003's recipe: both readings of CIFAR-10, Table 5's seconds as cells, and the networks of Figures 1, 3 and 4."""

import math

import pytest

from holdfast.analysis import BallSaturation, PathSaturation
from holdfast.attacks import BIM
from holdfast.experiments import Figure
from holdfast.methods import ATDA, MixedAT, SIMAdv
from holdfast.papers import PAPERS
from holdfast.training.run import Run

SIM = PAPERS["sim"]
SETS = {"": "mnist", "-fmnist": "fashion-mnist", "-cifar10": "cifar10"}


@pytest.mark.parametrize("name", ["3-cifar10", "3-cifar10-resnet18"])
def test_cifar_has_the_headers_budgets_beside_the_tests(name: str) -> None:
    printed = SIM.tables[name].published
    for header, tested in (("SIM(10,20)", "SIM(4,20)"), ("BIM(10,30)", "BIM(4,10)"), ("Madry(10,30)", "Madry(4,10)")):
        assert printed[f"{header}-Adv"] == printed[f"{tested}-Adv"]
    assert printed["SIM(10,20)-Adv"]["BIM(4,20)"][0] == 43.69


@pytest.mark.parametrize(("name", "seconds"), [("", 293.22), ("-fmnist", 391.2), ("-cifar10", 26692.4)])
def test_seconds_of_table_5_are_cells(name: str, seconds: float) -> None:
    table = SIM.tables[f"5{name}"]
    assert {run.data for run in table.rows.values() if isinstance(run, Run)} == {SETS[name]}
    mean, std = table.published["SIM(10,20)-Adv"]["seconds"]
    assert (mean, math.isnan(std)) == (seconds, True)


def test_figure_1_maps_a_network_of_thirty_steps_that_just_fill_the_ball() -> None:
    figure = SIM.figures["1"]
    assert isinstance(figure, Figure)
    run = figure.panels["BIM(30,30)-Adv, BIM(30,30)"][""].run
    assert isinstance(run, Run)
    run = figure.scales["short"].run(run)
    assert isinstance(run.method, MixedAT)
    assert isinstance(run.method.attack, BIM)
    assert run.method.attack.steps == 30
    assert run.method.attack.step_size == pytest.approx(0.01)


@pytest.mark.parametrize("scale", ["short", "full-data", "full"])
def test_rows_that_differ_by_their_steps_keep_them_at_every_scale(scale: str) -> None:
    table = SIM.tables["heuristics"]
    for steps in (5, 30):
        run = table.scales[scale].run(table.rows[f"BIM({steps},{steps})-Adv"])
        assert isinstance(run.method, MixedAT)
        assert isinstance(run.method.attack, BIM)
        assert run.method.attack.steps == steps
        assert run.method.attack.step_size == pytest.approx(0.3 / steps)


@pytest.mark.parametrize("scale", ["short", "full-data", "full"])
def test_rows_that_differ_by_their_cycle_train_for_more_than_one(scale: str) -> None:
    table = SIM.tables["heuristics"]
    for row in table.rows.values():
        run = table.scales[scale].run(row)
        if isinstance(run.method, SIMAdv):
            assert run.epochs is not None
            assert run.epochs > run.method.n2


def test_atda_at_its_authors_settings_is_their_codes() -> None:
    run = SIM.tables["3-original"].rows["ATDA, batch 32"]
    assert isinstance(run, Run)
    assert isinstance(run.method, ATDA)
    assert (run.batch, run.method.spread, run.method.labels) == (32, "scatter", "predicted")


@pytest.mark.parametrize("name", SETS)
def test_figures_3_and_4_have_every_point_and_a_zoom(name: str) -> None:
    three, four = SIM.figures[f"3{name}"], SIM.figures[f"4{name}"]
    assert isinstance(three, Figure)
    assert isinstance(four, Figure)
    for study in three.panels[""].values():
        assert isinstance(study.analysis, BallSaturation)
        assert study.analysis.counts == tuple(range(31))
    whole, zoom = ([study.analysis for study in panel.values()] for panel in four.panels.values())
    for wide, near in zip(whole, zoom, strict=True):
        assert isinstance(wide, PathSaturation)
        assert isinstance(near, PathSaturation)
        assert wide.counts == near.counts == tuple(range(31))
        assert near.shown
        assert round(near.n1) in near.shown
