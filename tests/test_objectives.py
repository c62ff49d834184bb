"""Objectives against values worked out by hand, and at their edges."""

import math

import pytest
import torch

from holdfast.errors import BadValue, ModelFault
from holdfast.objectives import (
    ClippedMargin,
    Joint,
    SmoothedCrossEntropy,
    Towards,
    cross_entropy,
    crosses_zero,
    difference,
    distance,
    divergence,
    dlr,
    euclidean,
    joins_images,
    margin,
    summed_margin,
    targeted_dlr,
    targets_of,
    undetected,
)

LOGITS = torch.tensor([[3.0, 2.5, 1.0, 0.0, -1.0]])


def near(found: torch.Tensor, expected: float) -> bool:
    return math.isclose(float(found), expected, rel_tol=1e-5, abs_tol=1e-6)


def test_golden_values() -> None:
    zero, one = torch.tensor([0]), torch.tensor([1])
    assert near(cross_entropy(torch.tensor([[2.0, 0.0, -1.0]]), zero), 0.1698460)
    assert near(dlr(LOGITS, zero), -0.25)
    assert near(dlr(LOGITS, one), 0.25)
    assert near(margin(LOGITS, zero), -0.5)
    assert near(margin(LOGITS, one), 0.5)
    assert near(targeted_dlr(LOGITS, torch.tensor([[0, 1]])), -0.2)
    assert near(targeted_dlr(LOGITS, torch.tensor([[0, 2]])), -0.8)
    assert near(difference(LOGITS, torch.tensor([[0, 2]])), -2.0)
    assert near(Towards(margin)(LOGITS, zero), 0.5)


def test_smoothed_labels() -> None:
    zero, half = torch.tensor([0]), SmoothedCrossEntropy(0.5)
    assert near(half(torch.tensor([[2.0, 0.0, -1.0]]), zero), 1.4198460)
    assert near(half(torch.tensor([[1.0] + [0.0] * 9]), zero), 1.9611502)
    assert near(half(torch.tensor([[math.log(9)] + [0.0] * 9]), zero), math.log(6))
    torch_form = torch.nn.functional.cross_entropy(LOGITS, zero, label_smoothing=0.5)
    assert near(SmoothedCrossEntropy(0.5 * 4 / 5)(LOGITS, zero), float(torch_form))


def test_the_clipped_margin_of_the_facts() -> None:
    logits, labels = torch.tensor([[1.0, 1.5, 0.0], [0.2, 0.8, 0.9]]), torch.tensor([0, 1])
    assert near(ClippedMargin(50)(logits, labels).sum(), -99.4)
    assert near(ClippedMargin(0.2)(logits, labels).sum(), -0.1)


def test_divergence_of_the_facts() -> None:
    clean = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]])
    attacked = torch.tensor([[1.0, 1.5, 0.0], [0.2, 0.8, 0.9]])
    assert torch.allclose(divergence(attacked, clean), torch.tensor([0.2394014, 0.0369447]), atol=1e-6)
    assert near(divergence(clean, clean).sum(), 0.0)


def test_divergence_of_vanishing_probabilities_is_not_nan() -> None:
    logits = torch.tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
    reference = torch.tensor([[-1000.0, 0.0, 1000.0]], requires_grad=True)
    gradients = torch.autograd.grad(divergence(logits, reference).sum(), (logits, reference))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_dlr_ignores_shift_and_scale() -> None:
    logits, labels = torch.randn(20, 6), torch.randint(0, 6, (20,))
    assert torch.allclose(dlr(logits, labels), dlr(7 * logits + 3, labels), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 1000])
def test_every_number_of_classes_gives_finite_values_and_gradients(classes: int) -> None:
    logits, labels = torch.randn(8, classes, requires_grad=True), torch.randint(0, classes, (8,))
    for objective in (cross_entropy, margin, dlr, ClippedMargin()):
        loss = objective(logits, labels)
        assert loss.shape == (8,)
        assert bool(torch.autograd.grad(loss.sum(), logits)[0].isfinite().all())


def test_margin_is_positive_exactly_where_the_image_is_misclassified() -> None:
    logits, labels = torch.randn(50, 4), torch.randint(0, 4, (50,))
    assert torch.equal(margin(logits, labels) > 0, logits.argmax(1) != labels)


def test_distances_of_features() -> None:
    a, b = torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2)
    assert torch.equal(distance(a, b), torch.ones(2))
    assert torch.allclose(euclidean(a, b), torch.full((2,), 12**0.5))
    a.requires_grad_()
    assert float(torch.autograd.grad(euclidean(a, a.detach()).sum(), a)[0].abs().max()) == 0


def test_half_precision_is_judged_in_float32() -> None:
    logits, labels = torch.randn(4, 10).bfloat16(), torch.randint(0, 10, (4,))
    assert cross_entropy(logits, labels).dtype == torch.float32
    assert divergence(logits, logits).dtype == torch.float32


def test_towards_dlr_climbs_with_the_wanted_logit_alone() -> None:
    logits, last = torch.tensor([[5.0, 4.0, 3.0, 2.0, -1.0]], requires_grad=True), torch.tensor([4])
    ratio = Towards(dlr)(logits, last)
    assert near(ratio.detach(), -2.4)
    slope = torch.autograd.grad(ratio.sum(), logits)[0]
    # Of the wanted logit and the top one; a slope of the unit, z_1 - (z_3 + z_4) / 2, would raise the top logit.
    assert torch.allclose(slope, torch.tensor([[-0.4, 0.0, 0.0, 0.0, 0.4]]))
    assert near(Towards(dlr)(7 * logits.detach() + 3, last), -2.4)
    for classes in (2, 3):  # no unit: the plain difference
        assert near(Towards(dlr)(logits.detach()[:, :classes], torch.tensor([1])), -1.0)


def test_towards_joint_dlr_is_the_targeted_ratio_of_each_head() -> None:
    logits, last = torch.tensor([[5.0, 4.0, 3.0, 2.0, -1.0]], requires_grad=True), torch.tensor([4])
    ratio = Towards(Joint(dlr, 2.0))(torch.stack([logits, logits], 1), last)
    assert near(ratio.detach(), (1 + 2) * -2.4)
    slope = torch.autograd.grad(ratio.sum(), logits)[0]
    assert torch.allclose(slope, (1 + 2) * torch.tensor([[-0.4, 0.0, 0.0, 0.0, 0.4]]))


def test_objectives_that_go_to_a_class_by_themselves_are_not_turned_round() -> None:
    for objective in (difference, targeted_dlr):
        with pytest.raises(BadValue, match=objective.__name__):
            Towards(objective)
        with pytest.raises(BadValue, match=objective.__name__):
            Towards(Joint(objective, 2.0))


@pytest.mark.usefixtures("unchecked")
def test_an_objective_is_a_function() -> None:
    with pytest.raises(BadValue, match="'dlr'"):
        Towards("dlr")  # type: ignore[arg-type]


HEADS = torch.tensor(
    [[[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 1.5, 4.0]], [[0.0, 5.0, 4.0], [1.0, 0.0, 0.0], [2.0, 4.0, 0.0]]]
)
"""Logits and those of two auxiliary heads, for two images and three classes."""


def test_joint_adds_the_mean_over_the_heads() -> None:
    # Of labels 0 and 1 the margins are -1 and -1; of the heads 3 and 3, and 1 and -2.
    labels = torch.tensor([0, 1])
    assert margin(HEADS[:, 0], labels).tolist() == [-1.0, -1.0]
    assert margin(HEADS[:, 1], labels).tolist() == [3.0, 1.0]
    assert margin(HEADS[:, 2], labels).tolist() == [3.0, -2.0]
    assert Joint(margin, 2.0)(HEADS, labels).tolist() == [-1 + 2 * 3, -1 + 2 * -0.5]
    assert Joint(margin, 0.0)(HEADS, labels).tolist() == [-1.0, -1.0]
    equal = torch.zeros(2, 4, 10)
    assert torch.allclose(Joint(cross_entropy, 2.0)(equal, labels), torch.full((2,), 3 * math.log(10)))
    assert torch.equal(Towards(Joint(margin, 2.0))(HEADS, labels), torch.tensor([-5.0, 2.0]))


def test_joint_divergence_compares_head_by_head() -> None:
    logits = torch.zeros(1, 3, 2)
    reference = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0], [0.0, math.log(3)]]])
    one = math.log(2) - (2 * math.log(2) - 0.75 * math.log(3))  # KL of (3/4, 1/4) from (1/2, 1/2)
    assert near(Joint(divergence, 2.0)(logits, reference), one + 2 * (0 + one) / 2)
    assert near(Joint(divergence, 2.0)(reference, reference), 0.0)


def test_joint_names_what_it_needs() -> None:
    for shape in ((4, 10), (4, 1, 10), (4, 2, 3, 10)):
        with pytest.raises(ModelFault, match=r"Joint needs outputs of shape \(images, heads \+ 1, classes\)") as caught:
            Joint(cross_entropy, 2.0)(torch.zeros(shape), torch.zeros(4, dtype=torch.int64))
        assert "\n" not in str(caught.value)
    with pytest.raises(BadValue, match="weight = -1"):
        Joint(cross_entropy, -1.0)


def test_joint_refuses_what_auxiliary_heads_have_no_answer_for() -> None:
    for objective, words in (
        (undetected, "answer without an alarm"),
        (Towards(Joint(margin)), "joined once"),
        (Towards(dlr), r"write Towards\(Joint\(\.\.\.\)\)"),
    ):
        with pytest.raises(BadValue, match=words) as caught:
            Joint(objective)
        assert "\n" not in str(caught.value)


def test_summed_margin_is_the_share_of_a_sum_over_the_batch() -> None:
    # True logits sum to 2 + 5 = 7, the best others to 1 + 4 = 5.
    logits, labels = HEADS[:, 0].clone().requires_grad_(), torch.tensor([0, 1])
    values = summed_margin(logits, labels)
    assert values.tolist() == [-1.0, -1.0]
    (slope,) = torch.autograd.grad(values.sum(), logits)
    assert slope.tolist() == [[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]]
    # Once the batch is lost on the whole, nothing moves, not even the image that holds.
    lost = torch.tensor([[2.0, 1.0, 0.0], [0.0, 5.0, 8.0]], requires_grad=True)
    values = summed_margin(lost, labels)
    assert values.tolist() == [0.0, 0.0]
    assert not torch.autograd.grad(values.sum(), lost)[0].any()


def test_joint_of_the_summed_margin() -> None:
    # The leads of the labels sum to 2 in the logits, and to -4 and -1 in the heads: only the first count.
    assert Joint(summed_margin, 2.0)(HEADS, torch.tensor([0, 1])).tolist() == [-1.0, -1.0]
    # Those of labels 1 and 0 sum to -6, and to 3 and -4.5: only the first head counts, twice one half of 1.5 an image.
    assert Joint(summed_margin, 2.0)(HEADS, torch.tensor([1, 0])).tolist() == [-1.5, -1.5]


def test_what_the_new_objectives_are_known_to_be() -> None:
    assert targets_of(summed_margin) == targets_of(Joint(cross_entropy, 2.0)) == "labels"
    assert targets_of(Joint(divergence, 2.0)) == "anything"
    assert targets_of(Towards(Joint(cross_entropy, 2.0))) == "labels"
    assert not crosses_zero(summed_margin)
    assert not crosses_zero(Joint(margin, 2.0))
    assert all(map(joins_images, (summed_margin, Joint(summed_margin, 2.0), Towards(summed_margin))))
    assert not any(map(joins_images, (margin, Joint(margin, 2.0), None)))


def test_undetected_is_the_smaller_of_the_margin_and_the_room_below_the_threshold() -> None:
    # Margins of label 0: 1, 1, -2, -2. Scores less their threshold: -0.5, 3, -0.5, 3.
    outputs = torch.tensor(
        [[0.0, 1.0, 0.5, -0.5], [0.0, 1.0, 0.5, 3.0], [2.0, 0.0, -1.0, -0.5], [2.0, 0.0, -1.0, 3.0]], requires_grad=True
    )
    values = undetected(outputs, torch.zeros(4, dtype=torch.int64))
    assert values.tolist() == [0.5, -3.0, -2.0, -3.0]
    (slope,) = torch.autograd.grad(values.sum(), outputs)
    assert slope.tolist() == [[0, 0, 0, -1], [0, 0, 0, -1], [-1, 1, 0, 0], [0, 0, 0, -1]]
    assert crosses_zero(undetected)
    assert targets_of(undetected) == "labels"


def test_undetected_has_no_way_towards_a_class() -> None:
    with pytest.raises(BadValue, match=r"^Towards\(undetected\): negated, it asks for the label or for an alarm$"):
        Towards(undetected)
