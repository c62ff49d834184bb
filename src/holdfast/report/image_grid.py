"""A grid of what an attack did to a few images: the originals, the attacked images, the change between them."""

import base64
from collections.abc import Sequence
from io import BytesIO

import torch
from torch import Tensor

from holdfast.errors import BadValue
from holdfast.experiments.attacked_images import Pictures
from holdfast.report.canvas import Canvas, canvas
from holdfast.types import Images

DPI = 200
SIDE = 240
"""How large an image is drawn, about, in pixels."""
GAP, MARGIN, LINE = 20, 150, 30
"""Pixels between two images, left of the first, and for a line of text."""
LONGEST = 18
"""Letters that fit above an image."""
WRONG, RIGHT = "#b3001b", "#1b6e20"


def gallery(pictures: Pictures) -> str:
    """Return a PNG as a data URI: the originals, the attacked images, and the change, amplified around grey."""
    if len(pictures.images) == 0:
        raise BadValue(f"'{pictures.name}' holds no image to show")
    change = (0.5 + pictures.gain * (pictures.attacked - pictures.images)).clamp(0, 1)
    words = [_words(before, after) for before, after in pictures.readings]
    room = LINE * max(text.count("\n") + 1 for text in words)
    original, attacked, changed = (_row(images) for images in (pictures.images, pictures.attacked, change))
    height, width = attacked.shape[0], attacked.shape[1]
    sheet = torch.ones(3 * height + 2 * GAP + room, MARGIN + width, 3)
    tops = (0, height + GAP + room, 2 * (height + GAP) + room)
    for top, row in zip(tops, (original, attacked, changed), strict=True):
        sheet[top : top + height, MARGIN:] = row
    with canvas(sheet.shape[1] / DPI, sheet.shape[0] / DPI, DPI) as figure:
        figure.figimage(sheet.numpy())
        names = ("original", "attacked", f"change\n\N{MULTIPLICATION SIGN} {pictures.gain:.3g}")
        for top, name in zip(tops, names, strict=True):
            # Without a transform, matplotlib counts pixels from the lower left corner.
            y = len(sheet) - top - height / 2
            figure.text(MARGIN - GAP, y, name, transform=None, ha="right", va="center")
        _write(figure, words, pictures.after == pictures.labels, width, len(sheet) - tops[1])
        return _data_uri(figure)


def _row(images: Images) -> Tensor:
    """Return the images side by side as (rows, columns, 3), each pixel grown to a square, with white between."""
    shown = images if images.shape[1] == 3 else images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    zoom = max(1, round(SIDE / max(shown.shape[2:])))
    grown = shown.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)
    return torch.nn.functional.pad(grown, (0, GAP), value=1.0).permute(2, 0, 3, 1).flatten(1, 2)


def _write(figure: Canvas, words: Sequence[str], right: Tensor, width: int, bottom: int) -> None:
    """Write what the network saw above each attacked image: red where it is wrong, green where it is still right."""
    step = width / len(words)
    for place, (text, held) in enumerate(zip(words, right.tolist(), strict=True)):
        x, colour = MARGIN + place * step + (step - GAP) / 2, RIGHT if held else WRONG
        figure.text(x, bottom + 5, text, transform=None, ha="center", va="bottom", color=colour, fontsize=8)


def _words(before: str, after: str) -> str:
    """Set two classes on one line where that is no wider than an image, else on two, cut to its width."""
    if len(before) + len(after) <= LONGEST - 3:
        return f"{before} → {after}"
    return f"{_cut(before)}\n→ {_cut(after)}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST - 2 else name[: LONGEST - 3] + "…"


def _data_uri(figure: Canvas) -> str:
    written = BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()
