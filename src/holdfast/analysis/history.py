"""How a run went: what its folder tells of each epoch, as lines (Figure 6 of paper 004)."""

import json
from dataclasses import dataclass
from pathlib import Path

from holdfast.analysis.analysis import AnalysisResult, AnyAnalysis, Series
from holdfast.data import ImageSet
from holdfast.errors import BadValue, MissingData, require


@dataclass(frozen=True)
class History(AnyAnalysis):
    """Values of `metrics.jsonl` over the epochs, by name: terms of the loss, or what is measured on images held out."""

    names: tuple[str, ...] = ("held_out_clean",)

    def count(self, data: ImageSet) -> int:
        """Return that it uses no test images."""
        return 0

    def __call__(self, folder: Path) -> AnalysisResult:
        """Return a line for each name, and where it ends.

        Raises:
            MissingData: the folder has no such file.
            BadValue: an epoch of the run has no such value.
        """
        path = folder / "metrics.jsonl"
        require(path.exists(), f"{path} is missing: train the run", MissingData)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        series, numbers = {}, {}
        for name in self.names:
            known = sorted(set(lines[0]) - {"epoch", "step"}) if lines else []
            require(all(name in line for line in lines), f"{path} has no '{name}', only {', '.join(known)}", BadValue)
            values = tuple(float(line[name]) for line in lines)
            series[name] = Series(tuple(float(line["epoch"]) for line in lines), values)
            numbers[f"{name} at the end"] = values[-1]
        return AnalysisResult(series, numbers)
