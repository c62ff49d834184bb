"""Call audits, attacks, AutoAttack and training with arguments that are hostile, odd, or plain ones in another form.

    python benchmarks/reliability/api.py --count 700 --write    # about ten minutes on two cores

A call must work, or end in an error of holdfast on one line. The network stays as it was, attacked images stay in their
ball, and arguments that only look otherwise (a network in a wrapper, a subclass) give what the plain ones do.
"""

import argparse
import contextlib
import io
import random
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import forked
import torch
from api_calls import attack_call, audit_call, autoattack_call, train_call
from odd_arguments import IMAGES, LABELS, NET
from torch import Tensor

from holdfast.errors import HoldfastError

COLUMNS = [
    "fine", "an error on one line", "several lines", "another error", "hang",
    "network changed", "outside the ball", "untouched", "another result",
]  # fmt: skip
BAD = COLUMNS[2:]
LIMIT = 60


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
