"""The registry of checks: what each is called, when it raises a doubt, and what follows from that.

The report, its JSON and its page, the documentation and the escalation all read it here.
"""

from holdfast.auditing.checks_answers import (
    batch_dependence,
    gradients_inside,
    probabilities,
    quantised_input,
    random_output,
    saturated,
)
from holdfast.auditing.checks_attacks import (
    flat_curve,
    losses_disagree,
    one_step_wins,
    unbounded_fails,
)
from holdfast.auditing.checks_clean import clean_at_chance
from holdfast.auditing.checks_gradients import interrupted, wrong_gradients, zero_gradients
from holdfast.auditing.checks_rations import Ration
from holdfast.auditing.checks_scene import Kind
from holdfast.auditing.checks_survivors import (
    black_box_wins,
    not_converged,
    random_search_wins,
    shorter_ways_win,
    surrogate_differs,
    too_few_images,
)
from holdfast.auditing.checks_views import views_disagree
from holdfast.auditing.findings import RANDOM_OUTPUT

NO_GRADIENT = "no gradient reaches the images"
"""The name of the check of networks that cannot be differentiated."""
OF_COPY = "surrogate differs"
"""The name of the check of the fast copy, which is charged with what making and comparing that copy cost."""


BEFORE = (
    Kind(
        RANDOM_OUTPUT,
        "five answers to one image are more than 1e-4 apart",
        lambda scene: random_output(scene.some),
        Ration(16, 16, 21, "noise shows on every image"),
        needs_right=False,
    ),
    Kind(
        "probabilities instead of logits",
        "answers lie in [0, 1] and add up to 1, within 1e-5",
        lambda scene: probabilities(scene.few),
        Ration(16, 16, 1, "one answer that is none is enough"),
    ),
    Kind(
        "gradients inside the network",
        "the forward pass itself runs a backward pass",
        lambda scene: gradients_inside(scene.few),
        Ration(8, 8, 4, "one forward pass tells"),
    ),
    Kind(
        NO_GRADIENT,
        "differentiating fails",
        lambda scene: interrupted(scene.few),
        Ration(8, 8, 3, "one backward pass tells"),
        misled=True,
    ),
    Kind(
        "saturated logits",
        "a tenth of the images, of several classes, have the highest margin in common to the last digit",
        lambda scene: saturated(scene.few),
        Ration(64, 64, 1, "a tenth is seven images, of several classes"),
        misled=True,
    ),
    Kind(
        "zero gradients",
        "the margin has none at 4 % of the images, three or all, or of random points near them, "
        "though the answer changes there",
        lambda scene: zero_gradients(scene.few, scene.threat),
        Ration(64, 64, 9, "4 % is three images"),
        misled=True,
        differentiates=True,
    ),
    Kind(
        "answers depend on the batch",
        "alone, among others and beside white images they differ by more than 1e-3",
        lambda scene: batch_dependence(scene.few),
        Ration(24, 24, 2, "eight in three kinds of company"),
        compares=True,
    ),
    Kind(
        "input rounded or clamped",
        "changes of 1e-4 (0.02 at the ends of [0, 1]) leave the answer bit for bit for half of the images",
        lambda scene: quantised_input(scene.few),
        Ration(32, 32, 7, "a grid that hides 80 % of the changes must show as more than half"),
        misled=True,
        compares=True,
    ),
    Kind(
        "wrong gradients",
        "for a tenth of the images, three or all, no finite difference agrees within 10 %",
        lambda scene: wrong_gradients(scene.few),
        Ration(32, 32, 21, "a tenth is four images"),
        misled=True,
        differentiates=True,
        compares=True,
    ),
)
"""The checks of the network alone, made before any attack."""

AFTER = (
    Kind(
        "black-box beats white-box",
        "random search broke 1 % of the images, and three, that gradients, tried again, do not",
        lambda scene: black_box_wins(scene.subject, scene.threat, scene.outcome, scene.stages, scene.count),
        Ration(16, 32, 96, "three of them must resist again"),
        misled=True,
        needs_right=False,
        again=True,
    ),
    Kind(
        "random search beats the attacks",
        "80 queries of a random search break 1 % of the survivors",
        lambda scene: random_search_wins(scene.subject, scene.threat, scene.outcome, scene.count),
        Ration(20, 64, 82, "one is enough, and where a tenth breaks there is one in seven cases of eight"),
        misled=True,
        needs_right=False,
        again=True,
    ),
    Kind(
        "shorter ways beat the attacks",
        "a minimum-norm attack breaks 3 % of the survivors, and two, inside the ball",
        lambda scene: shorter_ways_win(scene.subject, scene.threat, scene.outcome, scene.count),
        Ration(12, 32, 182, "two are asked for, and where a third breaks there are two in 19 cases of 20"),
        misled=True,
        needs_right=False,
        again=True,
    ),
    Kind(
        "budget not converged",
        "a little more, longer or wider, would break 0.5 % and three images",
        lambda scene: not_converged(scene.subject, scene.threat, scene.outcome, scene.count),
        Ration(24, 96, 116, "three are asked for: of eight that are climbed on, or of 24 that are tried anew"),
        misled=True,
        needs_right=False,
        again=True,
    ),
    Kind(
        "unbounded attack fails",
        "with any image allowed, 50 steps leave a tenth right, and three or all",
        lambda scene: unbounded_fails(scene.few, scene.threat),
        Ration(32, 32, 216, "a tenth is four images: fewer may be silent parts of an honest network"),
    ),
    Kind(
        "accuracy does not fall with eps",
        "it rises by 5 points, and three images, between eps/2, eps, 2 eps, 4 eps, or stays on a plateau, "
        "where three fell and three stand",
        lambda scene: flat_curve(scene.few, scene.threat, scene.breaks),
        Ration(32, 64, 112, "three of 32 is a rise of a tenth"),
        draws_as="climbs on the margin",
    ),
    Kind(
        "one step beats ten",
        "FGSM breaks 0.5 % and three images that PGD-10 on both losses leaves",
        lambda scene: one_step_wins(scene.few, scene.threat),
        Ration(128, 128, 48, "three are asked for, and masked networks show them on 2.3 % of the images and more"),
    ),
    Kind(
        "losses disagree",
        "cross-entropy, of logits brought to a usual size, and margin differ by more than 8 points beyond chance",
        lambda scene: losses_disagree(scene.few, scene.threat, scene.breaks),
        Ration(48, 128, 57, "fewer cannot tell 25 points from chance"),
        draws_as="climbs on the margin",
    ),
    Kind(
        OF_COPY,
        "1 % of the breaks of the fast copy are none on the network",
        lambda scene: surrogate_differs(scene.few, scene.threat),
        Ration(16, 128, 33, "a copy that is none differs on most images"),
        compares=True,
    ),
    Kind(
        "clean accuracy at chance",
        "a binomial test (1 %, one-sided) cannot tell it from naming the commonest class each time",
        lambda scene: clean_at_chance(scene.outcome, scene.subject.labels),
        Ration(0, 0, 0, "it counts what is known"),
        needs_right=False,
    ),
    Kind(
        "too few images",
        "the 95 % interval is wider than 5 points either way",
        lambda scene: too_few_images(scene.outcome),
        Ration(0, 0, 0, "it counts what is known"),
        needs_right=False,
        again=True,
    ),
)
"""The checks of what attacks did, made after them."""

OF_VIEWS = (
    Kind(
        "views disagree",
        "another view breaks 3 % of the images, and three, that plain gradients leave",
        lambda scene: views_disagree(scene.outcome, scene.stages),
        Ration(0, 0, 0, "it counts what is known"),
        needs_right=False,
    ),
)
"""The checks that a defended network has besides, after the attacks."""


def criterion_of(name: str) -> str:
    """Return in words when the check of this name raises a doubt; nothing where there is none of this name."""
    return next((kind.criterion for kind in (*BEFORE, *AFTER, *OF_VIEWS) if kind.name == name), "")
