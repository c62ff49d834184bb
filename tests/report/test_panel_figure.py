"""Figures of panels: drawn the same every time, read back from disk, shown as text, computed once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from holdfast import ImageSet, analysis
from holdfast.analysis import (
    Analysis,
    AnalysisResult,
    AnyAnalysis,
    AttentionMaps,
    BallSaturation,
    Embedding,
    NearestImages,
    PathSaturation,
    Series,
    SoftmaxArguments,
    Tile,
)
from holdfast.analysis.tiles import png
from holdfast.attacks import BIM
from holdfast.errors import BadRecord, BadValue
from holdfast.experiments import Figure, FigureResult, Scale, Study, Workplace, fill_figure
from holdfast.experiments.figure import scaled_figure
from holdfast.experiments.images_of_run import images_of, training_images_of
from holdfast.experiments.run_figure import WORDS
from holdfast.experiments.trained import loaded_network
from holdfast.report import page, panels, text_table, to_json
from holdfast.report.canvas import COLOURS, MARKERS, RED
from holdfast.report.panel_figure import _looks, _numbers, images_and_seed
from holdfast.report.tile_panel import SIDE, names_height, tiles_width
from holdfast.storage.describe import describe, restore
from holdfast.storage.signed import read_json, write_json, write_text
from holdfast.training.optimizers import SGD
from holdfast.training.run import Run

from .conftest import NASTY

RUN = Run(data="made-up:1x8x8", epochs=1, limit=32, batch=16)
LINES = AnalysisResult({NASTY: Series((0.0, 1.0), (0.5, 1.0), (0.4, 0.9), (0.6, 1.1))}, {"end": 0.25})
POINTS = AnalysisResult({"_points": Series((1.0, 2.0), (3.0, 4.0), joined=False)}, {"purity": 0.75})


@pytest.fixture
def result() -> FigureResult:
    study = Study(RUN, BallSaturation())
    seen: Mapping[str, Mapping[str, AnalysisResult]] = {"lines": {"AT": LINES, "": LINES}, "cloud": {"": POINTS}}
    figure = Figure(f"Figure 1: {NASTY}", {"lines": {"AT": study, "": study}, "cloud": {"": study}}, x="n", y="rho")
    return FigureResult("cl figure 1", figure, "smoke", seen, 64, {"hardware": "2 CPU threads"})


def test_a_figure_of_panels_is_xml_and_the_same_every_time(result: FigureResult) -> None:
    text = panels(result)
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert panels(result) == text
    assert "purity 0.75" in text
    assert "_points" in text


def test_a_log_axis_has_numbers_and_no_formulas(result: FigureResult) -> None:
    lines = AnalysisResult({"a": Series((0.1, 1.0, 10.0), (0.0, 0.5, 1.0))}, {})
    log = replace(
        result, figure=replace(result.figure, x_scale="log"), results={"lines": {"": lines}, "cloud": {"": lines}}
    )
    assert "mathdefault" not in panels(log)


def test_what_is_marked_is_a_red_circle_and_nothing_else_is_red(result: FigureResult) -> None:
    clouds = {f"class {n}": Series((1.0, 2.0), (float(n), 4.0), joined=False) for n in range(10)}
    attacked = {"class 3, attacked": Series((1.0,), (2.0,), joined=False, marked=True)}
    marked = replace(result, results={"lines": {"": POINTS}, "cloud": {"": AnalysisResult(clouds | attacked)}})
    looks = _looks(marked)
    assert looks["class 3, attacked"] == (RED, "o")
    assert len({looks[name].colour for name in clouds}) == 10
    assert not any(look == RED or shape == "o" for name, (look, shape) in looks.items() if name in clouds)
    assert _looks(result)["_points"] == (COLOURS[2], MARKERS[2])
    assert RED.lower() in panels(marked)


def test_panels_stand_in_rows_of_a_given_length(result: FigureResult) -> None:
    def size(across: int) -> list[float]:
        drawn = panels(replace(result, figure=replace(result.figure, across=across)))
        return [float(number) for number in ElementTree.fromstring(drawn).attrib["viewBox"].split()[2:]]

    (wide, low), (narrow, high) = size(2), size(1)
    assert wide > narrow
    assert high > low
    assert "across" not in to_json(result)
    with pytest.raises(BadValue, match="across = 0"):
        replace(result.figure, across=0)


@pytest.fixture
def pictured(result: FigureResult) -> FigureResult:
    """A panel of pictures beside one of lines."""
    tiles = [
        Tile(row, column, png(torch.full((3, 4, 6), shade)))
        for shade, row in enumerate((NASTY, "deer, read as frog"))
        for column in ("attacked", "map")
    ]
    found = AnalysisResult({}, {"misread": 0.5}, tuple(tiles))
    return replace(result, results={"lines": {"AT": LINES}, "cloud": {"": found}})


def test_pictures_stand_in_the_place_of_axes(pictured: FigureResult) -> None:
    drawn = panels(pictured)
    assert "<image" in drawn
    assert all(f"<!-- {name} -->" in drawn for name in ("attacked", "map", "frog"))
    assert panels(pictured) == drawn
    only = replace(pictured.figure, panels={"cloud": pictured.figure.panels["cloud"]})
    assert "misread 0.5" in panels(replace(pictured, figure=only))  # without any line, no legend


def test_pictures_are_said_in_words_and_come_back_from_disk(pictured: FigureResult, tmp_path: Path) -> None:
    html = page("Report", [pictured], [])
    assert "deer, read as frog: attacked; map" in html
    assert "<script>alert" not in html
    assert ["cloud", "", "", "", "0.5"] in text_table(pictured).lines
    write_text(tmp_path / "figure.json", to_json(pictured))
    assert restore(read_json(tmp_path / "figure.json", ""), {**WORDS, "FigureResult": FigureResult}) == pictured
    assert "pictures" not in describe(LINES)  # type: ignore[operator]
    with pytest.raises(BadValue, match="series or pictures"):
        AnalysisResult(LINES.series, {}, pictured.results["cloud"][""].pictures)


def test_a_line_is_called_by_its_study_and_its_own_name(result: FigureResult) -> None:
    assert [name for name, _ in result.labelled("lines")] == [f"AT, {NASTY}", NASTY]
    assert [name for name, _ in result.labelled("cloud")] == ["_points"]


def test_what_was_seen_stands_in_text_and_on_the_page(result: FigureResult) -> None:
    shown = text_table(result)
    assert shown.columns == ("0", "1", "end", "purity")
    assert shown.lines[1] == [f"lines: AT, {NASTY}", "0.5", "1", "", ""]
    assert ["cloud", "", "", "", "0.75"] in shown.lines
    html = page("Report", [result], [])
    assert "<script>alert" not in html
    assert "data:image/svg+xml" in html


def test_a_figure_comes_back_from_disk(result: FigureResult, tmp_path: Path) -> None:
    write_text(tmp_path / "figure.json", to_json(result))
    back = restore(read_json(tmp_path / "figure.json", ""), {**WORDS, "FigureResult": FigureResult})
    assert back == result


def test_nobody_looks_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def told(self: Analysis, model: nn.Module, data: ImageSet, seed: int) -> AnalysisResult:
        asked.append(len(data))
        return LINES

    monkeypatch.setattr(BallSaturation, "__call__", told)
    figure = Figure("f", {"": {"": Study(RUN, BallSaturation())}}, test_limit=7)
    for _ in range(2):
        done = fill_figure("f", figure, "smoke", Workplace(tmp_path))
        assert done.results[""][""] == LINES
        assert done.count == 7
    assert asked == [7]
    path = next((tmp_path / "analyses").iterdir())
    write_json(path, {"name": "another", "seen": LINES})
    with pytest.raises(BadRecord, match=f"{path.name} is of another analysis: delete it"):
        fill_figure("f", figure, "smoke", Workplace(tmp_path))


def test_training_images_are_seen_by_who_asks_for_them_and_loaded_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, looking = replace(RUN, held_out=4), NearestImages(BIM(steps=1), images=2)
    asking = Figure("f", {"": {"": Study(run, looking)}}, test_limit=7)
    done = fill_figure("f", asking, "smoke", Workplace(tmp_path))
    train_set, data = training_images_of(run, Workplace(tmp_path)), images_of(run, 7, Workplace(tmp_path))
    assert len(train_set) == 28
    network = loaded_network(run, data, Workplace(tmp_path))
    assert done.results[""][""] == looking(network, data, train_set, 0)
    assert done.count == 2
    monkeypatch.setattr("holdfast.experiments.run_figure.training_images_of", None)
    fill_figure("f", replace(asking, panels={"": {"": Study(run, BallSaturation())}}), "smoke", Workplace(tmp_path))
    with pytest.raises(TypeError):
        fill_figure("f", asking, "smoke", Workplace(tmp_path))


def test_a_figure_counts_the_images_that_are_looked_at(tmp_path: Path) -> None:
    looking = SoftmaxArguments(eps=(0.0, 1.0), images=5)
    done = fill_figure("f", Figure("f", {"": {"": Study(RUN, looking)}}), "smoke", Workplace(tmp_path))
    assert done.count == 5


def test_a_network_that_diverged_is_an_empty_panel(tmp_path: Path) -> None:
    wild, looking = replace(RUN, epochs=4, optimizer=SGD(lr=1e38)), SoftmaxArguments(eps=(0.0, 1.0), images=5)
    figure = Figure("f", {"calm": {"": Study(RUN, looking)}, "wild": {"": Study(wild, looking)}}, x="eps")
    done = fill_figure("f", figure, "smoke", Workplace(tmp_path))
    assert done.results["wild"][""] == AnalysisResult({}, {"training diverged": 1.0})
    assert "training diverged 1" in panels(done)
    assert any(line[0] == "wild" and "1" in line for line in text_table(done).lines)


def test_a_scale_shrinks_runs_and_attacks_of_a_figure() -> None:
    figure = Figure("f", {"a": {"b": Study(RUN, Embedding(BIM(steps=30)))}})
    small = scaled_figure(figure, Scale(epochs=3, test_steps=2, test_limit=5, seeds=(4, 5)))
    study = small.panels["a"]["b"]
    assert study == Study(replace(RUN, epochs=3), Embedding(BIM(steps=2)))
    assert (small.seed, small.test_limit) == (4, 5)
    assert scaled_figure(figure, Scale(), (9,)).seed == 9


@pytest.mark.parametrize("kind", [AttentionMaps, BallSaturation, Embedding, NearestImages, PathSaturation])
def test_an_analysis_is_a_value_that_comes_back_from_its_description(kind: type[AnyAnalysis]) -> None:
    assert kind.__name__ in analysis.__all__
    assert restore(describe(kind()), WORDS) == kind()


def test_a_series_pairs_its_coordinates() -> None:
    with pytest.raises(BadValue, match="2 x, 1 y"):
        Series((0.0, 1.0), (0.0,))


def test_many_pictures_and_numbers_have_room(result: FigureResult) -> None:
    tiles = tuple(Tile("row", f"Grad-CAM of wrong class {n}, attacked", png(torch.rand(3, 4, 4))) for n in range(7))
    seen = AnalysisResult({}, {f"correlation of the map {n}": 0.5 for n in range(6)}, tiles)
    shown = replace(
        result, results={"lines": {"": seen}, "cloud": {"": POINTS}}, figure=replace(result.figure, notes=("blue",))
    )
    assert tiles_width({"": seen}) > 7 * SIDE
    assert names_height({"": seen}) >= 3 * 9  # a name of three lines pushes the title up
    assert len(_numbers(shown, "lines")) == 2
    assert images_and_seed(shown).endswith("; blue")
