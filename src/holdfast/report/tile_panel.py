"""A panel of pictures in the place of axes: a row an image, a column what is shown of it."""

import base64
import textwrap
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from holdfast.analysis import AnalysisResult, Tile
from holdfast.report.canvas import Axes

SIDE = 0.8
"""Height of a row, in inches."""
GAP = 0.05
"""Between two pictures, as a share of one."""
LETTERS = 14
"""In a line of a name."""

Row = tuple[str, str]
"""A study and a row of its pictures."""


def tile_rows(studies: Mapping[str, AnalysisResult]) -> dict[Row, list[Tile]]:
    """Return the pictures of a panel row by row, study after study."""
    rows: dict[Row, list[Tile]] = {}
    for study, found in studies.items():
        for tile in found.pictures:
            rows.setdefault((study, tile.row), []).append(tile)
    return rows


def tiles_height(studies: Mapping[str, AnalysisResult]) -> float:
    """Return how much room a panel's pictures take, in inches; 0 where it has none."""
    rows = len(tile_rows(studies))
    return SIDE * rows + 0.8 if rows else 0.0


def tiles_width(studies: Mapping[str, AnalysisResult]) -> float:
    """Return how much room a panel's pictures take beside each other, in inches; 0 where it has none."""
    columns = {tile.column for found in studies.values() for tile in found.pictures}
    return SIDE * len(columns) + 0.7 if columns else 0.0


def names_height(studies: Mapping[str, AnalysisResult]) -> float:
    """Return how much room the names above the columns take, in points."""
    names = {tile.column for found in studies.values() for tile in found.pictures}
    return 6.0 + 9.0 * max(len(textwrap.wrap(name, LETTERS)) for name in names)


def draw_tiles(axes: Axes, studies: Mapping[str, AnalysisResult]) -> None:
    """Draw the pictures of a panel, with the names of rows and columns beside them."""
    rows = tile_rows(studies)
    columns = list(dict.fromkeys(tile.column for tiles in rows.values() for tile in tiles))
    tall = max(_tall(tile) for tiles in rows.values() for tile in tiles)
    axes.set_axis_off()
    axes.set_anchor("N")
    for y, ((study, row), tiles) in enumerate(rows.items()):
        words = textwrap.fill(": ".join(filter(None, (study, row))), LETTERS)
        axes.text(-GAP, tall * (y + 0.5), words, ha="right", va="center", fontsize=7)
        for tile in tiles:
            x = columns.index(tile.column)
            place = (x, x + 1 - GAP, tall * (y + 1 - GAP), tall * y)
            axes.imshow(_pixels(tile), extent=place, interpolation="nearest", aspect="equal")
    for x, column in enumerate(columns):
        words = textwrap.fill(column, LETTERS)
        axes.text(x + (1 - GAP) / 2, -GAP, words, ha="center", va="bottom", fontsize=7)
    axes.set(xlim=(0, len(columns)), ylim=(tall * len(rows), 0))


def _pixels(tile: Tile) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(tile.png))) as image:
        return np.asarray(image.convert("RGB"))


def _tall(tile: Tile) -> float:
    """Return the height of a picture as a share of its width."""
    rows, columns = _pixels(tile).shape[:2]
    return float(rows / columns)
