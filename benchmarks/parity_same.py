"""Part two: attacks that draw no random numbers. Ours and another library's should make the same images."""

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
    apgd_from,
    attacked,
    by_adv_lib,
    by_foolbox,
    by_pyautoattack,
    fmn_mended,
    plain_torchattacks,
)
from parity_setting import Kept, Setting, ball, markdown, name_of
from pyautoattack.fab_pt import FABAttack_PT
from torch import Tensor

from holdfast import L0, L1, L2, Linf
from holdfast.attacks import (
    ALMA,
    APGD,
    BIM,
    CWL2,
    DDN,
    FAB,
    FGSM,
    FMN,
    MIM,
    PGD,
    Attack,
    DeepFool,
    DeepFoolCL,
    IterLL,
    StepLL,
)
from holdfast.attacks.watched import Watched
from holdfast.objectives import cross_entropy, dlr
from holdfast.rng import Stream

LINF, LINF_STEP, L_2, L_2_STEP, STEPS = 36 / 256, 8 / 256, 0.5, 0.125, 10
"""Multiples of 1/256, as the pixels are of 1/16: their sums are exact, in whatever order a library adds them."""
CLOSE, NUDGE = 1e-5, 1e-7


@dataclass(frozen=True)
class Pair:
    """One attack of ours, and the same one of another library."""

    ours: Attack
    library: str
    theirs: Way
    start: Tensor | None = None
    """Where both begin; then only images that hold are compared: of the others we keep the first break, they the last.
    """
    words: str = ""


def pairs(setting: Setting) -> Iterator[Pair]:
    """Return who meets whom."""
    yield from one_step_and_many()
    yield from minimum_norm()
    own = Stream.of(setting.images, 0, "parity")
    for threat in (Linf(LINF), L2(L_2)):
        start = threat.random_start(setting.images, own)
        for objective, loss in ((cross_entropy, "ce"), (dlr, "dlr")):
            ours = APGD(threat, objective=objective)
            yield Pair(
                ours,
                "pyautoattack",
                apgd_from(threat, loss, start),
                start,
                f"APGD-{loss.upper()}, {ball(threat)}, one start",
            )


def one_step_and_many() -> Iterator[Pair]:
    """Return the gradient attacks inside a ball."""
    linf, l2 = Linf(LINF), L2(L_2)
    torch_linf, torch_l2 = (LINF, LINF_STEP, STEPS), (L_2, L_2_STEP, STEPS)
    box_linf, box_l2 = (dict[str, Any]({"abs_stepsize": step, "steps": STEPS}) for step in (LINF_STEP, L_2_STEP))
    resting = {"random_start": False}
    yield Pair(FGSM(linf), "torchattacks", plain_torchattacks(torchattacks.FGSM, LINF))
    yield Pair(FGSM(linf), "foolbox", by_foolbox(foolbox.LinfFastGradientAttack(), LINF))
    yield Pair(FGSM(l2), "foolbox", by_foolbox(foolbox.L2FastGradientAttack(), L_2))
    bim, pgd = BIM(linf, STEPS, LINF_STEP), PGD(linf, STEPS, LINF_STEP, random_start=False)
    yield Pair(bim, "torchattacks", plain_torchattacks(torchattacks.BIM, *torch_linf))
    yield Pair(bim, "foolbox", by_foolbox(foolbox.LinfBasicIterativeAttack(**box_linf), LINF))
    yield Pair(pgd, "torchattacks", plain_torchattacks(torchattacks.PGD, *torch_linf, **resting))
    yield Pair(pgd, "foolbox", by_foolbox(foolbox.LinfPGD(**box_linf, **resting), LINF))
    bim, pgd = BIM(l2, STEPS, L_2_STEP), PGD(l2, STEPS, L_2_STEP, random_start=False)
    yield Pair(bim, "foolbox", by_foolbox(foolbox.L2BasicIterativeAttack(**box_l2), L_2))
    yield Pair(pgd, "torchattacks", plain_torchattacks(torchattacks.PGDL2, *torch_l2, **resting))
    yield Pair(pgd, "foolbox", by_foolbox(foolbox.L2PGD(**box_l2, **resting), L_2))
    yield Pair(MIM(linf, STEPS, LINF_STEP), "torchattacks", plain_torchattacks(torchattacks.MIFGSM, *torch_linf, 1.0))
    yield Pair(StepLL(linf), "torchattacks", plain_torchattacks(torchattacks.FGSM, LINF, least_likely=True))
    far = IterLL(linf, STEPS, LINF_STEP)
    yield Pair(far, "torchattacks", plain_torchattacks(torchattacks.BIM, *torch_linf, least_likely=True))


def minimum_norm() -> Iterator[Pair]:
    """Return the attacks that look for the shortest way."""
    for threat, attack in ((L2(math.inf), foolbox.L2DeepFoolAttack), (Linf(math.inf), foolbox.LinfDeepFoolAttack)):
        yield Pair(DeepFool(threat), "foolbox", by_foolbox(attack(), None))
    cut = DeepFoolCL(steps=20, overshoot=0.02, mean=(0.0,), std=(1.0,))
    yield Pair(cut, "torchattacks", plain_torchattacks(torchattacks.DeepFool, steps=20, overshoot=0.02))
    theirs = by_adv_lib(adv_lib.ddn, steps=100, levels=None)
    yield Pair(DDN(steps=100), "adv-lib", theirs)
    yield Pair(PublishedDDN(steps=100), "adv-lib", theirs, words="DDN without its last look, L2")
    for kind in (L0, Linf, L2, L1):
        theirs = by_adv_lib(adv_lib.fmn, norm=ORDERS[kind], steps=100)
        yield Pair(FMN(kind(math.inf), steps=100), "adv-lib", theirs)
        if kind is not L0:
            published = PublishedFMN(kind(math.inf), steps=100)
            yield Pair(published, "adv-lib", theirs, words=f"FMN as published, {kind.__name__}")
        if kind is L2:
            yield Pair(published, "adv-lib, mended", fmn_mended(steps=100), words="FMN as published, L2")
    for kind, setting in ALMA_SETTINGS.items():
        theirs = by_adv_lib(adv_lib.alma, num_steps=30, logit_tolerance=0.0, **setting)
        yield Pair(
            ALMA(kind(math.inf), steps=30, tolerance=0.0), "adv-lib", theirs, words=f"ALMA, {kind.__name__}, 30 steps"
        )
    for kind in (Linf, L2, L1):
        theirs = by_pyautoattack(FABAttack_PT, kind(1e6 if kind is not Linf else 1.0), n_iter=20)
        yield Pair(FAB(kind(math.inf), steps=20), "pyautoattack", theirs)
    budget = {"learning_rate": 0.05, "initial_const": 0.02, "binary_search_steps": 4, "max_iterations": 60}
    theirs = by_adv_lib(adv_lib.carlini_wagner_l2, **budget, abort_early=False)
    yield Pair(CWL2(steps=60, searches=4, step_size=0.05, initial_constant=0.02), "adv-lib", theirs)


def run(setting: Setting, kept: Kept, only: str = "") -> str:
    """Measure everything and return the part of the page."""
    chosen = [pair for pair in pairs(setting) if only in str(pair.ours)]
    rows = [cells(pair, measured(setting, kept, pair)) for pair in chosen]
    note = (
        f"The same: no pixel differs by more than {CLOSE:g}. Theirs to itself: how many images their own attack makes "
        f"the same again from images that were moved by {NUDGE:g}; what rounding decides there, it may decide between "
        "libraries. The verdict says so where no more images differ than that explains (within two standard errors)."
    )
    return f"{note}\n\n{markdown(rows)}"


def measured(setting: Setting, kept: Kept, pair: Pair) -> dict[str, list[float]]:
    """Return the largest difference of a pixel in each image that is compared: ours to theirs, theirs to itself.

    The latter is what rounding alone does: their own attack again, on images that were moved by a ten-millionth.
    """
    network, images, labels = setting.network, setting.images, setting.labels

    def work() -> dict[str, list[float]]:
        ours, theirs = pair.ours(network, images, labels, pair.start), attacked(pair.theirs, network, images, labels)
        nudged = (images + NUDGE * own_signs(images)).clamp(0, 1)
        again = attacked(pair.theirs, network, nudged, labels)
        held = [~setting.wrong(x) if pair.start is not None else torch.ones_like(labels).bool() for x in (ours, theirs)]
        apart = {"ours": (ours - theirs), "itself": (again - theirs)}
        return {name: change.abs().flatten(1).amax(1)[held[0] & held[1]].tolist() for name, change in apart.items()}

    found: dict[str, list[float]] = kept.get(
        f"same {pair.words or name_of(pair.ours)} {pair.library} {setting.ours}", work
    )
    return found


def own_signs(images: Tensor) -> Tensor:
    """Return a sign for each pixel."""
    return 2.0 * Stream.of(images, 0, "nudge").uniform(images.shape[1:]).round() - 1


def cells(pair: Pair, apart: dict[str, list[float]]) -> dict[str, str]:
    """Return a row of the table."""
    count, far = len(apart["ours"]), sorted(apart["ours"])
    other, own = (sum(distance > CLOSE for distance in apart[who]) for who in ("ours", "itself"))
    as_much = other <= own + 2 * math.sqrt(other + own)
    kind, norm = type(pair.ours).__name__, ball(pair.ours.threat)
    return {
        "attack": f"{kind}, {norm}" if not pair.words else f"{pair.words}",
        "library": pair.library,
        "images": str(count),
        "the same, %": f"{100 * (1 - other / count):.1f}",
        "theirs to itself, %": f"{100 * (1 - own / count):.1f}",
        "median difference": f"{far[count // 2]:.0e}",
        "largest": f"{far[-1]:.0e}",
        "verdict": "the same images" if other == 0 else "but for rounding" if as_much else f"**{other} differ**",
    }


class WithoutLastLook(Attack):
    """An attack of ours that does not look at its last point, as adv-lib's do not."""

    def run(self, model: Watched, images: Tensor, targets: Tensor, start: Tensor | None, stream: Stream) -> Tensor:
        """Run ours, shown the label instead of the network's answer after the last step."""
        looks = iter(range(vars(self)["steps"] + 1))  # at the images, and at the point of each step

        def seen(x: Tensor) -> Tensor:
            logits = model(x)
            return logits if next(looks, None) is not None else torch.zeros_like(logits).scatter(1, targets[:, None], 1)

        return super().run(Watched(seen, targets), images, targets, start, stream)  # type: ignore[safe-super]


class PublishedDDN(WithoutLastLook, DDN):
    """DDN as adv-lib has it."""


class PublishedFMN(WithoutLastLook, FMN):
    """FMN as the paper has it: until an image is broken its radius goes to the linearised boundary."""

    def resized(self, eps: Tensor, shortest: Tensor, broken: Tensor, gamma: float, to_plane: Tensor) -> Tensor:
        """Return the next radius, after algorithm 1."""
        more = torch.where(shortest < torch.inf, eps * (1 + gamma), to_plane)
        return torch.where(broken, (eps * (1 - gamma)).minimum(shortest), more)
