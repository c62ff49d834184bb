"""Results in the formats that people and programs read: text, Markdown, LaTeX, JSON, HTML."""

import json
from collections.abc import Sequence
from typing import Literal

from holdfast.experiments.result import Result
from holdfast.report.html_paper import page
from holdfast.report.text import text_table, to_json, to_latex, to_markdown, to_text

Format = Literal["text", "markdown", "latex", "json", "html"]
OF_TABLES = {"text": to_text, "markdown": to_markdown, "latex": to_latex}


def render(results: Sequence[Result], form: Format) -> str:
    """Return results in one of the formats; JSON is one object, and results of one name in it are numbered."""
    if form == "html":
        return page("holdfast", results, [])
    if form == "json":
        names = [each.name for each in results]
        return json.dumps({
            each.name if names.count(each.name) == 1 else f"{each.name} {number}": json.loads(to_json(each))
            for number, each in enumerate(results, 1)
        })  # fmt: skip
    return "\n\n".join(OF_TABLES[form](text_table(each)) for each in results)
