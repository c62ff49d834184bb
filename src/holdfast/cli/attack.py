"""holdfast attack ATTACK [NORM] NETWORK: attack a network and write the attacked images."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from holdfast import attacks
from holdfast.cli.compose import against, attack_kinds, known
from holdfast.cli.export import export, judge_of
from holdfast.cli.parse import first_word, parse
from holdfast.cli.progress import Teller
from holdfast.data import load
from holdfast.errors import UsageError, printable, require
from holdfast.models.weights import assumed
from holdfast.threats import NORMS
from holdfast.training.networks import centered, given_to, network, read_run, weights_alone
from holdfast.training.run import device_of


@dataclass(frozen=True)
class Attack:
    """Attack a network and write the attacked images."""

    attack: attacks.Attack
    data: str | None = None
    """A data set; the one that the network was trained on, or digits, where none is given."""
    limit: int | None = None
    """Attack this many images only."""
    out: Path = Path("attacked.npz")
    """An .npz file, or a folder for PNG pictures."""
    model: str | None = None
    """The architecture, where the network is a .safetensors file."""
    judge: str | None = None
    """Another network, whose answers are counted instead: transfer."""
    judge_model: str | None = None
    """The other network's architecture, where it is a .safetensors file; that of --model where none is given."""
    mean: tuple[float, ...] = ()
    """The normalisation of a .safetensors file that holds none: what is taken from the pixels, one number or one a
    channel (0 and a deviation of 1: none). That of its architecture is assumed where none is given."""
    std: tuple[float, ...] = ()
    """The deviations that go with --mean."""
    pretrained: bool = True
    """Attack timm:NAME and torchvision:NAME with their public weights, or with fresh ones."""
    batch: int = 250
    device: str = "cpu"
    data_root: Path | None = None
    download: bool = False
    """Fetch the data set, or the public weights, if they are missing."""

    def __call__(self, name: str) -> int:
        """Attack, write, and print the accuracy before and after and after rounding to bytes, and the passes."""
        require(self.judge is not None or self.judge_model is None, "--judge-model without --judge", UsageError)
        device, run = device_of(self.device), read_run(Path(name)) if Path(name).is_dir() else None
        source = self.data or (run.data if run else "digits")
        whole = load(source, "test", root=self.data_root, download=self.download, limit=self.limit)
        images = whole if run is None or run.augment is None else centered(whole, run.augment)
        given = given_to([each for each in (name, self.judge) if each is not None], self.mean, self.std)
        more = (self.pretrained, self.download, given)
        model = network(name, self.model, images.shape, len(images.classes), *more).to(device)
        asked = {name: model}
        if self.judge is not None:
            architecture = self.judge_model or (self.model if weights_alone(self.judge) else None)
            asked[self.judge] = judge_of(self.judge, architecture, whole, images, *more).to(device)
        tell_assumed(asked if given is None else {})
        judged = asked[self.judge or name]
        with Teller() as tell:
            print(export(model, judged, self.attack, images.to(device), self.out, self.batch, tell))
        return 0


def tell_assumed(networks: Mapping[str, nn.Module]) -> None:
    """Say which normalisation was assumed of networks whose files do not say it."""
    for name, network_of in networks.items():
        if weights_alone(name) and (words := assumed(name, network_of)):
            print(f"holdfast: {printable(words)}", file=sys.stderr)


def run_attack(args: Sequence[str]) -> int:
    """holdfast attack ATTACK [NORM] NETWORK [options]."""
    meant = [word.lower() for word in args[:1]]
    require(meant != ["autoattack"], "AutoAttack is an audit: holdfast audit NETWORK --effort autoattack", UsageError)
    name, rest = first_word(args, "attack ATTACK [NORM] NETWORK", attack_kinds())
    kind: Callable[[], attacks.Attack] = known(attack_kinds(), "attack", name)
    attack, words = kind(), f"attack {name} [{' | '.join(NORMS)}] NETWORK"
    if begins_with_norm(rest):
        attack, rest = against(attack, known(NORMS, "norm", rest[0])), rest[1:]
    if not rest or rest[0].startswith("-"):
        if rest and rest[0] in ("-h", "--help"):
            parse(Attack, words, rest, Attack(attack))
        raise UsageError(
            f"holdfast attack {name} needs a network: a run's folder, a .safetensors file, timm:NAME, "
            "torchvision:NAME or FILE.py:FUNCTION"
        )
    return parse(Attack, words, rest[1:], Attack(attack))(rest[0])


def begins_with_norm(words: Sequence[str]) -> bool:
    """Say whether a norm comes first, not a network in a folder of that name."""
    alone = len(words) == 1 or (len(words) > 1 and words[1].startswith("-"))
    named = bool(words) and words[0].lower() in {norm.lower() for norm in NORMS}
    return named and not (alone and Path(words[0]).is_dir())
