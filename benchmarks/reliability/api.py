"""Call audits, attacks, AutoAttack and training with arguments that are hostile, odd, or plain ones in another form.

    python benchmarks/reliability/api.py --count 700 --write    # about ten minutes on two cores

A call must work, or end in an error of holdfast on one line. The network stays as it was, attacked images stay in their
ball, and arguments that only look otherwise (a network in a wrapper, a subclass) give what the plain ones do.
"""

import argparse
import contextlib
import functools
import io
import math
import random
import shutil
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import forked
import numpy as np
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast.attacks import Attack
from holdfast.errors import HoldfastError

COLUMNS = [
    "fine", "an error on one line", "several lines", "another error", "hang",
    "network changed", "outside the ball", "untouched", "another result",
]  # fmt: skip
BAD = COLUMNS[2:]
LIMIT = 60


class Net(nn.Module):
    """A small network in training mode, with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3)
        self.last = nn.Linear(256, 5)

    def forward(self, images: Tensor) -> Tensor:
        """Return five logits an image."""
        return self.last(self.drop(torch.relu(self.norm(self.conv(images)))).flatten(1))


class Holder:
    """An object around a network."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, images: Tensor) -> Tensor:
        """Ask the network."""
        return self.network(images)


class Kind(torch.Tensor):
    """A subclass of tensors."""


def fails(images: Tensor) -> Tensor:
    """Be a network that raises."""
    raise ZeroDivisionError("a fault\nof two lines")


@dataclass(frozen=True)
class Given:
    """What a call is given; `same` says that the plain call must give the same result."""

    model: Any
    images: Any
    labels: Any
    same: bool = True
    more: tuple[tuple[str, Any], ...] = ()


torch.manual_seed(0)
NET = Net()
IMAGES = torch.rand(8, 1, 8, 8)
LABELS = NET.eval()(IMAGES).argmax(1)
NET.train()
PLAIN = Given(NET, IMAGES, LABELS)

OTHER_FORMS: dict[str, dict[str, Any]] = {
    "a wrapper": {"model": Holder(NET)}, "a method": {"model": NET.forward}, "a function": {"model": lambda x: NET(x)},
    "a partial": {"model": functools.partial(lambda net, x: net(x), NET)}, "a sequence": {"model": nn.Sequential(NET)},
    "subclasses": {"images": IMAGES.as_subclass(Kind), "labels": LABELS.as_subclass(Kind)},
    "images that ask for gradients": {"images": IMAGES.clone().requires_grad_()},
    "a parameter": {"images": nn.Parameter(IMAGES.clone())},
    "turned images": {"images": IMAGES.transpose(2, 3).contiguous().transpose(2, 3)},
    "channels last": {"images": IMAGES.to(memory_format=torch.channels_last)},
    "float64 answers": {"model": lambda x: NET(x).double()},
}  # fmt: skip
NO_NETWORK = (
    None,
    Net,
    3,
    "net",
    IMAGES,
    fails,
    lambda x: x.flatten(1)[:, :1],
    lambda x: x.flatten(1)[:, 0],
    lambda x: x,
    lambda x: (NET(x), x),
    lambda x: {"logits": NET(x)},
    lambda x: NET(x)[1:],
    lambda x: NET(x)[0],
    lambda x: NET(x).sum(),
    lambda x: NET(x) * 1j,
    lambda x: NET(x) * torch.nan,
    lambda x: NET(x).detach().numpy(),
    lambda x: NET(x).to("meta"),
    lambda: 0,
    nn.Module(),
    nn.Flatten(),
    lambda x: NET(x[:, :, :4]),
    lambda x: NET(x).detach(),
)
NO_IMAGES = (
    None,
    IMAGES.numpy(),
    IMAGES.tolist(),
    IMAGES.double(),
    IMAGES.half(),
    (IMAGES * 255).to(torch.uint8),
    IMAGES[0],
    IMAGES[:, :, :0],
    IMAGES[:, :0],
    IMAGES[:0],
    IMAGES.to_sparse(),
    IMAGES.to("meta"),
    IMAGES * 4 - 2,
    IMAGES * torch.nan,
    IMAGES / 0,
    IMAGES * 1.00002,
    IMAGES.to(torch.complex64),
    IMAGES.expand(2, 8, 1, 8, 8),
    torch.tensor(0.5),
    "images",
    torch.nested.nested_tensor([IMAGES[0], IMAGES[1]], layout=torch.jagged),
    IMAGES > 0.5,
    IMAGES[:7],
    [*IMAGES],
)
NO_LABELS = (
    None,
    LABELS.numpy(),
    LABELS.tolist(),
    LABELS[:, None],
    nn.functional.one_hot(LABELS, 5),
    LABELS.int(),
    LABELS.float(),
    nn.functional.one_hot(LABELS % 2, 2),
    LABELS.to("meta"),
    LABELS.to_sparse(),
    LABELS - 1,
    LABELS + 5,
    LABELS[:7],
    LABELS[0],
    LABELS.bool(),
    LABELS.to(torch.complex64),
    0,
    "labels",
    nn.functional.one_hot(LABELS, 5).float(),
    LABELS[None],
    LABELS * 0 + 2**62,
    LABELS.view(2, 4),
    torch.empty(8, 0),
    {"labels": LABELS},
)
NUMBERS = (
    None,
    "a",
    "3",
    1.5,
    -1,
    0,
    True,
    float("nan"),
    float("inf"),
    1j,
    [1],
    2**70,
    np.int64(2),
    torch.tensor(2),
    int,
)
ANYTHING = (*NUMBERS, "", b"x", {}, (), object(), print, NET, IMAGES, hf.Linf, hf.Linf(0.1), hf.attacks.PGD())


def shown(kind: type[Attack]) -> Attack:
    """Return the attack with the root of each whole number that it has, in the first norm that it is defined for."""
    norms: dict[type, Any] = {hf.Linf: 0.1, hf.L2: 0.7, hf.L1: 3.0, hf.L0: 5}
    norm = kind.threats[0]
    numbers = {field.name: math.isqrt(field.default) for field in fields(kind) if type(field.default) is int}
    return kind(norm(norms[norm]), **numbers)


ATTACKS = [
    each for name in hf.attacks.__all__
    if isinstance(each := getattr(hf.attacks, name), type) and issubclass(each, Attack) and each is not Attack
]  # fmt: skip


def odd(rng: random.Random) -> tuple[str, Given]:
    """Draw what a call is given: one of its arguments in another form, or as it should not be."""
    kind = rng.choice(("form", "form", "model", "images", "labels", "both"))
    if kind == "form":
        name = rng.choice(list(OTHER_FORMS))
        return name, replace(PLAIN, **OTHER_FORMS[name])
    drawn = {"model": rng.choice(NO_NETWORK), "images": rng.choice(NO_IMAGES), "labels": rng.choice(NO_LABELS)}
    taken = ("images", "labels") if kind == "both" else (kind,)
    return kind, replace(PLAIN, same=False, **{name: drawn[name] for name in taken})


def attack_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make a call of an attack; half of the time a field of it is odd as well."""
    attack, (name, given) = shown(rng.choice(ATTACKS)), odd(rng)
    field, value = rng.choice([each.name for each in fields(attack)]), rng.choice(ANYTHING)

    def call() -> str:
        own = attack if given.same or rng.random() < 0.5 else replace(attack, **{field: value})
        found = own(given.model, given.images, given.labels)
        outside = own.threat.distance(found, given.images) > own.threat.eps + 1e-5
        if bool(outside.any()) or not 0 <= float(found.min()) <= float(found.max()) <= 1:
            return "outside the ball"
        if not given.same:
            return "fine"
        plain = attack(PLAIN.model, PLAIN.images, PLAIN.labels)
        if torch.equal(found, IMAGES) and not torch.equal(plain, IMAGES):
            return "untouched"
        return "fine" if torch.allclose(found, plain, atol=1e-4) else "another result"

    return f"{type(attack).__name__}, {name}, {field}", call


def audit_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make an audit; half of the time another of its arguments is odd."""
    name, given = odd(rng)
    argument = rng.choice(("effort", "seed", "batch", "threat", "folder", "precision"))
    more = {} if rng.random() < 0.5 else {argument: rng.choice(ANYTHING)}

    def call() -> str:
        if given.same and not more:
            plain = hf.audit(NET, IMAGES, LABELS, hf.Linf(0.1), "fast")
            found = hf.audit(given.model, given.images, given.labels, hf.Linf(0.1), "fast")
            return "fine" if torch.equal(plain.broken, found.broken) else "another result"
        words = {"threat": hf.Linf(0.1), "effort": "fast"} | more
        hf.audit(given.model, given.images, given.labels, **words)
        return "fine"

    return f"audit, {name}, {argument if more else ''}", call


def autoattack_call(rng: random.Random) -> tuple[str, Callable[[], str]]:
    """Make a call of AutoAttack; half of the time another of its arguments is odd."""
    name, given = odd(rng)
    argument = rng.choice(("norm", "eps", "seed", "version", "device", "log_path", "attacks_to_run", "bs"))
    more = {} if rng.random() < 0.5 else {argument: rng.choice(ANYTHING)}

    def call() -> str:
        words = {"eps": 0.1, "version": "custom", "attacks_to_run": ["apgd-dlr"], "verbose": False} | more
        size = {"bs": words.pop("bs")} if "bs" in words else {}
        found = hf.AutoAttack(given.model, **words).run_standard_evaluation(given.images, given.labels, **size)
        if not given.same or more:
            return "fine"
        plain = hf.AutoAttack(NET, **words).run_standard_evaluation(IMAGES, LABELS)
        return "fine" if torch.allclose(found, plain, atol=1e-4) else "another result"

    return f"AutoAttack, {name}, {argument if more else ''}", call


def train_call(rng: random.Random, folder: Path) -> tuple[str, Callable[[], str]]:
    """Train for an epoch on a few images, with one field or argument that is odd."""
    name = rng.choice([*(field.name for field in fields(hf.Run)), "folder", "device", "data_root", "run"])
    value = rng.choice(ANYTHING)

    def call() -> str:
        own = {"epochs": 1, "limit": 16, "batch": 8}
        known = {field.name for field in fields(hf.Run)}
        run = hf.Run(**own | ({name: value} if name in known else {}))
        shutil.rmtree(folder, ignore_errors=True)
        words: dict[str, Any] = {"run": run, "folder": folder} | ({} if name in known else {name: value})
        hf.train(**words)
        return "fine"

    return f"train, {name} = {value!r:.40}", call


def kept() -> list[Tensor | bool]:
    """Return all that no call may change."""
    modes = [module.training for module in NET.modules()]
    return [*(tensor.clone() for tensor in NET.state_dict().values()), IMAGES.clone(), LABELS.clone(), *modes]


def same(before: list[Tensor | bool], after: list[Tensor | bool]) -> bool:
    """Say whether nothing was changed."""
    pairs = zip(before, after, strict=True)
    return all(torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else a == b for a, b in pairs)


def ended(call: Callable[[], str]) -> tuple[str, str]:
    """Return how a call ended, and what it said."""
    before, said = kept(), ""
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            kind = call()
    except HoldfastError as error:
        said = str(error)
        kind = "an error on one line" if "\n" not in said and said else "several lines"
    except TimeoutError:
        kind = "hang"
    except Exception as error:
        kind, said = "another error", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return (kind if same(before, kept()) else "network changed"), said


def stop(signum: int, frame: object) -> None:
    """Stop a call that takes too long."""
    raise TimeoutError


def main() -> int:
    """Run the campaign, print its table, and return 1 where something ended as nothing may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability/api"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rng, folder = random.Random(options.seed), options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, stop)
    warnings.simplefilter("ignore")
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("attacks", "audit", "AutoAttack", "train")}
    for number in range(options.count):
        of = ("attacks", "audit", "attacks", "AutoAttack", "attacks", "train", "attacks")[number % 7]
        made = {"attacks": attack_call, "audit": audit_call, "AutoAttack": autoattack_call}
        name, call = train_call(rng, folder / "run") if of == "train" else made[of](rng)
        kind, said = ended(call)
        counts[of][kind] += 1
        if kind in BAD:
            print(f"{number}: {kind}: {name}: {said}", file=sys.stderr)
    print(forked.show("calls", COLUMNS, counts))
    if options.write:
        forked.write("api", counts, COLUMNS, options.seed)
    return int(any(count[bad] for count in counts.values() for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())
