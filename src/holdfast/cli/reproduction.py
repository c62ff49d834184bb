"""From a paper to a filled page: which tables, at which scale, into which folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from holdfast.errors import BadRecord, MissingData, UnknownName, require
from holdfast.experiments import run_table as filling
from holdfast.experiments.attacked_images import Pictures, picture
from holdfast.experiments.figure import Figure, scaled
from holdfast.experiments.paper import Paper
from holdfast.experiments.run_figure import WORDS, Looked, look
from holdfast.experiments.run_table import Filled, Workplace, fill
from holdfast.experiments.table import Audit, Scale, Table, Transfer
from holdfast.report.page import page
from holdfast.report.sheet import sheet, sheet_of_figure, to_json, to_latex, to_markdown, to_text
from holdfast.storage import record
from holdfast.training.dependencies import seeded
from holdfast.training.loop import Tell

FORMATS = {"text": to_text, "markdown": to_markdown, "latex": to_latex}


@dataclass(frozen=True)
class Request:
    """What of a paper is wanted, and where."""

    paper: Paper
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    scale: str | None = None
    """The paper's first scale where none is given."""
    seeds: tuple[int, ...] = ()
    data: str | None = None
    folder: Path = Path("runs/papers")
    device: str = "cpu"
    data_root: Path | None = None
    download: bool = False

    def chosen(self) -> dict[str, Table | Figure]:
        """Return the tables and figures asked for, at their scale, by name."""
        everything = not self.tables and not self.figures
        tables = {f"table {n}": self._scaled(n, self.paper.tables, "table") for n in self.tables}
        figures = {f"figure {n}": self._scaled(n, self.paper.figures, "figure") for n in self.figures}
        if everything:
            tables = {f"table {n}": self._scaled(n, self.paper.tables, "table") for n in self.paper.tables}
            figures = {f"figure {n}": self._scaled(n, self.paper.figures, "figure") for n in self.paper.figures}
        return {**tables, **figures}

    def scale_name(self) -> str:
        """Return the scale asked for, or the paper's first."""
        return self.scale or next(iter(self.paper.scales))

    def _scaled(self, number: str, known: Any, kind: str) -> Any:
        if number not in known:
            raise UnknownName(f"{kind} of {self.paper.name}", number, known)
        table: Table | Figure = known[number]
        scales = {**self.paper.scales, **table.scales}
        if self.scale_name() not in scales:
            raise UnknownName("scale", self.scale_name(), scales)
        scale: Scale = scales[self.scale_name()]
        if self.data is not None:
            scale = replace(scale, data=self.data)
        return scaled(table, scale, self.seeds) if isinstance(table, Figure) else scale.table(table, self.seeds or None)


def reproduce(request: Request, tell: Tell) -> tuple[Path, list[Filled | Looked]]:
    """Fill what is asked for, keep each table as JSON, and write one page; return the page and the tables."""
    place = Workplace(request.folder, request.device, request.data_root, request.download, tell)
    scale, paper = request.scale_name(), request.paper
    filled: list[Filled | Looked] = []
    for name, table in request.chosen().items():
        maker: Any = look if isinstance(table, Figure) else fill
        done = maker(f"{paper.name} {name}", table, scale, place)
        file = f"{paper.name}-{scale}-{name.replace(' ', '-')}-{record.fingerprint(table)[:6]}.json"
        record.write_text(request.folder / "tables" / file, to_json(done))
        filled.append(done)
    path = request.folder / "report.html"
    record.write_text(path, page(f"{paper.title} ({scale})", filled, _pictures(request, filled, place)))
    return path, filled


def _pictures(request: Request, filled: Sequence[Filled | Looked], place: Workplace) -> list[Pictures]:
    """Return attacked images of every row of the first table, where the paper says which attack to show."""
    attack = request.paper.pictures
    tables = [each.table for each in filled if isinstance(each, Filled)]
    if attack is None or not tables:
        return []
    table = tables[0]
    shown = []
    for row, run in table.rows.items():
        one = seeded(run, table.seeds[0])
        data = filling.images_of(one, table.test_limit, place)
        shown.append(picture(row, filling.network(one, data, place), attack, data))
    return shown


def render(filled: Sequence[Filled | Looked], form: str) -> str:
    """Return tables in one of the formats; JSON is one object, and tables of one name in it are numbered."""
    if form == "html":
        return page("holdfast", filled, [])
    if form == "json":
        names = [each.name for each in filled]
        return json.dumps({
            each.name if names.count(each.name) == 1 else f"{each.name} {number}": json.loads(to_json(each))
            for number, each in enumerate(filled, 1)
        })  # fmt: skip
    sheets = [sheet(each) if isinstance(each, Filled) else sheet_of_figure(each) for each in filled]
    return "\n\n".join(FORMATS[form](each) for each in sheets)


def read_tables(folder: Path) -> list[Filled | Looked]:
    """Return the tables and figures that `reproduce` left in a folder."""
    found = sorted((folder / "tables").glob("*.json"))
    if not found:
        raise MissingData(f"{folder} holds no tables: give the folder that holdfast reproduce wrote to")
    known = {
        **WORDS,
        "Filled": Filled,
        "Looked": Looked,
        "Table": Table,
        "Scale": Scale,
        "Transfer": Transfer,
        "Audit": Audit,
    }
    tables = []
    for path in found:
        remedy = "run holdfast reproduce again"
        described = record.read_json(path, remedy)
        try:
            table = record.restore(described, known)
        except (BadRecord, TypeError) as error:
            raise BadRecord(f"{path} was written by another version ({error}): {remedy}") from error
        require(isinstance(table, Filled | Looked), f"{path} holds no table: {remedy}", BadRecord)
        tables.append(table)
    return tables
