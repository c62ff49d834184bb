"""Papers that do not come with holdfast: in a file of one's own, and in another distribution."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import BadValue
from holdfast.papers import PAPERS
from tests.cli.saying import said

CODE = """
from holdfast import Linf, Run
from holdfast.attacks import FGSM
from holdfast.experiments import Paper, Scale, Table
from holdfast.methods import Standard

SCALE = Scale(data="digits", epochs=1, limit=64, test_limit=32)
TABLE = Table("Table 1: mine", {"plain": Run(Standard())}, {"clean": None, "FGSM": FGSM(Linf(0.1))})
GONE = {"Figure 2": "a drawing", "Table 1, row of <CAT>": "its weights cannot be had"}
MINE = Paper("mine", "A paper of my own", {"smoke": SCALE}, {"1": TABLE}, left_out=GONE)
number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a_paper.py").write_text(CODE)
    return tmp_path / "a_paper.py"


@pytest.fixture
def installed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make of the file a distribution that names its paper `mine`, and one that names what is no paper."""
    about = file.parent / "of_mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: of-mine\nVersion: 1.0\n")
    points = "mine = a_paper:MINE\nnone = a_paper:number\ngone = a_paper:missing\n"
    (about / "entry_points.txt").write_text(f"[holdfast.papers]\n{points}")
    monkeypatch.syspath_prepend(file.parent)
    monkeypatch.delitem(sys.modules, "a_paper", raising=False)


def test_a_paper_in_a_file_is_reproduced(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "reproduce", f"{file}:MINE", "--folder", tmp_path / "runs", "--json")
    assert status == 0
    assert list(json.loads(out)) == ["mine table 1"]
    assert "A paper of my own" in (tmp_path / "runs" / "report.html").read_text()


def test_what_a_recipe_leaves_out_is_said_with_the_reason(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = said(capsys, "reproduce", f"{file}:MINE", "--folder", tmp_path / "runs")
    assert status == 0
    assert "  Figure 2: a drawing\n  Table 1, row of <CAT>: its weights cannot be had\n" in out
    written = (tmp_path / "runs" / "report.html").read_text()
    assert "<li>Table 1, row of &lt;CAT&gt;: its weights cannot be had</li>" in written
    status, _, err = said(capsys, "reproduce", f"{file}:MINE", "--figure", "2", "--folder", tmp_path / "runs")
    assert (status, err) == (2, "holdfast: figure 2 of mine is not here: a drawing\n")
    with pytest.raises(BadValue, match="Table 1 of mine is left out and there"):
        replace(PAPERS["demo"], name="mine", left_out={"Table 1": "too long"})


OWN = """
from dataclasses import dataclass

from holdfast.methods import Standard


@dataclass(frozen=True)
class Soft(Standard):
    pass
"""


def test_a_table_of_ones_own_classes_hides_no_other(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = file.with_name("own_paper.py")
    own.write_text(OWN + CODE.replace("Run(Standard())", "Run(Soft())").replace('"mine", ', '"soft", '))
    for paper in (file, own):
        assert said(capsys, "reproduce", f"{paper}:MINE", "--folder", tmp_path / "runs", "--json")[0] == 0
    status, out, err = said(capsys, "report", tmp_path / "runs", "--format", "json")
    assert (status, list(json.loads(out))) == (2, ["mine table 1"])
    assert err.count("\n") == 1
    for word in ("soft-smoke-table-1", "'Soft'", "run holdfast reproduce FILE.py:PAPER again; it prints this table"):
        assert word in err
    for path in (tmp_path / "runs" / "tables").glob("mine-*"):
        path.unlink()
    status, out, err = said(capsys, "report", tmp_path / "runs", "--out", tmp_path / "out.txt")
    assert (status, out, err.count("\n"), (tmp_path / "out.txt").exists()) == (2, "", 1, False)


TALKS = """
from dataclasses import dataclass

from holdfast.methods import Standard

print("hello from the file")


@dataclass(frozen=True)
class Loud(Standard):
    def loss(self, model, batch, memory):
        print("hello from the method")
        return super().loss(model, batch, memory)
"""


def test_what_a_file_prints_is_no_part_of_the_json(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(TALKS + CODE.replace("Run(Standard())", "Run(Loud())"))
    status, out, err = said(capsys, "reproduce", f"{file}:MINE", "--folder", tmp_path / "runs", "--json")
    assert (status, list(json.loads(out))) == (0, ["mine table 1"])
    for word in ("hello from the file", "hello from the method"):
        assert word in err


@pytest.mark.usefixtures("installed")
def test_an_installed_paper_is_listed_and_reproduced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "list", "papers")
    assert "a_paper:MINE" in out
    assert "cascade" in out
    status, out, _ = said(capsys, "reproduce", "mine", "--folder", tmp_path / "runs", "--json")
    assert (status, list(json.loads(out))) == (0, ["mine table 1"])


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "wrong"),
    [("a_paper.py:MIN", "'MINE'"), ("a_paper.py:number", "'number'"), ("no.py:MINE", "no.py"), ("none", "int"),
     ("gone", "missing"), ("cascadee", "'cascade'"), ("mine.py", "'mine'")],
)  # fmt: skip
def test_what_is_no_paper_is_one_line(
    name: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = said(capsys, "reproduce", name)
    assert (status, err.count("\n")) == (2, 1)
    assert wrong in err


def test_a_strangers_module_called_papers_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("papers", "recipes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ValueError")
    monkeypatch.syspath_prepend(tmp_path)
    status, out, _ = said(capsys, "list", "papers")
    assert status == 0
    assert {"cl", "cascade", "demo", "sim"} <= set(out.split())
