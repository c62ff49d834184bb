"""How a run went, and what defences make of images, as parts of a figure."""

from pathlib import Path

import pytest

from holdfast.analysis import History, PurifiedImages
from holdfast.attacks import PGD
from holdfast.defences import BitDepth
from holdfast.errors import BadValue
from holdfast.experiments import Defended, Figure, Study, Workplace, fill_figure
from holdfast.experiments.stored_results import keep, read_results
from holdfast.report import page
from holdfast.threats import Linf
from holdfast.training.run import Run

RUN = Run(data="made-up:3x8x8", epochs=3, limit=64, batch=16, held_out=16)


def figure(row: Run | Defended, analysis: History | PurifiedImages) -> Figure:
    return Figure("a figure", {"panel": {"": Study(row, analysis)}}, test_limit=40)


def test_a_history_has_a_point_an_epoch_of_the_purifier_or_the_run(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    result = fill_figure("f", figure(RUN, History(("held_out_clean",))), "smoke", place)
    (series,) = result.results["panel"][""].series.values()
    assert series.x == (1.0, 2.0, 3.0)
    assert all(0 <= value <= 1 for value in series.y)
    keep(result, tmp_path, "f")
    assert read_results(tmp_path) == [result]
    with pytest.raises(BadValue, match=r"'held_out_robust', only .*held_out_clean"):
        fill_figure("f", figure(RUN, History(("held_out_robust",))), "smoke", place)


def test_purified_images_stand_between_attacked_and_clean_ones(tmp_path: Path) -> None:
    way = PurifiedImages(PGD(Linf(0.1), steps=2), images=3)
    result = fill_figure("f", figure(Defended(RUN, (BitDepth(1),)), way), "smoke", Workplace(tmp_path))
    tiles = result.results["panel"][""].pictures
    assert [tile.row for tile in tiles] == [row for row in ("attacked", "purified", "clean") for _ in range(3)]
    assert len({tile.png for tile in tiles}) == 9
    assert "purified" in page("t", [result], [])
