"""Give holdfast pictures, zips, arrays and folders of classes that were made to break what reads them.

    python benchmarks/reliability/hostile_files.py --count 300 --write    # about five minutes on two cores

Each trial attacks a network on one such data set. It must be read, or refused in one line; no program may be started.
Each hand-made file comes once, the other trials are good files with some bytes changed, cut or exchanged.
"""

import argparse
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import commands
import forked
from hostile_makers import HAND_MADE, arrays, folder_of, picture, zipped

COLUMNS = ["refused in one line", "read", "unexpected", "several lines", "traceback", "hang", "a program was started"]
BAD = COLUMNS[2:]
NETWORK = """
import torch
from torch import nn

class Any(nn.Module):
    def forward(self, x):
        return torch.cat([x.mean((1, 2, 3))[:, None] * place for place in range(10)], 1)
"""
GHOSTSCRIPT = "#!/bin/sh\ntouch {place}/started\necho 10.0\n"


def bent(data: bytes, rng: random.Random) -> bytes:
    """Return a file with a few bytes changed, cut off, repeated or exchanged for noise."""
    changed = bytearray(data)
    how = rng.choice(("bits", "bits", "bytes", "cut", "noise", "repeat"))
    if how == "bits":
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif how == "bytes":
        at = rng.randrange(len(changed))
        changed[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1"))
    elif how == "cut":
        del changed[rng.randrange(len(changed)) :]
    elif how == "noise":
        at = rng.randrange(len(changed))
        changed[at : at + 16] = rng.randbytes(16)
    else:
        at = rng.randrange(len(changed))
        changed[at:at] = changed[at : at + rng.randrange(64)]
    return bytes(changed)


def bent_picture(place: Path, rng: random.Random) -> str:
    """Bend one picture of a folder; its name may belie it."""
    root = folder_of(place / "pictures")
    kind = rng.choice(("PNG", "JPEG", "PNG", "JPEG", "EPS", "BMP", "GIF", "TIFF", "WEBP", "PPM"))
    (root / "test" / "c3" / f"odd.{rng.choice(('png', 'jpg', 'JPEG'))}").write_bytes(bent(picture(kind), rng))
    return f"folder:{root}"


def bent_zip(place: Path, rng: random.Random) -> str:
    """Bend a zip of pictures."""
    path = zipped(folder_of(place / "pictures"), place / "pictures.zip")
    path.write_bytes(bent(path.read_bytes(), rng))
    return f"folder:{path}"


def bent_arrays(place: Path, rng: random.Random) -> str:
    """Bend an npz file."""
    path = arrays(place / "own.npz", packed=rng.random() < 0.5)
    path.write_bytes(bent(path.read_bytes(), rng))
    return f"npz:{path}"


FUZZED: dict[str, Callable[[Path, random.Random], str]] = {
    "pictures, bent": bent_picture, "zips, bent": bent_zip, "arrays, bent": bent_arrays
}  # fmt: skip


def trial(folder: Path, number: int, make: Callable[[Path], str]) -> tuple[str, commands.Ended]:
    """Make one data set, attack a network on it, and return what came of it."""
    own = folder / str(number)
    shutil.rmtree(own, ignore_errors=True)
    (own / "bin").mkdir(parents=True)
    (own / "net.py").write_text(NETWORK)
    for name in ("gs", "gswin32c", "gswin64c", "convert"):
        (own / "bin" / name).write_text(GHOSTSCRIPT.format(place=own))
        (own / "bin" / name).chmod(0o755)
    data = make(own)
    words = ("attack", "FGSM", "net.py:Any", "--data", data, "--out", "written")
    ended = commands.call(words, own, {"PATH": f"{own / 'bin'}:/usr/bin:/bin"})
    kind = "a program was started" if (own / "started").exists() else ended.kind
    shutil.rmtree(own)
    names = {"0": "read", "2": "refused in one line", "no line": "several lines", "1": "traceback"}
    return names.get(kind, kind if kind in COLUMNS else "unexpected"), ended


def main() -> int:
    """Run the campaign, print its table, and return 1 where something ended as nothing may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability/hostile_files"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rng, folder = random.Random(options.seed), options.folder.resolve()
    forked.ready()
    trials = [(of, name, made.make, made.read) for name, made in HAND_MADE.items() for of in (f"{made.of}, hand-made",)]
    while len(trials) < options.count:
        of = list(FUZZED)[len(trials) % len(FUZZED)]
        trials.append((of, of, lambda place, of=of: FUZZED[of](place, rng), None))  # type: ignore[misc]
    counts: dict[str, Counter[str]] = {}
    for number, (of, name, make, read) in enumerate(trials[: options.count]):
        kind, ended = trial(folder, number, make)
        if read is not None and kind in ("read", "refused in one line") and (kind == "read") is not read:
            kind = "unexpected"
        counts.setdefault(of, Counter())[kind] += 1
        if kind in BAD:
            print(f"{kind}: {name}\n{ended.err.decode('utf-8', 'replace')[-1500:]}", file=sys.stderr)
    print(forked.show("files", COLUMNS, counts))
    if options.write:
        forked.write("hostile_files", counts, COLUMNS, options.seed)
    return int(any(count[bad] for count in counts.values() for bad in BAD))


if __name__ == "__main__":
    sys.exit(main())
