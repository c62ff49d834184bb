import json
from dataclasses import replace

from holdfast.experiments import TableResult
from holdfast.report import text_table, to_json, to_latex, to_markdown, to_text

from .conftest import NASTY


def test_ours_and_the_papers_stand_side_by_side(result: TableResult) -> None:
    shown = text_table(result)
    assert shown.columns == ("clean", "FGSM", "_PGD|10", "worst case")
    row, cells = shown.rows[0]
    assert row == "AT"
    assert (cells[0].ours, cells[0].theirs) == ("85.0 (7.1)", "87.30 (0.25)")
    assert [str(cell) for cell in cells] == [
        "85.0 (7.1) | 87.30 (0.25)",
        "50.0 (0.0) | 56.10",
        "41.0 (1.4)",
        "30.5 (0.7)",
    ]


def test_notes_say_how_much_a_number_is_worth(result: TableResult) -> None:
    notes = "\n".join(text_table(result).below)
    for words in ("upper bound", "500 test images", "over 2 seeds", "95 %", "+-4.4", "2 CPU threads", "<b>more</b>"):
        assert words in notes


def test_one_seed_has_no_deviation(drawn: TableResult) -> None:
    shown = text_table(drawn)
    assert [str(cell) for cell in shown.rows[1][1]] == ["40.0", "98.0", "60.0"]
    assert "seed 0" in shown.how_to_read[0]


def test_text_stands_in_columns(result: TableResult) -> None:
    lines = to_text(text_table(result)).splitlines()
    table = [line for line in lines if "clean" in line or line.startswith(("AT", NASTY))]
    assert len(table) == 3
    assert len({len(line) for line in table}) == 1


def test_markdown_has_as_many_cells_in_every_line(result: TableResult) -> None:
    lines = [line for line in to_markdown(text_table(result)).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}


def test_latex_escapes_what_it_would_read_as_a_command(result: TableResult) -> None:
    text = to_latex(text_table(result))
    assert r"50\% \&" in text
    assert r"a\_b" in text
    assert r"\$x\$" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 3
    assert {line.replace(r"\&", "").count("&") for line in rows} == {4}


def test_json_keeps_every_seed_and_every_name(result: TableResult) -> None:
    kept = json.loads(to_json(result))
    assert kept["values"][NASTY]["_PGD|10"] == [0.6, 0.61]
    assert kept["values"]["AT"]["clean"] == [0.9, 0.8]
    assert kept["table"]["rows"]["AT"]["method"]["kind"] == "AT"
    assert kept["count"] == 500
    assert kept["table"]["published"]["AT"]["FGSM"][1] == "nan"  # JSON has no word for it


def test_a_table_without_published_values_does_not_speak_of_them(result: TableResult) -> None:
    shown = text_table(replace(result, table=replace(result.table, published={})))
    assert not any(cell.theirs for cell in shown.rows[0][1])
    assert not any("paper's" in note for note in shown.below)
