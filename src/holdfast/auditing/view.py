"""What an audit says of one way to see a defended network: what the attacker knows, and what that attacker leaves."""

from dataclasses import dataclass

from holdfast.auditing.engine_state import CLEAN, Progress
from holdfast.defences.views import AVERAGED, BARE, PARTLY, PLAIN, STRAIGHT
from holdfast.metrics import share_of

FEATURES = "feature level"
"""The view that moves the features of an image, whatever its label."""
KNOWS = {
    BARE: "the classifier, nothing of the defence (grey box)",
    PLAIN: "all, follows the network's own gradients (white box)",
    STRAIGHT: "all, follows a stand-in for each step (BPDA)",
    PARTLY: "all, follows a stand-in where a step has no gradient (BPDA)",
    AVERAGED: "all, follows the mean of many draws (EOT)",
    FEATURES: "all, moves features instead of a loss",
}
"""What the attacker knows, and what is followed, in words."""
WORST = "worst of all, image by image"
"""The name of the table's last line."""
FAR, FAR_IMAGES = 0.03, 3
"""Views differ where one breaks more than this share of the images that the other leaves, and so many at least."""


@dataclass(frozen=True)
class View:
    """One way to see a defended network, and what the fixed attacks leave that were made through it."""

    name: str
    knows: str
    """What the attacker knows, in words."""
    accuracy: float
    """The share of images that the network gets right, attacked through this view alone."""
    forwards: int
    """Passes of single images, the verification included."""
    backwards: int
    seconds: float

    @property
    def total(self) -> int:
        """Forwards and backwards together."""
        return self.forwards + self.backwards


def viewed(found: Progress, names: tuple[str, ...]) -> tuple[View, ...]:
    """Return what came of the views, by their names in the order of their moves, which are the first."""
    right = found.broken_by != CLEAN
    return tuple(
        View(
            name,
            KNOWS[name],
            share_of(right & ~found.fell[:, place]),
            int(found.spent[place + 1][0]),
            int(found.spent[place + 1][1]),
            found.spent[place + 1][2],
        )
        for place, name in enumerate(names)
    )


def table(views: tuple[View, ...], worst: float, count: int, spent: float) -> list[str]:
    """Return the lines of the table of views; `spent` are the passes an image of the whole audit."""
    wide = max(len(each.name) for each in views)
    knows = max(len(WORST) - wide - 2, *(len(each.knows) for each in views))
    rows = [(each.name, each.knows, each.accuracy, each.total / count) for each in views]
    lines = [f"{'view':<{wide}}  {'what the attacker knows':<{knows}}  accuracy  passes an image"]
    lines += [f"{name:<{wide}}  {what:<{knows}}  {100 * left:>7.2f}%  {cost:>15.1f}" for name, what, left, cost in rows]
    return [*lines, f"{WORST:<{wide + 2 + knows}}  {100 * worst:>7.2f}%  {spent:>15.1f}"]


def too_much(views: tuple[View, ...], worst: float, count: int) -> str:
    """Say how far what an attacker leaves who knows nothing of the defence is above the worst; nothing where near."""
    grey = next((each.accuracy for each in views if each.name == BARE), worst)
    gap = grey - worst
    if gap <= FAR or round(gap * count) < FAR_IMAGES:
        return ""
    return (
        f"attacks that know nothing of the defence leave {grey:.2%}, {100 * gap:.1f} points more than those that know "
        "it: where only the former are told, that much of the robustness is not there"
    )
