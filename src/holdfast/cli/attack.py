"""holdfast attack ATTACK NETWORK: attack a network and write the attacked images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from holdfast import attacks
from holdfast.cli.attacked_files import write_attacked
from holdfast.cli.compose import against
from holdfast.cli.config import with_config
from holdfast.cli.parse import Config, Flat, first_word, leading, parse
from holdfast.cli.parts import ATTACKS, AttackParts, named_parts, refuse_unnamed
from holdfast.cli.progress import Teller
from holdfast.cli.resolve import Sources, resolved, tell_assumed
from holdfast.devices import conditions, device_of, on_which
from holdfast.errors import UsageError, require
from holdfast.threats import NORMS
from holdfast.training.networks import ELSEWHERE

USAGE = f"needs one network: a run's folder, a file of weights, {ELSEWHERE}"


@dataclass(frozen=True)
class Attack:
    """Attack a network and write the attacked images."""

    attack: attacks.Attack
    parts: Annotated[AttackParts, Flat]
    given: Annotated[Sources, Flat] = field(default_factory=Sources)
    config: Config = None
    out: Path = Path("attacked.npz")
    """The .npz file to write, or a folder for PNG images."""
    judge: str | None = None
    """Another network to evaluate the attacked images on (transfer)."""
    judge_model: str | None = None
    """The architecture of --judge, if it is a file of weights (default: that of --model)."""
    batch: int = 250
    device: str = "auto"
    """auto (cuda where there is one, else cpu), cpu, cuda or cuda:N."""

    def __call__(self, name: str) -> int:
        """Attack, write, and print the accuracy before and after and after rounding to bytes, and the passes."""
        require(self.judge is not None or self.judge_model is None, "--judge-model needs --judge", UsageError)
        device, names = device_of(self.device), [name] if self.judge is None else [name, self.judge]
        found = resolved(self.given, names, self.judge_model)
        tell_assumed(found)
        networks = [each.to(device) for each in (*found[:-1], found[-1].behind(self.given.defences))]
        model, judged = networks[0].model, networks[-1].model
        with Teller() as tell:
            said = write_attacked(model, judged, self.attack, networks[0].data, self.out, self.batch, tell)
        print(f"{said}; {on_which(conditions(device))}")
        return 0


def run_attack(args: Sequence[str]) -> int:
    """holdfast attack ATTACK NETWORK [options]."""
    meant = [word.lower() for word in args[:1]]
    require(meant != ["autoattack"], "AutoAttack is an audit: holdfast audit NETWORK --effort autoattack", UsageError)
    name, words = first_word(args, "attack ATTACK NETWORK", ATTACKS)
    rest = with_config(words)
    norms = named_parts(rest, ["norm"])
    attack = against(ATTACKS[name](), norms["norm"]) if norms else ATTACKS[name]()
    networks, default = leading(rest), Attack(attack, AttackParts())
    refuse_unnamed([word for word in networks if is_norm(word, networks)], f"attack {name}", ["norm"])
    options = parse(Attack, f"attack {name} NETWORK", rest[len(networks) :], default)
    require(len(networks) == 1, f"holdfast attack {name} {USAGE}, not {len(networks)} words", UsageError)
    return options(networks[0])


def is_norm(word: str, words: Sequence[str]) -> bool:
    """Say whether one of the words names a norm, not a network in a folder of that name."""
    alone = len(words) == 1 and Path(word).exists()
    return word.lower() in {norm.lower() for norm in NORMS} and not alone
