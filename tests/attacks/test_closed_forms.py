"""Attacks on a linear network, where the answer can be written down."""

import math
import re

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2, Linf
from holdfast.attacks import (
    APGD,
    APGDT,
    BIM,
    CW,
    FAB,
    FABT,
    FGSM,
    MIM,
    ODI,
    PGD,
    RFGSM,
    DeepFool,
    DeepFoolCL,
    GaussianNoise,
    IterLL,
    Square,
    StepLL,
)
from holdfast.attacks.attack import Attack
from holdfast.errors import BadLabels, BadValue, ModelFault
from holdfast.objectives import Towards, cross_entropy, distance, divergence
from holdfast.threats import Threat


class Linear(nn.Module):
    """Logits (z, -z) with z = <w, x> + b."""

    def __init__(self, w: Tensor, b: float) -> None:
        super().__init__()
        self.w, self.b = w, b

    def forward(self, images: Tensor) -> Tensor:
        z = images.flatten(1) @ self.w + self.b
        return torch.stack([z, -z], 1)


@pytest.fixture
def linear() -> Linear:
    w = torch.randn(16)
    return Linear(w, -0.5 * float(w.sum()) + 0.2)


@pytest.fixture
def middle() -> Tensor:
    """Images far from the walls of the box, so that the plane can be reached in a straight line."""
    return 0.45 + 0.1 * torch.rand(20, 1, 4, 4)


def reach(linear: Linear, images: Tensor, norm: float) -> Tensor:
    """Return the distance of each image to the plane, in the norm whose dual is `norm`."""
    return linear(images)[:, 0].abs() / linear.w.norm(p=norm)


ATTACKS = (FGSM, PGD, BIM, MIM, CW)


@pytest.mark.parametrize("kind", ATTACKS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("threat", "dual"), [(Linf, 1.0), (L2, 2.0)], ids=["Linf", "L2"])
def test_breaks_just_beyond_the_plane_and_not_before(
    kind: type[Attack], threat: type[Linf] | type[L2], dual: float, linear: Linear, middle: Tensor
) -> None:
    labels = linear(middle).argmax(1)
    for one, label, far in zip(middle, labels, reach(linear, middle, dual).tolist(), strict=True):
        for share, broken in ((0.98, False), (1.1, True)):
            attacked = kind(threat(far * share))(linear, one[None], label[None])
            assert bool(linear(attacked).argmax(1) != label) == broken


def test_fgsm_is_the_sign_step(linear: Linear, middle: Tensor) -> None:
    labels = linear(middle).argmax(1)
    direction = torch.where(labels == 0, -1.0, 1.0)[:, None, None, None] * linear.w.sign().view(1, 1, 4, 4)
    assert torch.equal(FGSM(Linf(0.03))(linear, middle, labels), (middle + 0.03 * direction).clamp(0, 1))


def test_rfgsm_takes_two_steps_of_known_size(linear: Linear, middle: Tensor) -> None:
    labels = linear(middle).argmax(1)
    attacked = RFGSM(Linf(0.04), alpha=0.01)(linear, middle, labels)
    direction = torch.where(labels == 0, -1.0, 1.0)[:, None, None, None] * linear.w.sign().view(1, 1, 4, 4)
    first = (attacked - middle - 0.03 * direction) / 0.01
    assert torch.allclose(first.abs(), torch.ones_like(first), atol=1e-4)
    assert RFGSM(Linf(0.04)) == RFGSM(Linf(0.04), alpha=None)


def test_least_likely_attacks_raise_the_least_likely_class() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    images = torch.rand(9, 1, 4, 4)
    wanted = network(images).argmin(1)
    labels = network(images).argmax(1)
    for attack in (StepLL(Linf(0.05)), IterLL(Linf(0.05), steps=5), IterLL(Linf(0.05), steps=5, renewed=True)):
        before, after = (
            network(x).softmax(1).gather(1, wanted[:, None]) for x in (images, attack(network, images, labels))
        )
        assert bool((after > before).all())
        assert torch.equal(attack(network, images, labels), attack(network, images, (labels + 1) % 5))


def test_a_class_chosen_anew_at_every_step_goes_back_and_forth_where_two_are_least_likely_in_turn() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 3))
    with torch.no_grad():
        network[1].weight[:] = Tensor([[1.0], [-1.0], [0.0]])
        network[1].bias[:] = Tensor([-0.52, 0.51, 10.0])  # the first is least likely up to 0.515, then the second
    image, label = torch.full((1, 1, 1, 1), 0.5), torch.full((1,), 2)
    kept, renewed = (
        IterLL(Linf(0.2), steps=3, step_size=0.04, renewed=each)(network, image, label) for each in (False, True)
    )
    assert float(kept) == pytest.approx(0.62)
    assert float(renewed) == pytest.approx(0.54)


def test_deepfool_lands_on_the_plane(linear: Linear, middle: Tensor) -> None:
    labels = linear(middle).argmax(1)
    for threat, dual in ((L2(math.inf), 2.0), (Linf(1.0), 1.0)):
        attacked = DeepFool(threat)(linear, middle, labels)
        assert bool((linear(attacked).argmax(1) != labels).all())
        shortest = reach(linear, middle, dual)
        assert torch.allclose(threat.distance(attacked, middle), 1.02 * (shortest + 1e-4), rtol=1e-3, atol=1e-5)


def test_deepfool_golden_value() -> None:
    network = Linear(torch.tensor([0.5, -1.0]), 0.0)  # z_0 - z_1 = x0 - 2 x1
    image = torch.tensor([1.0, 0.2]).view(1, 1, 1, 2)
    attacked = DeepFool()(network, image, torch.tensor([0]))
    assert torch.allclose(attacked.flatten(), torch.tensor([0.8776, 0.4448]), atol=1e-4)


def test_deepfool_leaves_what_is_already_wrong(linear: Linear, middle: Tensor) -> None:
    wrong = 1 - linear(middle).argmax(1)
    for attack in (DeepFool(), DeepFoolCL()):
        assert torch.equal(attack(linear, middle, wrong), middle)


def test_the_variant_of_paper_000_clips_normalised_pixels(linear: Linear) -> None:
    images = torch.rand(20, 1, 4, 4)
    labels = linear(images).argmax(1)
    attacked = DeepFoolCL(mean=(0.4,), std=(0.2,))(linear, images, labels)
    assert float(attacked.min()) >= 0.4 - 1e-6  # every pixel darker than the mean has become the mean
    assert float(attacked.max()) <= 0.6 + 1e-6


@pytest.mark.parametrize("gap", [72.0, 80.0, 86.0])
@pytest.mark.parametrize("kind", [FGSM, MIM])
def test_what_the_network_is_sure_of_breaks_as_what_it_is_not(kind: type[FGSM | MIM], gap: float) -> None:
    image, label = torch.full((1, 1, 4, 4), 0.5), torch.tensor([0])

    def sure(x: Tensor) -> Tensor:  # of a gap at the image, and of none 1.4 from it; its probability is down to e^-86
        lead = gap * (1 - 4 * (x - image).flatten(1).mean(1) / 1.4)
        return torch.stack([lead, -lead], 1) / 2

    attacked = kind(L2(1.5))(sure, image, label)
    torch.testing.assert_close(L2().distance(attacked, image), torch.tensor([1.5]))
    assert int(sure(attacked).argmax(1)) == 1


def test_a_faint_gradient_counts_as_much_as_any_other_of_its_sum() -> None:
    image, label = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])

    def turning(x: Tensor) -> Tensor:  # first it is sure, and the left pixel leads; once that has moved, the right one
        left, right = x.flatten(1).unbind(1)
        lead = torch.where(left > 0.5, 10 - 20 * right, 80 - 10 * left)
        return torch.stack([lead, -lead], 1) / 2

    moved = MIM(L2(0.4), steps=2)(turning, image, label) - image
    torch.testing.assert_close(moved[..., 0], moved[..., 1] * (1 + 2**0.5))


def test_towards_goes_where_it_is_told() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    images, wanted = torch.rand(9, 1, 4, 4), torch.full((9,), 3)
    attacked = PGD(Linf(0.5), steps=20, objective=Towards(cross_entropy))(network, images, wanted)
    assert bool((network(attacked).argmax(1) == 3).all())


def test_targets_may_be_logits_or_features() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    images = torch.rand(9, 1, 4, 4)
    clean = network(images).detach()
    for objective in (divergence, distance):
        attacked = PGD(Linf(0.1), steps=5, objective=objective)(network, images, clean)
        assert bool((objective(network(attacked), clean) > 0).all())


def test_restarts_never_lose(small: nn.Module, images: Tensor) -> None:
    labels = small.eval()(images).argmax(1)
    single = small(PGD(Linf(0.05), steps=3)(small, images, labels)).argmax(1) != labels
    many = small(PGD(Linf(0.05), steps=3, restarts=5)(small, images, labels)).argmax(1) != labels
    assert bool((many | ~single).all())


def test_a_start_is_where_the_attack_begins(linear: Linear, middle: Tensor) -> None:
    labels = linear(middle).argmax(1)
    start = middle + 0.05
    assert torch.equal(PGD(Linf(0.05), steps=1, step_size=0.0)(linear, middle, labels, start), start.clamp(0, 1))
    far = PGD(Linf(0.01), steps=1, step_size=0.0)(linear, middle, labels, start)
    assert torch.allclose(far, middle + 0.01)


def test_fields_out_of_range_are_refused() -> None:
    with pytest.raises(BadValue, match="steps = 0"):
        PGD(steps=0)
    with pytest.raises(BadValue, match="restarts = 0"):
        PGD(restarts=0)
    with pytest.raises(BadValue, match="step_size = -1"):
        BIM(step_size=-1.0)
    for kind, name, value in (
        (APGDT, "classes", 0),
        (DeepFool, "candidates", 1),
        (DeepFoolCL, "std", (0.2, 0, 0.2)),
        (FAB, "alpha_max", -3.0),
        (FAB, "beta", 5.0),
        (FABT, "eta", 0.0),
        (GaussianNoise, "deviation", -1.0),
        (MIM, "decay", -1.0),
        (ODI, "direction_steps", -3),
        (Square, "share", 0.0),
    ):
        with pytest.raises(BadValue, match=rf"{kind.__name__}: {name} = {re.escape(str(value))}, not "):
            kind(**{name: value})
    with pytest.raises(BadValue, match="alpha"):
        RFGSM(Linf(0.1), alpha=0.2)


def test_an_unbounded_threat_needs_a_step_size(linear: Linear, middle: Tensor) -> None:
    with pytest.raises(BadValue, match="give step_size"):
        PGD(L2(math.inf))(linear, middle, linear(middle).argmax(1))
    with pytest.raises(BadValue, match="give step_size"):
        MIM(L2(math.inf))(linear, middle, linear(middle).argmax(1))


def test_labels_beyond_the_classes_are_refused(linear: Linear, middle: Tensor) -> None:
    with pytest.raises(BadLabels, match="a label is 2, but the network knows classes 0 to 1"):
        PGD()(linear, middle, torch.full((20,), 2))


@pytest.mark.parametrize("threat", [Linf(0.1)])
def test_a_network_that_detaches_is_refused(threat: Threat, linear: Linear, middle: Tensor) -> None:
    with pytest.raises(ModelFault, match="no gradient reaches the images"):
        PGD(threat)(lambda x: linear(x.detach()), middle, torch.zeros(20, dtype=torch.int64))


class NaNGradient(torch.autograd.Function):
    """The identity with a gradient of NaN."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return torch.full_like(gradient, torch.nan)


@pytest.mark.parametrize("kind", [FGSM, PGD, APGD, DeepFool, FAB], ids=lambda kind: kind.__name__)
def test_a_nan_gradient_or_an_infinite_answer_is_not_robustness(
    kind: type[Attack], linear: Linear, middle: Tensor
) -> None:
    labels = linear(middle).argmax(1)
    with pytest.raises(ModelFault, match=r"gradient towards the images is NaN|answered NaN"):
        kind(Linf(0.1))(lambda x: NaNGradient.apply(linear(x)), middle, labels)
    with pytest.raises(ModelFault, match=r"answered (NaN|infinity)|gradient towards the images is NaN"):
        kind(Linf(0.1))(lambda x: torch.where(linear(x) > 0, torch.inf, linear(x)), middle, labels)


def test_arguments_of_another_kind_are_refused(linear: Linear, middle: Tensor) -> None:
    labels = linear(middle).argmax(1)
    with pytest.raises(BadLabels, match=r"labels are torch\.int32; attacks need torch\.int64"):
        PGD()(linear, middle, labels.int())
    for attack in (FGSM(L2(math.inf)), RFGSM(L2(math.inf))):
        with pytest.raises(BadValue, match="finite eps"):
            attack(linear, middle, labels)


def test_an_answer_of_another_size_is_refused(linear: Linear, middle: Tensor) -> None:
    with pytest.raises(ModelFault, match="one row an image"):
        PGD()(lambda x: linear(x)[:3], middle, torch.zeros(20, dtype=torch.int64))
