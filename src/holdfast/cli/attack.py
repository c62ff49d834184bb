"""holdfast attack ATTACK [NORM] NETWORK: attack a network and write the attacked images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from holdfast import attacks
from holdfast.cli.compose import against, attack_kinds, known
from holdfast.cli.export import export
from holdfast.cli.parse import Flat, first_word, parse
from holdfast.cli.progress import Teller
from holdfast.cli.resolve import Sources, resolved, tell_assumed
from holdfast.devices import device_of
from holdfast.errors import UsageError, require
from holdfast.threats import NORMS


@dataclass(frozen=True)
class Attack:
    """Attack a network and write the attacked images."""

    attack: attacks.Attack
    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    out: Path = Path("attacked.npz")
    """An .npz file, or a folder for PNG pictures."""
    judge: str | None = None
    """Another network, whose answers are counted instead: transfer."""
    judge_model: str | None = None
    """The other network's architecture, where it is a .safetensors file; that of --model where none is given."""
    batch: int = 250
    device: str = "cpu"

    def __call__(self, name: str) -> int:
        """Attack, write, and print the accuracy before and after and after rounding to bytes, and the passes."""
        require(self.judge is not None or self.judge_model is None, "--judge-model without --judge", UsageError)
        device, names = device_of(self.device), [name] if self.judge is None else [name, self.judge]
        networks = [each.to(device) for each in resolved(self.given, names, self.judge_model)]
        tell_assumed(networks)
        model, judged = networks[0].model, networks[-1].model
        with Teller() as tell:
            print(export(model, judged, self.attack, networks[0].data, self.out, self.batch, tell))
        return 0


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
