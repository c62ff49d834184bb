"""Other libraries' attacks behind one call: `(network, images, labels, seed) -> attacked images`.

Each gets a copy of the network for itself, with weights that ask for gradients, as these libraries expect it.
"""

import copy
import logging
import math
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any
from unittest.mock import patch

import foolbox
import torch
from pyautoattack.autopgd_base import APGDAttack
from pyautoattack.fab_pt import FABAttack_PT
from torch import Tensor, nn

from holdfast import L0, L1, L2, Linf
from holdfast.threats import Threat

# adv-lib's loggers import a plotting server that nothing here uses: an empty module stands in where there is none.
if "visdom" not in sys.modules:
    sys.modules["visdom"] = ModuleType("visdom")
    vars(sys.modules["visdom"])["Visdom"] = type("Visdom", (), {})
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # distutils, which it compares versions with
    from adv_lib import attacks as adv_lib
    from adv_lib.attacks import fast_minimum_norm

Way = Callable[[nn.Module, Tensor, Tensor, int], Tensor]
"""`(network, images, labels, seed) -> attacked images`."""
ORDERS = {L0: 0, L1: 1, L2: 2, Linf: math.inf}
"""The order of each norm, as adv-lib wants it."""
ALMA_SETTINGS: dict[type[L1 | L2], dict[str, Any]] = {
    L2: {"distance": "l2", "init_lr_distance": 0.1, "\N{GREEK SMALL LETTER ALPHA}": 0.9},
    L1: {"distance": "l1", "init_lr_distance": 0.5, "\N{GREEK SMALL LETTER ALPHA}": 0.5},
}
"""What ALMA's authors set for each norm."""
LIBRARIES = {"pyautoattack": "pyautoattack", "torchattacks": "torchattacks", "adv-lib": "adv_lib", "foolbox": "foolbox"}
"""The name of each library, and the name that it is installed under."""
SILENT = logging.getLogger("parity")
SILENT.setLevel(logging.CRITICAL)


def versions() -> dict[str, str]:
    """Return the version of each library."""
    return {name: version(package) for name, package in LIBRARIES.items()}


def attacked(way: Way, network: nn.Module, images: Tensor, labels: Tensor, seed: int = 0) -> Tensor:
    """Return what a library makes of the images, each a copy of its own, without its warnings and its random state."""
    with warnings.catch_warnings(), torch.random.fork_rng([]):
        warnings.simplefilter("ignore")
        return way(copy.deepcopy(network), images.clone(), labels.clone(), seed).detach()


def by_pyautoattack(kind: Callable[..., Any], threat: Threat, **options: Any) -> Way:
    """Return an attack of pyautoattack's classes."""
    norm = type(threat).__name__

    def way(network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> Tensor:
        attack = kind(network, norm=norm, eps=threat.eps, seed=seed, device="cpu", **options)
        found: Tensor = attack.perturb(images, labels)
        return found

    return way


def by_torchattacks(kind: type, threat: Threat, **options: Any) -> Way:
    """Return an attack of torchattacks that takes a norm and a seed."""
    norm = type(threat).__name__
    return lambda network, images, labels, seed: kind(network, norm=norm, eps=threat.eps, seed=seed, **options)(
        images, labels
    )


def plain_torchattacks(kind: type, *arguments: Any, least_likely: bool = False, **options: Any) -> Way:
    """Return an attack of torchattacks that takes its own arguments."""

    def way(network: nn.Module, images: Tensor, labels: Tensor, _: int) -> Tensor:
        attack = kind(network, *arguments, **options)
        if least_likely:
            attack.set_mode_targeted_least_likely(quiet=True)
        found: Tensor = attack(images, labels)
        return found

    return way


def by_adv_lib(function: Callable[..., Tensor], **options: Any) -> Way:
    """Return an attack of adv-lib."""

    def way(network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return function(network, images, labels, **options)

    return way


def fmn_mended(steps: int) -> Way:
    """Return adv-lib's FMN in L2 with a projection that leaves alone what is inside the ball.

    Its own moves that out to the surface, and cuts every change at 1.
    """

    def projection(change: Tensor, radius: Tensor) -> None:
        change = change.flatten(1)
        length = change.norm(dim=1, keepdim=True).clamp_min(1e-12)
        change.mul_((radius[:, None] / length).clamp_max(1))

    def way(network: nn.Module, images: Tensor, labels: Tensor, _: int) -> Tensor:
        with patch.object(fast_minimum_norm, "l2_projection_", lambda **given: projection(*given.values())):
            found: Tensor = adv_lib.fmn(network, images, labels, norm=2, steps=steps)
        return found

    return way


def by_foolbox(attack: Any, eps: float | None) -> Way:
    """Return an attack of foolbox, cut to eps."""

    def way(network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> Tensor:
        torch.manual_seed(seed)
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        found: Tensor = attack(model, images, labels, epsilons=eps)[1]
        return found

    return way


def apgd_from(threat: Threat, loss: str, start: Tensor) -> Way:
    """Return pyautoattack's APGD from a given start, to its best points."""

    def way(network: nn.Module, images: Tensor, labels: Tensor, _: int) -> Tensor:
        judge = APGDAttack(network, norm=type(threat).__name__, eps=threat.eps, loss=loss, device="cpu", logger=SILENT)
        judge.init_hyperparam(images)
        found: Tensor = judge.attack_single_run(images, labels, x_init=start.clone())[0]
        return found

    return way


def fab_t_to_the_end(threat: Threat, steps: int, classes: int = 9) -> Way:
    """Return pyautoattack's FAB-T with the shortest way over all classes.

    Its own loop over classes gives an image up as soon as one class is reached inside eps: without an eps, the first.
    """

    def way(network: nn.Module, images: Tensor, labels: Tensor, _: int) -> Tensor:
        judge = FABAttack_PT(network, norm=type(threat).__name__, n_iter=steps, targeted=True, device="cpu")
        best, shortest = images.clone(), torch.full((len(images),), torch.inf)
        for judge.target_class in range(2, classes + 2):
            x = judge.attack_single_run(images, labels, is_targeted=True)
            length = threat.distance(x, images)
            better = (length > 0) & (length < shortest)
            best[better], shortest[better] = x[better], length[better]
        return best

    return way
