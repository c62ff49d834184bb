"""Call every verb with words, options, values, environments and streams that nobody meant.

    python benchmarks/reliability/command_lines.py --count 600 --write    # about ten minutes on two cores

Half of the lines are good ones in which something was changed; the others are put together of anything. Each must end
with 0, 1 (a training that diverged), 2 and one line, or 3 (less robust than required); never in a traceback, never
without an end.
"""

import argparse
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

import commands
import forked

SEEN = ["0", "1", "2", "3"]
BAD = ["traceback", "hang", "no line", "several lines", "wrong status"]
NETWORK = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def fails():
    raise KeyError("what")

def prints():
    print("words")
    return net()
"""
QUICK = ("--limit", "8")
LINES: dict[str, tuple[tuple[str, ...], ...]] = {
    "train": (
        ("standard", *QUICK, "--epochs", "1", "--batch", "4", "--folder", "run"),
        ("AT", "--attack", "FGSM", "--norm", "L2", "--optimizer", "AdamW", *QUICK, "--epochs", "1", "--folder", "run"),
        ("AT", "--schedule", "cosine", "--augment", "crop-flip", *QUICK, "--epochs", "1", "--folder", "run"),
        ("TRADES", *QUICK, "--epochs", "1", "--method.attack.steps", "1", "--seed", "3"),
        ("EAT", *QUICK, "--epochs", "1", "--others", "../trained", "--folder", "run"),
        ("standard", *QUICK, "--steps", "2", "--begin", "../trained", "--takes", "optimizer", "--optimizer.lr", "0.1"),
    ),
    "attack": (
        ("FGSM", "../trained", *QUICK, "--out", "a.npz"),
        (
            "PGD",
            "net.py:net",
            "--norm",
            "L2",
            *QUICK,
            "--attack.steps",
            "2",
            "--attack.threat.eps",
            "0.5",
            "--out",
            "p",
        ),
        ("OnePixel", "net.py:net", "--limit", "1", "--attack.steps", "1", "--out", "a.npz"),
        ("DeepFool", "net.py:net", *QUICK, "--data", "digits", "--attack.steps", "2"),
        ("FGSM", "../plain.safetensors", "--model", "lenet", *QUICK, "--judge", "../trained"),
    ),
    "audit": (
        ("net.py:net", "--effort", "fast", "--limit", "2", "--threat.eps", "8/255", "--folder", "a"),
        ("net.py:net", "../trained", "--effort", "fast", "--limit", "2", "--json", "--require", "0.5"),
        ("../plain.safetensors", "--model", "lenet", "--mean", "0.5", "--std", "0.5", "--effort", "fast", *QUICK),
        ("net.py:prints", "--data", "made-up:1x8x8", "--effort", "fast", "--limit", "2", "--threat.norm", "l2"),
    ),
    "reproduce": (("demo", "--table", "9"), ("cl", "--scale", "tiny"), ("sim", "--figure", "99", "--seeds", "0")),
    "report": (("../trained",), (".", "--format", "markdown", "--out", "x"), ("../trained", "--figures", "f")),
    "list": ((), ("attacks",), ("papers",), ("data",)),
    "purify": (("x",),),
}
VALUES = (
    '', '-1', '0', '1', '1.5', 'nan', 'inf', '-inf', '1e308', '1e-320', 'x', 'None', 'True', '[]', '{}', '0x10',
    '1/0', '8/255', "9" * 400, '\xe9', '\udcff', '\ud800', 'a\x00b', 'a\nb', "x" * 250, "x" * 5000, '~nobody/x',
    '~', '.', '..', '/', '/dev/null', '/dev/full', '/proc/self/mem', 'net.py', 'net.py:', 'net.py:fails',
    'net.py:nothing', 'folder:', 'folder:.', 'npz:net.py', 'npz:/dev/zero', 'folder:/dev/zero',
    'made-up:1x100000x100000', 'made-up:0x0x0', 'made-up:1x8x8:1', 'timm:', 'torchvision:x', 'cuda', 'cuda:99',
    'meta', 'digits', 'cpu', 'linf', 'L1', '--', '-', '--help', 'standard', '%s', '$HOME', '*', "'", '"',
)  # fmt: skip
OPTIONS = {
    "train": "--data --model --seed --seeds --batch --limit --device --folder --optimizer.lr --data-root --begin "
        "--others --takes --precision --attack --norm --optimizer --schedule "
        "--augment --guards --method.attack.threat.eps --held-out --optimizer.momentum",
    "attack": "--data --model --batch --limit --device --out --judge --judge-model --mean --std --data-root "
        "--norm --attack.threat.eps --attack.seed --attack.step-size --attack.factor",
    "audit": "--data --model --batch --limit --device --folder --effort --norm --threat.norm --threat.eps --require "
        "--seed --seeds --mean --std --other-model --resume --precision --data-root",
    "reproduce": "--table --figure --scale --seeds --device --data --folder",
    "report": "--format --out --figures",
}  # fmt: skip
"""What each verb may be asked besides."""
SHORT = ("--limit", "--epochs", "--effort", "--table", "--scale", "--figure")
"""Options that keep the work short."""
LARGE = {"--seed", "--batch", "--limit", "--attack.seed"}
"""Options whose large values are no more work."""
SURROUNDINGS: tuple[dict[str, str | None], ...] = (
    {}, {}, {}, {"COLUMNS": "1"}, {"COLUMNS": "5"}, {"COLUMNS": "x"}, {"RANK": "1"}, {"RANK": ""},
    {"WORLD_SIZE": "abc"},
    {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": None}, {"WORLD_SIZE": "2", "RANK": "x", "MASTER_ADDR": "localhost"},
    {"HOLDFAST_DATA": "~nobody/x"}, {"HOLDFAST_DATA": "/dev/null"}, {"HOME": None}, {"TERM": "dumb"},
    {"LOCAL_RANK": "-1"},
)  # fmt: skip


def line(rng: random.Random) -> list[str]:
    """Return a good line with something changed, or one of anything."""
    verb = rng.choices(list(LINES), (5, 5, 5, 1, 1, 1, 1))[0]
    words = list(rng.choice(LINES[verb]))
    if rng.random() < 0.15:
        known = [word for lines in LINES.values() for each in lines for word in each]
        words = [rng.choice((*known, *VALUES)) for _ in range(rng.randrange(6))]
        words = [word for place, word in enumerate(words) if place == 0 or fits(words[place - 1], word)]
        return [*([verb] if rng.random() < 0.95 else []), *words, *QUICK]
    for _ in range(rng.randrange(1, 3)):
        CHANGES[rng.choices(list(CHANGES), (5, 5, 2, 1, 1, 1, 1))[0]](words, verb, rng)
    return [verb, *words]


def value(words: list[str], verb: str, rng: random.Random) -> None:
    """Give one of the options another value."""
    places = [place for place in range(1, len(words)) if words[place - 1][:2] == "--" != words[place][:2]]
    if places:
        place, other = rng.choice(places), rng.choice(VALUES)
        words[place] = other if fits(words[place - 1], other) else words[place]


def option(words: list[str], verb: str, rng: random.Random) -> None:
    """Give one more option a value of anything."""
    name, other = rng.choice(OPTIONS.get(verb, "--help").split()), rng.choice(VALUES)
    words += [name, other] if fits(name, other) else []


def name(words: list[str], verb: str, rng: random.Random) -> None:
    """Exchange a word that is no option, or its value, for anything."""
    places = [place for place, word in enumerate(words) if "--" not in (word[:2], words[place - 1][:2])]
    if places:
        words[rng.choice(places)] = rng.choice(VALUES)


def drop(words: list[str], verb: str, rng: random.Random) -> None:
    """Leave a word out, but for what keeps the work short."""
    places = [place for place, word in enumerate(words) if word not in SHORT and words[place - 1] not in SHORT]
    if places:
        del words[rng.choice(places)]


def twice(words: list[str], verb: str, rng: random.Random) -> None:
    """Say a word twice."""
    if words:
        words.insert(rng.randrange(len(words)), rng.choice(words))


def cut(words: list[str], verb: str, rng: random.Random) -> None:
    """Shorten a word."""
    if words:
        place = rng.randrange(len(words))
        words[place] = words[place][: rng.randrange(len(words[place]) + 1)]


def case(words: list[str], verb: str, rng: random.Random) -> None:
    """Write a word in the other case."""
    if words:
        place = rng.randrange(len(words))
        words[place] = words[place].swapcase()


CHANGES = {each.__name__: each for each in (value, option, name, drop, twice, cut, case)}


def fits(option: str, value: str) -> bool:
    """Say whether an option may be given a value without asking for work of hours."""
    return option in LARGE or not option.startswith("--") or not (value.isdigit() and len(value) > 3)


def place(folder: Path, number: int) -> Path:
    """Return a folder for one trial, beside what all of them read."""
    own = folder / str(number)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    (own / "net.py").write_text(NETWORK)
    return own


def main() -> int:
    """Run the campaign, print its table, and return 1 where something ended as nothing may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/reliability/command_lines"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rng, folder = random.Random(options.seed), options.folder.resolve()
    forked.ready()
    first = place(folder, 0)
    trained = ("train", "standard", "--limit", "32", "--epochs", "1", "--model", "lenet", "--folder", "../trained")
    assert commands.call(trained, first).kind == "0"
    weights(folder)
    counts: dict[str, Counter[str]] = {verb: Counter() for verb in (*LINES, "no verb")}
    for number in range(1, options.count + 1):
        words = line(rng)
        surroundings, closed = rng.choice(SURROUNDINGS), rng.choice(((), (), (), (), (1,), (2,), (0, 1, 2)))
        encoding, own = rng.choice(("utf-8", "utf-8", "ascii")), place(folder, number)
        ended = commands.call(words, own, surroundings, closed, encoding)
        kind = judged(ended, words, closed)
        counts[words[0] if words and words[0] in LINES else "no verb"][kind] += 1
        with (folder / "log").open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{kind}: {words} {surroundings} {closed} {encoding}: {ended.lines}\n")
        if kind in BAD:
            print(
                f"{kind}: {words} {surroundings} closed {closed} {encoding}\n{ended.err.decode()[-2000:]}",
                file=sys.stderr,
            )
        shutil.rmtree(own)
    print(forked.show("verb", [*SEEN, *BAD], counts))
    if options.write:
        forked.write("command_lines", counts, [*SEEN, *BAD], options.seed)
    return int(any(count[bad] for count in counts.values() for bad in BAD))


def judged(ended: commands.Ended, words: list[str], closed: tuple[int, ...]) -> str:
    """Return how a command ended, or what is wrong with that."""
    kind = ended.kind
    if kind == "no line" and 2 in closed:
        return "2"
    if kind == "1" and not any("NaN or infinite" in each for each in ended.lines) and 2 not in closed:
        return "wrong status"
    if kind == "3" and not any("--require" in word for word in words):
        return "wrong status"
    return kind if kind in (*SEEN, *BAD) else "wrong status"


def weights(folder: Path) -> None:
    """Write the trained network's weights as somebody saves them who normalises elsewhere."""
    from safetensors.torch import load_file, save_file

    kept = load_file(folder / "trained" / "model.safetensors")
    save_file({name: each for name, each in kept.items() if "normalized" not in name}, folder / "plain.safetensors")


if __name__ == "__main__":
    sys.exit(main())
