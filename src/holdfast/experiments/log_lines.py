"""Lines about the work on one row or study, which name it: `TRADES, seed 1: PGD-20`."""

from holdfast.training.loop import Tell


def naming(what: str, tell: Tell, seed: int | None = None) -> Tell:
    """Return a `tell` that puts what the work is for before all words; `seed` is named where one is given."""
    before = what if seed is None else f"{what}, seed {seed}"

    def told(done: int, total: int, words: str) -> None:
        tell(done, total, f"{before}: {words}" if words else "")

    return told
