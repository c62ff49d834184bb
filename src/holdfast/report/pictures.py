"""What an attack did to a few images, to be looked at: the original, the attacked image, the change between them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import torch
from torch import Tensor, nn

from holdfast.attacks import Attack
from holdfast.attacks.attack import with_seed
from holdfast.data import ImageSet
from holdfast.data.order import permutation
from holdfast.errors import BadValue, require
from holdfast.evaluation import judge
from holdfast.objectives import is_correct
from holdfast.report.figures import Canvas, canvas
from holdfast.types import Images, Labels

LOOKED_AT = 500
"""Images among which the pictures are chosen; a look at a whole test set would show nothing more."""
DPI = 200
SIDE = 240
"""How large an image is drawn, about, in pixels."""
GAP, MARGIN, LINE = 20, 150, 30
"""Pixels between two images, left of the first, and for a line of text."""
LONGEST = 18
"""Letters that fit above an image."""
WRONG, RIGHT = "#b3001b", "#1b6e20"


@dataclass(frozen=True, eq=False)
class Pictures:
    """A few images that a network gets right, and what it made of them after an attack."""

    name: str
    images: Images
    attacked: Images
    labels: Labels
    before: Labels
    """The class that the network saw in each image."""
    after: Labels
    """The class that it saw in the attacked one."""
    classes: tuple[str, ...]

    @property
    def fooled(self) -> int:
        """How many of them the network gets wrong after the attack."""
        return int((self.after != self.labels).sum())

    @property
    def gain(self) -> float:
        """What multiplies the changes when they are shown, so that the largest of them is black or white."""
        largest = float((self.attacked - self.images).abs().max()) if len(self.images) else 0.0
        return 0.5 / largest if largest > 0 else 1.0

    @property
    def readings(self) -> list[tuple[str, str]]:
        """What the network saw, before and after, image by image."""
        seen = zip(self.before.tolist(), self.after.tolist(), strict=True)
        return [(self.classes[before], self.classes[after]) for before, after in seen]


def picture(name: str, model: nn.Module, attack: Attack, data: ImageSet, count: int = 8, seed: int = 0) -> Pictures:
    """Return up to `count` images that the network gets right, attacked; of each class one, before a class has two.

    The seed decides which images are looked at, and where the attack starts.
    """
    require(count >= 1, f"count = {count}, not 1 or more")
    looked_at = permutation(len(data), "pictures", seed)[:LOOKED_AT].to(data.device)
    right = [is_correct(judge(model, part.images), part.labels) for part in data.batches(100, looked_at)]
    chosen = _choice(looked_at[torch.cat(right)], data.labels, count)
    images, labels = data.take(chosen), data.labels[chosen]
    attacked = with_seed(attack, seed)(model, images, labels)
    after = judge(model, attacked).argmax(1) if len(chosen) else labels
    labels = labels.cpu()
    return Pictures(name, images.cpu(), attacked.cpu(), labels, labels, after.cpu(), data.classes)


def _choice(candidates: Tensor, labels: Tensor, count: int) -> Tensor:
    """Return `count` of the candidates, the first of every class before any second, sorted by class."""
    if len(candidates) == 0:
        return candidates
    theirs = labels[candidates]
    rank = torch.nn.functional.one_hot(theirs).cumsum(0).gather(1, theirs[:, None])[:, 0]
    chosen = candidates[rank.argsort(stable=True)[:count]]
    return chosen[labels[chosen].argsort(stable=True)]


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
