"""The same command once a seed, into folders beside each other, and what came of it on average."""

from collections.abc import Sequence
from pathlib import Path

from holdfast.errors import UsageError, require
from holdfast.metrics import mean_std


def check_seeds(seeds: Sequence[int], words: Sequence[str]) -> None:
    """Refuse a seed that is given twice, and --seed in the same words."""
    given = " ".join(map(str, seeds))
    require(len(set(seeds)) == len(seeds), f"--seeds {given}: give each seed once", UsageError)
    one = any(word.partition("=")[0] == "--seed" for word in words)
    require(not (seeds and one), f"--seed beside --seeds {given}: give one of them", UsageError)


def beside(folder: Path, seed: int) -> Path:
    """Return the folder of one of several seeds."""
    return Path(f"{folder}-seed-{seed}")


def of_seed(name: str, seed: int, seeds: Sequence[int]) -> str:
    """Return the network of one of the seeds, where `train --seeds` made one a seed, else the network itself.

    Raises:
        UsageError: some seeds have a network of their own, and others have none.
    """
    own = {each: beside(Path(name), each) for each in seeds}
    missing = [str(folder) for folder in own.values() if not folder.is_dir()]
    if len(missing) == len(own):
        return name
    require(not missing, f"{', '.join(missing)}: no such folder, but other seeds of {name} have theirs", UsageError)
    return str(own[seed])


def on_average(shares: Sequence[float], seeds: Sequence[int]) -> str:
    """Return the mean and the standard deviation of shares over seeds, in words."""
    mean, std = mean_std(shares)
    spread = f" (standard deviation {100 * std:.2f})" if len(shares) > 1 else ""
    return f"mean {100 * mean:.2f} %{spread} over seeds {', '.join(map(str, seeds))}"
