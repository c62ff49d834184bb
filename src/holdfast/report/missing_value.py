"""What is said in the place of a value that is not there."""

import math
from collections.abc import Sequence


def diverged(values: Sequence[float]) -> str:
    """Say of how many seeds the training became NaN or infinite; nothing where it did of none."""
    lost = sum(map(math.isnan, values))
    if lost in (0, len(values)):
        return "diverged" if lost else ""
    return f"{lost} of {len(values)} diverged"
