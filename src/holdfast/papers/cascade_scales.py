"""What a smaller machine makes of the trainings of paper 002 (cascade_runs.py)."""

from dataclasses import replace

from holdfast.experiments import Scale
from holdfast.papers.cascade_runs import LATER, WARMED
from holdfast.training.schedules import Levels

SMALL = Scale(share=2e-5, limit=64, model="cifar-resnet-8-average-2", data="made-up:3x32x32", test_limit=4, seeds=(0,),
              test_steps=2, effort="fast")  # fmt: skip


def averaged(batches: int) -> dict[str, str]:
    """Return networks whose batch norm averages, for attacks and tests, over so many batches.

    The paper's 1,000 are a hundredth of its run.
    """
    return {f"cifar-resnet-{depth}": f"cifar-resnet-{depth}-average-{batches}" for depth in (20, 110)}


EARLY = Scale(share=0.01, limit=10_000, model=averaged(15), test_limit=500, seeds=(0,))
SHARE = 0.0137
"""A tenth of the pre-training (391 batches), then as many as a hundredth of the whole has after its own."""


def shortened(schedule: Levels, times: int = 1) -> Scale:
    """Return EARLY, or `times` as long, with a pre-training of 391 batches in place of 39.

    The pivot's distance runs away from a network that has hardly begun to learn (Table 2-early).
    """
    warm = 40 / (times * SHARE)  # the scale shortens milestones too, so this warms up for 40 batches
    milestones = replace(schedule, at=(warm, *schedule.at[1:]))
    model = averaged(15 * times)
    return replace(EARLY, share=times * SHARE, least_steps=391, schedule=milestones, model=model)


SCALES = {
    "short": shortened(WARMED),
    "smoke": SMALL,
    "full": Scale(),
}
NIGHT = {"night": replace(shortened(WARMED, times=4), limit=20_000)}
"""Four times as long as short, on twice as many images."""
LATER_SCALES = {"short": replace(shortened(LATER), seeds=(0, 1, 2, 3, 4))}
EARLY_SCALES = {"short": EARLY}
MNIST_SCALES = {
    "short": Scale(share=0.2, model="cifar-resnet-20-average-200", test_limit=1_000, seeds=(0,)),
    "smoke": replace(SMALL, share=2.5e-4, data="made-up:1x12x12"),
    "full": Scale(),
}
MNIST_SETTLED = {"short": replace(MNIST_SCALES["short"], share=2_350 / 8_000, least_steps=938)}
"""The paper's whole pre-training, then as many batches as MNIST_SCALES has after a fifth of it."""
