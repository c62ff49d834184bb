"""Part one: attacks inside a ball. What stands after ours and after another library's, on the same images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean, stdev

import torch
import torchattacks
from parity_oracles import ORDERS, SILENT, Way, adv_lib, attacked, by_adv_lib, by_pyautoattack, by_torchattacks
from parity_setting import THREATS, Kept, Setting, ball, markdown
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor

from holdfast import L1
from holdfast.attacks import APGD, APGDT, FABT, Attack, Square
from holdfast.attacks.attack import with_seed
from holdfast.objectives import cross_entropy, dlr
from holdfast.threats import Threat

QUERIES = 1000
LEEWAY = 1e-4
"""The share of eps by which an image may be outside its ball and still count: L1 projections of others round."""
BUDGETS = (
    f"APGD: 100 steps, one start; APGD-T: 9 classes (5 in L1, as in AutoAttack); FAB-T: 9 classes, 100 steps; "
    f"Square: {QUERIES:,} queries. torchattacks with `steps=100` (its own default is 10); Square of the others with "
    "`resc_schedule=False`, as in AutoAttack; mended: with squares at the last row and column too."
)


class SquareEverywhere(SquareAttack):  # type: ignore[misc]
    """The authors' Square with the last row and the last column among its places; theirs never draws them."""

    def random_int(self, low: int, high: int, shape: Sequence[int] = (1,)) -> Tensor:
        """Return a place from `low` to `high`, both included."""
        place: Tensor = super().random_int(low, high + 1, shape)
        return place


@dataclass(frozen=True)
class Contest:
    """One attack of ours, and the same one of other libraries."""

    name: str
    ours: Attack
    theirs: dict[str, Way]
    draws: bool = True
    """Whether it draws random numbers; else one run says everything."""


def contests(threat: Threat) -> list[Contest]:
    """Return who meets whom in this ball; torchattacks knows no L1 (its FAB fails there), adv-lib no Square."""
    l1, order = isinstance(threat, L1), ORDERS[type(threat)]
    classes = 5 if l1 else 9
    bound = {"eps": threat.eps, "norm": order, "use_large_reps": l1}

    def apgd(name: str, objective: Callable[..., Tensor], loss: str) -> Contest:
        judge = by_pyautoattack(APGDAttack, threat, loss=loss, use_largereps=l1, logger=SILENT)
        theirs = {"pyautoattack": judge, "adv-lib": by_adv_lib(adv_lib.apgd, **bound, loss_function=loss)}
        if not l1:
            theirs["torchattacks"] = by_torchattacks(torchattacks.APGD, threat, steps=100, loss=loss)
        return Contest(name, APGD(threat, objective=objective), theirs)

    targeted = {
        "pyautoattack": by_pyautoattack(
            APGDAttack_targeted, threat, n_target_classes=classes, use_largereps=l1, logger=SILENT
        ),
        "adv-lib": by_adv_lib(adv_lib.apgd_targeted, **bound, num_targets=classes),
    }
    fab = {
        "pyautoattack": by_pyautoattack(FABAttack_PT, threat, targeted=True),
        "adv-lib": by_adv_lib(adv_lib.fab, norm=order, ε=threat.eps, targeted_restarts=True),
    }
    square = {
        "pyautoattack": by_pyautoattack(SquareAttack, threat, n_queries=QUERIES, resc_schedule=False),
        "pyautoattack, mended": by_pyautoattack(SquareEverywhere, threat, n_queries=QUERIES, resc_schedule=False),
    }
    if not l1:
        targeted["torchattacks"] = by_torchattacks(torchattacks.APGDT, threat, steps=100)
        fab["torchattacks"] = by_torchattacks(torchattacks.FAB, threat, steps=100, multi_targeted=True)
        square["torchattacks"] = by_torchattacks(torchattacks.Square, threat, n_queries=QUERIES, resc_schedule=False)
    return [
        apgd("APGD-CE", cross_entropy, "ce"),
        apgd("APGD-DLR", dlr, "dlr"),
        Contest("APGD-T", APGDT(threat, classes=classes), targeted),
        Contest("FAB-T", FABT(threat), fab, draws=False),
        Contest("Square", Square(threat, queries=QUERIES), square),
    ]


def run(setting: Setting, kept: Kept, only: str = "") -> str:
    """Measure everything and return the part of the page."""
    rows = []
    for threat in THREATS:
        for contest in contests(threat):
            if only in contest.name:
                rows += [Row.of(setting, kept, contest, library) for library in sorted(contest.theirs)]
    return f"{BUDGETS}\n\n{markdown([row.cells() for row in rows])}"


@dataclass(frozen=True)
class Row:
    """Ours beside one library's: for each seed and each image, whether it was broken."""

    contest: Contest
    library: str
    ours: Tensor
    theirs: Tensor
    images: int
    """All images; those that the network gets wrong by itself are broken by everybody."""

    @staticmethod
    def of(setting: Setting, kept: Kept, contest: Contest, library: str) -> "Row":
        """Measure what is not known yet."""
        network, images, labels = setting.network, setting.images, setting.labels
        seeds = range(setting.seeds if contest.draws else 1)

        def ours(seed: int) -> list[bool]:
            attack = with_seed(contest.ours, seed) if contest.draws else contest.ours
            return broken(setting, contest, attack(network, images, labels))

        def theirs(seed: int) -> list[bool]:
            return broken(setting, contest, attacked(contest.theirs[library], network, images, labels, seed))

        def each(who: str, work: Callable[[int], list[bool]]) -> Tensor:
            label = f"bounded {contest.ours.threat} {contest.name} {who}"
            return torch.tensor([kept.get(f"{label} {seed}", partial(work, seed)) for seed in seeds])

        return Row(contest, library, each(setting.ours, ours), each(library, theirs), setting.size)

    def cells(self) -> dict[str, str]:
        """Return the row as it is printed."""
        both = float((self.ours & self.theirs).sum(1).float().mean())
        alone = [float((a & ~b).sum(1).float().mean()) for a, b in ((self.ours, self.theirs), (self.theirs, self.ours))]
        difference, error = self.difference()
        return {
            "ball": ball(self.contest.ours.threat),
            "attack": self.contest.name,
            "library": self.library,
            "ours, %": self.standing(self.ours),
            "theirs, %": self.standing(self.theirs),
            "broken by both": f"{both:.1f}",
            "by ours only": f"{alone[0]:.1f}",
            "by theirs only": f"{alone[1]:.1f}",
            "ours - theirs": f"{difference:+.2f} +- {2 * error:.2f}",
            "verdict": self.verdict(),
        }

    def accuracies(self, broken: Tensor) -> list[float]:
        """Return the robust accuracy of each seed, in percent of all images."""
        return [100 * (broken.shape[1] - int(one.sum())) / self.images for one in broken]

    def standing(self, broken: Tensor) -> str:
        """Return mean and deviation over seeds."""
        values = self.accuracies(broken)
        return f"{mean(values):.2f} ({stdev(values):.2f})" if len(values) > 1 else f"{values[0]:.2f}"

    def difference(self) -> tuple[float, float]:
        """Return the difference of the means and its standard error, in points.

        Two errors add up in squares: that of the images, which are a sample (McNemar's, on the mean over seeds of each
        image's difference; for one seed it is sqrt(b + c - (b - c)^2 / n) / n), and that of the means over seeds.
        """
        each = (self.theirs.double() - self.ours.double()).mean(0)
        difference = float(each.sum()) / self.images
        spread = float(each.square().sum()) / self.images - difference**2
        of_images = math.sqrt(max(spread, 0.0) / self.images)
        series = [self.accuracies(broken) for broken in (self.ours, self.theirs)]
        of_seeds = [stdev(values) / 100 / math.sqrt(len(values)) if len(values) > 1 else 0.0 for values in series]
        return 100 * difference, 100 * math.hypot(of_images, *of_seeds)

    def verdict(self) -> str:
        """Return who breaks more, if anybody does beyond two standard errors."""
        if torch.equal(self.ours, self.theirs):
            return "the same images"
        difference, error = self.difference()
        if abs(difference) <= 2 * error:
            return "equal"
        return "**ours breaks more**" if difference < 0 else "**theirs breaks more**"


def broken(setting: Setting, contest: Contest, x: Tensor) -> list[bool]:
    """Say which images are inside the ball and wrong."""
    threat = contest.ours.threat
    inside = threat.distance(x, setting.images) <= threat.eps * (1 + LEEWAY)
    inside &= ((x >= -1e-6) & (x <= 1 + 1e-6)).flatten(1).all(1)
    return (setting.wrong(x) & inside).tolist()
