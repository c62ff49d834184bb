"""AutoAttack (Croce, Hein: "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", 2020): its published versions, and the call that scripts written for the authors' package make.

An image that is broken costs nothing further, within an attack as between attacks; what an image becomes does not
depend on its batch. With fewer than eleven classes all wrong classes are tried; below four, ratios of logits become
differences, where the authors' package stops.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal, overload

import torch
from torch import Tensor

from holdfast.attacks import APGD, APGDT, FAB, FABT, Attack, Square
from holdfast.attacks.inputs import auditable, check_network
from holdfast.attacks.watched import check_labels
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.engine_state import STANDS, Progress
from holdfast.auditing.points import PointsOnDisk
from holdfast.data import StoredImages
from holdfast.devices import device_of
from holdfast.errors import UnknownName, require
from holdfast.evaluation import judge
from holdfast.fields import check_type
from holdfast.metrics import share_of
from holdfast.objectives import dlr, is_correct
from holdfast.threats import L1, L2, Linf, Threat, per_image
from holdfast.types import Images, Labels, Logits, Network

DRAWS = 20
"""How often a network that answers at random is asked about the images that were found."""
Kept = Path | str | None
NORMS: Mapping[str, type[Linf | L2 | L1]] = {"Linf": Linf, "L2": L2, "L1": L1}
"""Those that all of its attacks are defined for; `threats.NORMS` has L0 too."""
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
    "rand": ("apgd-ce", "apgd-dlr"),
}


def published(threat: Threat, version: str = "standard") -> dict[str, Attack]:
    """Return the attacks of a version by name, in their order and with their published budgets.

    Raises:
        UnknownName: there is no such version.
    """
    if version not in VERSIONS:
        raise UnknownName("version of AutoAttack", version, VERSIONS)
    return {name: by_name(name, threat, version) for name in VERSIONS[version]}


def by_name(name: str, threat: Threat, version: str = "standard") -> Attack:
    """Return one of the six attacks with the budget that it has in a version."""
    sparse = isinstance(threat, L1)
    # The authors' code makes APGD and FAB with five starts, which each version but `custom` sets anew.
    restarts = 5 if version in ("plus", "custom") or (version == "standard" and sparse) else 1
    draws = 20 if version == "rand" else 1
    kinds: Mapping[str, Attack] = {
        "apgd-ce": APGD(threat, restarts=restarts, draws=draws),
        "apgd-dlr": APGD(threat, restarts=restarts, draws=draws, objective=dlr),
        "apgd-t": APGDT(threat, classes=5 if sparse and version == "standard" else 9),
        "fab": FAB(threat, restarts=5),
        "fab-t": FABT(threat),
        "square": Square(threat),
    }
    if name not in kinds:
        raise UnknownName("attack of AutoAttack", name, kinds)
    return kinds[name]


class AutoAttack:
    """The authors' interface: `AutoAttack(model, norm, eps, ...).run_standard_evaluation(images, labels)`."""

    def __init__(
        self,
        model: Network,
        norm: str = "Linf",
        eps: float = 8 / 255,
        seed: int = 0,
        verbose: bool = True,
        attacks_to_run: Sequence[str] = (),
        version: str = "standard",
        device: str | torch.device | None = None,
        log_path: Path | str | None = None,
    ) -> None:
        """Choose the attacks: those of version standard, plus or rand, or `custom`, those of `attacks_to_run`.

        `norm` is Linf, L2 or L1. `attacks_to_run` may be set later as well, as the authors' scripts do.
        """
        check_network(model)
        for name, given, kind in (("norm", norm, str), ("seed", seed, int), ("version", version, str)):
            check_type(name, given, kind)
        check_type("attacks_to_run", attacks_to_run, tuple[str, ...])
        check_type("log_path", log_path, Path | str | None)
        if norm not in NORMS:
            raise UnknownName("norm", norm, NORMS)
        require(
            version == "custom" or not attacks_to_run,
            f"version '{version}' with attacks_to_run={list(attacks_to_run)}: name attacks for version 'custom' only",
        )
        self.threat = NORMS[norm](eps)
        made = {name: by_name(name, self.threat, version) for name in attacks_to_run}
        self.attacks = made if version == "custom" else published(self.threat, version)
        self.attacks_to_run = list(self.attacks)
        self.device = None if device is None else device_of(device)
        self.model, self.seed, self.verbose, self.log_path = model, seed, verbose, log_path
        self.version = version

    def chosen(self) -> dict[str, Attack]:
        """Return the attacks to run, by name."""
        require(bool(self.attacks_to_run), "version 'custom' without attacks_to_run: name attacks")
        return {
            name: self.attacks.get(name) or by_name(name, self.threat, self.version) for name in self.attacks_to_run
        }

    @overload
    def run_standard_evaluation(
        self, images: Tensor, labels: Tensor, bs: int = ..., return_labels: Literal[False] = ..., state_path: Kept = ...
    ) -> Images: ...
    @overload
    def run_standard_evaluation(
        self, images: Tensor, labels: Tensor, bs: int = ..., *, return_labels: Literal[True], state_path: Kept = ...
    ) -> tuple[Images, Labels]: ...
    def run_standard_evaluation(
        self, images: Tensor, labels: Tensor, bs: int = 250, return_labels: bool = False, state_path: Kept = None
    ) -> Images | tuple[Images, Labels]:
        """Return the images after all attacks in turn: broken where one succeeded, else as they were.

        With `return_labels`, also what the network calls each of them. `state_path` is a folder for what is done: the
        same call goes on from there.
        """
        check_type("state_path", state_path, Path | str | None)
        words = f"state_path = {state_path}: what is done is kept in a folder here, and that is a file"
        require(state_path is None or not Path(state_path).is_file(), words)
        images, labels = self.taken(images, labels, bs)
        found = self.found(self.chosen(), images, labels, bs, state_path)
        attacked = adversarial(found, images)
        if self.verbose or self.log_path is not None:
            self.say(0, 1, self.verdict(attacked, labels, share_of(found.broken_by == STANDS), bs))
        return (attacked, self.answers(attacked, bs)) if return_labels else attacked

    def verdict(self, attacked: Images, labels: Labels, share: float, bs: int) -> str:
        """Return the robust accuracy in words: an upper bound, unless the network answers at random.

        One lucky draw breaks an image for good, so of a random network the mean of many answers to the images that were
        found is told.
        """
        few = attacked[:bs]
        if torch.equal(self.logits(few, bs), self.logits(few, bs)):
            return f"robust accuracy at most {share:.2%}"
        right = [share_of(is_correct(self.logits(attacked, bs), labels.to(attacked.device))) for _ in range(DRAWS)]
        told = f"the mean of {DRAWS} answers to each image: the network answers at random, so this is no bound"
        return f"robust accuracy {fmean(right):.2%}, {told}"

    def run_standard_evaluation_individual(self, images: Tensor, labels: Tensor, bs: int = 250) -> dict[str, Images]:
        """Return the images after each attack alone, by the attack's name."""
        images, labels = self.taken(images, labels, bs)
        each = {name: self.found({name: attack}, images, labels, bs) for name, attack in self.chosen().items()}
        return {name: adversarial(found, images) for name, found in each.items()}

    def found(
        self, attacks: Mapping[str, Attack], images: Images, labels: Labels, bs: int, folder: Kept = None
    ) -> Progress:
        """Return what the attacks break in turn."""
        device = self.there(images)
        # Images of the host stay there, and come to the other device in batches.
        there = images if images.device == device else StoredImages.of(images, device)
        subject = Subject(self.model, self.model, there, labels.to(device), self.seed, bs)
        return run_moves(subject, {name: Move(attack) for name, attack in attacks.items()}, folder, self.say)[0]

    def clean_accuracy(self, images: Tensor, labels: Tensor, bs: int = 250) -> float:
        """Return the share of images that the network gets right."""
        images, labels = self.taken(images, labels, bs)
        logits = self.logits(images, bs)
        check_labels(labels, logits)
        return share_of(is_correct(logits, labels))

    def answers(self, images: Images, bs: int = 250) -> Labels:
        """Return what the network calls each image."""
        return self.logits(images, bs).argmax(1)

    def logits(self, images: Images, bs: int) -> Logits:
        """Return what the network answers, on the device of the images."""
        parts = torch.split(images.to(self.there(images)), bs)
        return torch.cat([judge(self.model, some) for some in parts]).to(images.device)

    def taken(self, images: Tensor, labels: Tensor, bs: int) -> tuple[Images, Labels]:
        """Return images and labels as the attacks take them; labels may be on another device."""
        movable = isinstance(images, Tensor) and isinstance(labels, Tensor) and labels.device.type != "meta"
        labels = labels.to(images.device) if movable else labels
        return auditable(self.model, images, labels, "autoattack", self.seed, bs)

    def there(self, images: Images) -> torch.device:
        """Return the device that was chosen; where none was, that of the images."""
        return images.device if self.device is None else self.device

    def say(self, done: int, total: int, words: str) -> None:
        """Print a line, and append it to the log, as the authors' package does."""
        if words and self.verbose:
            sys.stdout.write(words + "\n")
        if words and self.log_path is not None:
            with Path(self.log_path).open("a", encoding="utf-8") as log:
                log.write(words + "\n")


def adversarial(found: Progress, images: Images) -> Images:
    """Return the break of each image, and the image itself where none was found.

    Where the points are on disk, the result is a tensor of the host that is mapped to a file.
    """
    broken = found.broken_by > 0
    if isinstance(found.best, PointsOnDisk):
        return found.best.of(broken)
    return torch.where(per_image(broken), found.best, images.to(found.best.device)).to(images.device)
