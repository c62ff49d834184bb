"""Part three: attacks that look for the shortest way. How many images each breaks, and how far it goes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torchattacks
from foolbox import attacks as foolbox
from parity_oracles import (
    ALMA_SETTINGS,
    ORDERS,
    Way,
    adv_lib,
    attacked,
    by_adv_lib,
    by_foolbox,
    by_pyautoattack,
    by_torchattacks,
    fab_t_to_the_end,
    plain_torchattacks,
)
from parity_setting import Kept, Setting, markdown, name_of
from pyautoattack.fab_pt import FABAttack_PT
from torch import Tensor

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import (
    ALMA,
    CWL2,
    DDN,
    FAB,
    FABT,
    FMN,
    PDGD,
    PDPGD,
    Attack,
    DeepFool,
    RayS,
    SigmaZero,
    SuperDeepFool,
)
from holdfast.threats import Threat

FAR: dict[type[Threat], float] = {Linf: 1.0, L2: 1e6, L1: 1e6}
"""An eps that cuts nothing, for libraries that know no infinity."""
CLOSE = 0.02
"""The share by which medians may differ and count as equal."""


@dataclass(frozen=True)
class Race:
    """One attack of ours and one of another library, the same or a yardstick."""

    budget: str
    ours: Attack
    library: str
    name: str
    theirs: Way
    inside: bool = False
    """Whether the images are shrunk to [0.05, 0.95] first."""


def races() -> Iterator[Race]:
    """Return who meets whom."""
    ddn = by_adv_lib(adv_lib.ddn, steps=100, levels=None)
    yield Race("100 steps", DDN(steps=100), "adv-lib", "DDN", ddn)
    for kind, order in ORDERS.items():
        theirs = by_adv_lib(adv_lib.fmn, norm=order, steps=100)
        yield Race("100 steps", FMN(kind(math.inf), steps=100), "adv-lib", "FMN", theirs)
    yield Race("100 steps", FMN(L2(math.inf), steps=100), "adv-lib", "DDN (yardstick)", ddn)
    theirs = by_adv_lib(adv_lib.sigma_zero, num_steps=100)
    yield Race("100 steps", SigmaZero(steps=100), "adv-lib", "sigma-zero", theirs)
    yield from deepfool()
    yield from carlini_wagner()
    yield from fab()
    yield from alma()
    yield from primal_dual()
    yield from labels_alone()


def deepfool() -> Iterator[Race]:
    """Return DeepFool."""
    theirs = plain_torchattacks(torchattacks.DeepFool, steps=50, overshoot=0.02)
    yield Race("50 steps", DeepFool(L2(math.inf)), "torchattacks", "DeepFool", theirs)
    for kind in (L2, Linf):
        theirs = by_adv_lib(adv_lib.df, steps=50, overshoot=0.02, norm=ORDERS[kind])
        yield Race("50 steps", DeepFool(kind(math.inf)), "adv-lib", "DeepFool", theirs)
    yield Race("100 rounds", SuperDeepFool(), "adv-lib", "SuperDeepFool", by_adv_lib(adv_lib.sdf))


def carlini_wagner() -> Iterator[Race]:
    """Return the attack of Carlini and Wagner, with a search for the constant and without."""
    words, ours = "6 x 100 steps", CWL2(steps=100, searches=6, step_size=0.05, initial_constant=0.02)
    common: dict[str, Any] = {"confidence": 0.0, "abort_early": False, "initial_const": 0.02, "binary_search_steps": 6}
    theirs = by_adv_lib(adv_lib.carlini_wagner_l2, max_iterations=100, learning_rate=0.05, **common)
    yield Race(words, ours, "adv-lib", "CW L2", theirs)
    theirs = by_foolbox(foolbox.L2CarliniWagnerAttack(steps=100, stepsize=0.05, **common), None)
    yield Race(words, ours, "foolbox", "CW L2", theirs)
    words, ours = "c = 2, 100 steps", CWL2(steps=100, searches=1, step_size=0.02, initial_constant=2.0)
    theirs = plain_torchattacks(torchattacks.CW, c=2.0, steps=100, lr=0.02)
    yield Race(words, ours, "torchattacks", "CW", theirs)
    yield Race(f"{words}, grey images", ours, "torchattacks", "CW", theirs, inside=True)


def fab() -> Iterator[Race]:
    """Return FAB and FAB-T without an eps."""
    for kind in (Linf, L2, L1):
        free, words, far = FAB(kind(math.inf), steps=20), "20 steps", kind(FAR[kind])
        yield Race(words, free, "pyautoattack", "FAB", by_pyautoattack(FABAttack_PT, far, n_iter=20))
        yield Race(words, free, "adv-lib", "FAB", by_adv_lib(adv_lib.fab, norm=ORDERS[kind], n_iter=20))
        if kind is not L1:
            yield Race(words, free, "torchattacks", "FAB", by_torchattacks(torchattacks.FAB, far, steps=20))
        towards, words = FABT(kind(math.inf), steps=20), "9 x 20 steps"
        yield Race(words, towards, "pyautoattack", "FAB-T", fab_t_to_the_end(kind(math.inf), 20))
        theirs = by_adv_lib(adv_lib.fab, norm=ORDERS[kind], n_iter=20, targeted_restarts=True)
        yield Race(words, towards, "adv-lib", "FAB-T", theirs)


def alma() -> Iterator[Race]:
    """Return ALMA beside its authors' own, and the others beside it at a long budget."""
    for steps in (100, 1000):
        for kind, setting in ALMA_SETTINGS.items():
            theirs = by_adv_lib(adv_lib.alma, num_steps=steps, **setting)
            yield Race(f"{steps:,} steps", ALMA(kind(math.inf), steps=steps), "adv-lib", "ALMA", theirs)
    theirs = by_adv_lib(adv_lib.alma, num_steps=1000, **ALMA_SETTINGS[L2])
    for ours in (DDN(steps=1000), FMN(L2(math.inf), steps=1000)):
        yield Race("1,000 steps", ours, "adv-lib", "ALMA (yardstick)", theirs)
    yield Race("1,000 steps; 9 x 100", FABT(L2(math.inf)), "adv-lib", "ALMA (yardstick)", theirs)
    theirs = by_adv_lib(adv_lib.alma, num_steps=1000, **ALMA_SETTINGS[L1])
    yield Race("1,000 steps", FMN(L1(math.inf), steps=1000), "adv-lib", "ALMA (yardstick)", theirs)


def primal_dual() -> Iterator[Race]:
    """Return PDGD, and PDPGD in each norm; in L0 both with the operator of the 2/3 norm."""
    yield Race("500 steps", PDGD(), "adv-lib", "PDGD", by_adv_lib(adv_lib.pdgd, num_steps=500))
    for kind, order in ORDERS.items():
        operator = 23 if kind is L0 else None
        theirs = by_adv_lib(adv_lib.pdpgd, norm=order, num_steps=500, proximal_operator=operator)
        yield Race("500 steps", PDPGD(kind(math.inf)), "adv-lib", "PDPGD", theirs)


def labels_alone() -> Iterator[Race]:
    """Return the search that asks for the named class alone beside another such search, each with its own budget."""
    for steps in (10, 25):
        theirs = by_foolbox(foolbox.HopSkipJumpAttack(steps=steps, constraint="linf"), None)
        yield Race(f"1,000 queries; {steps} steps", RayS(queries=1000), "foolbox", "HopSkipJump (yardstick)", theirs)


def run(setting: Setting, kept: Kept, only: str = "") -> str:
    """Measure everything and return the part of the page."""
    rows = [cells(race, *lengths(setting, kept, race)) for race in races() if only in type(race.ours).__name__]
    note = (
        "Medians over all images (one that is not broken counts as infinitely far), and over those that both break; "
        f"the verdict is on the ratio of the latter, equal within {CLOSE:.0%}."
    )
    return f"{note}\n\n{markdown(rows)}"


def lengths(setting: Setting, kept: Kept, race: Race) -> tuple[Tensor, Tensor]:
    """Return how far ours and theirs went for each image; infinity where it is not broken."""
    images = 0.05 + 0.9 * setting.images if race.inside else setting.images

    def length(x: Tensor) -> list[float]:
        far = race.ours.threat.distance(x, images)
        broken = setting.wrong(x) & ((x >= -1e-6) & (x <= 1 + 1e-6)).flatten(1).all(1)
        return torch.where(broken, far, torch.inf).tolist()

    threat, label = type(race.ours.threat).__name__, f"minimum {race.budget}"
    ours = f"{label} {name_of(race.ours)} {setting.ours}"
    theirs = f"{label} {threat} {race.library} {race.name}"
    return (
        torch.tensor(kept.get(ours, lambda: length(race.ours(setting.network, images, setting.labels)))),
        torch.tensor(kept.get(theirs, lambda: length(attacked(race.theirs, setting.network, images, setting.labels)))),
    )


def cells(race: Race, ours: Tensor, theirs: Tensor) -> dict[str, str]:
    """Return a row of the table."""
    both = (ours < torch.inf) & (theirs < torch.inf) & (ours > 0) & (theirs > 0)
    mine, other = (middle(length[both]) for length in (ours, theirs))
    ratio = mine / other
    close = "equal" if abs(ratio - 1) <= CLOSE else f"**ours {'shorter' if ratio < 1 else 'longer'}**"
    broken = [100 * float((length < torch.inf).float().mean()) for length in (ours, theirs)]
    return {
        "norm": type(race.ours.threat).__name__,
        "ours": type(race.ours).__name__,
        "beside": f"{race.library} {race.name}",
        "budget": race.budget,
        "broken, %: ours": f"{broken[0]:.1f}",
        "theirs": f"{broken[1]:.1f}",
        "median of all: ours": f"{middle(ours):.4g}",
        "theirs ": f"{middle(theirs):.4g}",
        "both break": str(int(both.sum())),
        "median: ours": f"{mine:.4g}",
        "theirs  ": f"{other:.4g}",
        "ratio": f"{ratio:.3f}",
        "verdict": close,
    }


def middle(lengths: Tensor) -> float:
    """Return the median, the mean of the two in the middle."""
    ordered = lengths.sort().values
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float((ordered[half - 1] + ordered[half]) / 2)
