"""Our attacks beside torchattacks, foolbox and plain loops: where the algorithm is the same, so are the images.

Pixels and step sizes are multiples of 1/256: their sums are exact in float32, in whatever order a library adds them.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import L2, Linf, Normalized
from holdfast.attacks import BIM, CW, FGSM, MIM, PGD, RFGSM, Attack, DeepFool, DeepFoolCL, IterLL, StepLL
from holdfast.data import load
from holdfast.rng import Stream
from holdfast.threats import Threat
from tests.attacks.shortest import share_of_same
from tests.conftest import Small

# foolbox asks for git through GitPython, which answers with a plain ImportError where there is none.
torchattacks = pytest.importorskip("torchattacks", exc_type=ImportError)
foolbox = pytest.importorskip("foolbox", exc_type=ImportError)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::Warning:torchattacks"),
    pytest.mark.filterwarnings("ignore::Warning:foolbox"),
    pytest.mark.filterwarnings("ignore::Warning:eagerpy"),
]

EPS, STEP, STEPS = 16 / 256, 4 / 256, 10
MEAN, STD = (0.5, 0.45, 0.4), (0.25, 0.24, 0.26)


@dataclass(frozen=True)
class Case:
    """A network at rest, and images with labels to attack it with."""

    network: nn.Module
    images: Tensor
    labels: Tensor

    @property
    def fresh(self) -> nn.Module:
        """A copy for an oracle alone: foolbox fills weight gradients, torchattacks changes modes."""
        return copy.deepcopy(self.network)

    def answers(self, images: Tensor) -> Tensor:
        """Return the class that the network gives each image."""
        return self._logits(images).argmax(1)

    def accuracy(self, images: Tensor) -> float:
        """Return the share of images that the network gets right."""
        return float((self.answers(images) == self.labels).float().mean())

    def two_best(self, images: Tensor) -> Tensor:
        """Return the two classes that each image is between, in order of their numbers."""
        return self._logits(images).topk(2, dim=1).indices.sort(1).values

    def undecided(self, images: Tensor) -> Tensor:
        """Say which images are so close to a boundary that rounding may move them across."""
        best = self._logits(images).topk(2, dim=1).values
        return best[:, 0] - best[:, 1] < 1e-4

    def inside(self) -> "Case":
        """Return the case with images so far from 0 and 1 that no change shorter than 0.25 is cut."""
        return Case(self.network, 0.25 + self.images / 2, self.labels)

    def predicted(self) -> "Case":
        """Return the case with the network's own answers as labels."""
        return Case(self.network, self.images, self.answers(self.images))

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        return self.network(images)


def trained_on_digits() -> Case:
    """Return a network that reads most digits; their pixels are multiples of 1/16."""
    train_set, test_set = (load("digits", part) for part in ("train", "test"))
    network = Small()
    optimizer = torch.optim.Adam(network.parameters(), 0.003)
    for _ in range(60):
        chosen = torch.randint(len(train_set), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(train_set.images[chosen]), train_set.labels[chosen]).backward()
        optimizer.step()
    return Case(network.eval(), test_set.images[:32], test_set.labels[:32])


def normalised_colour() -> Case:
    """Return a network that normalises by itself, with fresh weights, right on three images of four."""
    network = nn.Sequential(Normalized(MEAN, STD), Small((3, 16, 16))).eval()
    images = torch.randint(0, 257, (32, 3, 16, 16)) / 256
    labels = Case(network, images, torch.zeros(32)).answers(images)
    return Case(network, images, torch.where(torch.arange(32) % 4 == 0, (labels + 1) % 10, labels))


@pytest.fixture(scope="module", params=[trained_on_digits, normalised_colour], ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return request.param()


def by_torchattacks(kind: Callable[..., object], case: Case, *args: object, **options: object) -> Tensor:
    """Return the images of a torchattacks attack."""
    return kind(case.fresh, *args, **options)(case.images, case.labels)


def by_foolbox(attack: Callable[..., object], case: Case, eps: float | None) -> Tensor:
    """Return the images of a foolbox attack, cut to eps."""
    # foolbox takes the first GPU unless it is told the device.
    model = foolbox.PyTorchModel(case.fresh, bounds=(0, 1), device="cpu")
    return attack(model, case.images, case.labels, epsilons=eps)[1]


def by_hand(
    case: Case, threat: Threat, loss: Callable[[Tensor, Tensor], Tensor], start: Tensor, step: float, steps: int
) -> Tensor:
    """Return the images of projected gradient ascent in L-inf, written as in a paper."""
    eps, x, images = threat.eps, start, case.images
    for _ in range(steps):
        x = x.clone().requires_grad_()
        gradient = torch.autograd.grad(loss(case.network(x), case.labels).sum(), x)[0]
        x = x.detach() + step * gradient.sign()
        x = torch.clamp(torch.min(torch.max(x, images - eps), images + eps), 0, 1)
    return x


def loss_of_label(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, reduction="none")


def loss_of_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -max(z_y - max_other + 50, 0), masking the true class as the published codes do."""
    true = F.one_hot(labels, 10).float()
    others = ((1 - true) * logits - 1000 * true).max(1).values
    return -F.relu((true * logits).sum(1) - others + 50)


def assert_same(case: Case, ours: Tensor, theirs: Tensor) -> None:
    """Check that both made the same images, that these count the same, and that they are not those we began with."""
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
    assert case.accuracy(ours) == case.accuracy(theirs)
    assert float((ours - case.images).abs().amax((1, 2, 3)).min()) > 0.01


def test_the_cases_can_be_attacked(case: Case) -> None:
    attacked = PGD(Linf(EPS), STEPS, STEP)(case.network, case.images, case.labels)
    assert case.accuracy(attacked) < case.accuracy(case.images)


def test_fgsm(case: Case) -> None:
    ours = FGSM(Linf(EPS))(case.network, case.images, case.labels)
    assert_same(case, ours, by_torchattacks(torchattacks.FGSM, case, EPS))
    assert_same(case, ours, by_foolbox(foolbox.attacks.LinfFastGradientAttack(), case, EPS))


@pytest.mark.parametrize(
    "attack", [BIM(Linf(EPS), STEPS, STEP), PGD(Linf(EPS), STEPS, STEP, random_start=False)], ids=["BIM", "PGD"]
)
def test_bim_is_pgd_without_random_start(attack: Attack, case: Case) -> None:
    ours = attack(case.network, case.images, case.labels)
    for theirs in (
        by_torchattacks(torchattacks.BIM, case, EPS, STEP, STEPS),
        by_torchattacks(torchattacks.PGD, case, EPS, STEP, STEPS, random_start=False),
        by_foolbox(foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=STEP, steps=STEPS), case, EPS),
        by_foolbox(foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS, random_start=False), case, EPS),
    ):
        assert_same(case, ours, theirs)


@pytest.mark.parametrize(("eps", "step"), [(EPS, STEP), (8 / 255, 2 / 255), (0.3, 0.01)])
def test_pgd_is_the_plain_loop_bit_for_bit(eps: float, step: float, case: Case) -> None:
    threat = Linf(eps)
    ours = PGD(threat, STEPS, step, random_start=False)(case.network, case.images, case.labels)
    assert torch.equal(ours, by_hand(case, threat, loss_of_label, case.images, step, STEPS))


def test_pgd_draws_its_start_and_then_is_the_plain_loop(case: Case) -> None:
    threat = Linf(EPS)
    ours = PGD(threat, STEPS, STEP, seed=3)(case.network, case.images, case.labels)
    start = threat.random_start(case.images, Stream.of(case.images, 3, "PGD"))
    assert float((start - case.images).abs().max()) > 0.9 * EPS
    assert torch.equal(ours, by_hand(case, threat, loss_of_label, start, STEP, STEPS))


def test_pgd_goes_on_from_a_given_start(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = torch.randint(-16, 17, case.images.shape) / 256
    start = (case.images + noise).clamp(0, 1)
    ours = PGD(Linf(EPS), STEPS, STEP)(case.network, case.images, case.labels, start)
    assert torch.equal(ours, by_hand(case, Linf(EPS), loss_of_label, start, STEP, STEPS))

    pgd = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS)
    monkeypatch.setattr(pgd, "get_random_start", lambda x0, epsilon: x0 + type(x0)(noise))
    assert_same(case, ours, by_foolbox(pgd, case, EPS))

    monkeypatch.setattr(Tensor, "uniform_", lambda self, low, high: self.copy_(noise))
    assert_same(case, ours, by_torchattacks(torchattacks.PGD, case, EPS, STEP, STEPS, random_start=True))


def test_mim(case: Case) -> None:
    for decay in (1.0, 0.5):
        ours = MIM(Linf(EPS), STEPS, STEP, decay)(case.network, case.images, case.labels)
        # foolbox is no judge here: it sums signs of gradients instead of normalised gradients.
        assert_same(case, ours, by_torchattacks(torchattacks.MIFGSM, case, EPS, STEP, STEPS, decay))


@pytest.mark.parametrize("cut", [False, True], ids=["no pixel cut", "pixels cut"])
def test_l2_steps(case: Case, cut: bool) -> None:
    inner, eps, step = case if cut else case.inside(), 0.2, 0.05
    ours = FGSM(L2(eps))(inner.network, inner.images, inner.labels)
    assert torch.allclose(ours, by_foolbox(foolbox.attacks.L2FastGradientAttack(), inner, eps), rtol=0, atol=1e-5)
    for attack in (BIM(L2(eps), STEPS, step), PGD(L2(eps), STEPS, step, random_start=False)):
        ours = attack(inner.network, inner.images, inner.labels)
        for theirs in (
            by_foolbox(foolbox.attacks.L2BasicIterativeAttack(abs_stepsize=step, steps=STEPS), inner, eps),
            by_foolbox(foolbox.attacks.L2PGD(abs_stepsize=step, steps=STEPS, random_start=False), inner, eps),
            by_torchattacks(torchattacks.PGDL2, inner, eps, step, STEPS, random_start=False),
        ):
            # Lengths are rounded otherwise, which may take an image of 32 over a kink of the network.
            assert share_of_same(ours, theirs) >= 0.95
            assert inner.accuracy(ours) == pytest.approx(inner.accuracy(theirs), abs=0.05)


@pytest.mark.parametrize(
    ("attack", "kind", "arguments"),
    [
        (StepLL(Linf(EPS)), torchattacks.FGSM, (EPS,)),
        (IterLL(Linf(EPS), STEPS, STEP), torchattacks.BIM, (EPS, STEP, STEPS)),
    ],
    ids=["StepLL", "IterLL"],
)
def test_towards_the_least_likely_class(
    attack: Attack, kind: Callable[..., object], arguments: tuple[float, ...], case: Case
) -> None:
    # torchattacks leaves the label out of the least likely; ours does not look at it, so labels are the likeliest here.
    case = case.predicted()
    oracle = kind(case.fresh, *arguments)
    oracle.set_mode_targeted_least_likely(quiet=True)
    assert_same(case, attack(case.network, case.images, case.labels), oracle(case.images, case.labels))


def test_cw_is_the_plain_loop_on_the_margin_bit_for_bit(case: Case) -> None:
    ours = CW(Linf(EPS), STEPS, STEP, random_start=False)(case.network, case.images, case.labels)
    assert torch.equal(ours, by_hand(case, Linf(EPS), loss_of_margin, case.images, STEP, STEPS))
    assert case.accuracy(ours) < case.accuracy(case.images)


def test_rfgsm(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    threat = Linf(EPS)
    noise = Stream.of(case.images, 5, "RFGSM").normal(case.images.shape[1:])
    for alpha in (EPS / 2, EPS / 4):
        ours = RFGSM(threat, alpha, seed=5)(case.network, case.images, case.labels)
        start = (case.images + alpha * noise.sign()).clamp(0, 1)
        assert torch.equal(ours, by_hand(case, threat, loss_of_label, start, EPS - alpha, 1))
    # torchattacks takes both steps with one size, and the sign of normal noise as we do.
    monkeypatch.setattr(torch, "randn_like", lambda images: noise)
    half = RFGSM(threat, EPS / 2, seed=5)(case.network, case.images, case.labels)
    assert_same(case, half, by_torchattacks(torchattacks.RFGSM, case, EPS, EPS / 2, 1))


@pytest.mark.parametrize("norm", ["L2", "Linf"])
def test_deepfool(norm: str, case: Case) -> None:
    # foolbox leaves the predicted class, ours the true one: here they are the same.
    case = case.predicted()
    threat = L2(math.inf) if norm == "L2" else Linf(math.inf)
    ours = DeepFool(threat)(case.network, case.images, case.labels)
    assert case.accuracy(ours) == 0
    theirs = by_foolbox(getattr(foolbox.attacks, f"{norm}DeepFoolAttack")(), case, None)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
    if norm == "L2":
        # torchattacks cuts each step to the box, so that it may end just before the boundary.
        theirs = by_torchattacks(torchattacks.DeepFool, case, steps=10, overshoot=0.02)
        assert torch.equal(case.two_best(ours), case.two_best(theirs))
        mine, other = (float(threat.distance(images, case.images).median()) for images in (ours, theirs))
        assert mine == pytest.approx(other, rel=0.02, abs=2e-4)  # without the authors' 1e-4 beyond each plane


class FromNormalised(nn.Module):
    """A network as a function of normalised pixels u = (x - mean) / std."""

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, u: Tensor) -> Tensor:
        return self.network(self.mean + self.std * u)


def test_deepfool_of_paper_000_is_torchattacks_on_normalised_pixels(case: Case) -> None:
    channels = case.images.shape[1]
    mean, std = (torch.tensor(values[:channels])[:, None, None] for values in (MEAN, STD))
    attack = DeepFoolCL(steps=20, overshoot=0.02, mean=MEAN[:channels], std=STD[:channels])
    ours = attack(case.network, case.images, case.labels)
    oracle = torchattacks.DeepFool(FromNormalised(case.fresh, mean, std), steps=20, overshoot=0.02)
    theirs = mean + std * oracle((case.images - mean) / std, case.labels)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)
    # A walk that is cut to the box ends on the boundary itself, where rounding alone decides what is counted.
    decided = ~case.undecided(ours)
    assert torch.equal(case.answers(ours)[decided], case.answers(theirs)[decided])
    untouched = case.answers(case.images) != case.labels
    assert 0 < int(untouched.sum()) < len(untouched)
    assert torch.allclose(ours[untouched], case.images[untouched], rtol=0, atol=1e-6)
