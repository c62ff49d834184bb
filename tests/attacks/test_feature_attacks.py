"""Attacks on features: optima that can be written down, and plain loops that must give the same images."""

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2, Linf
from holdfast.attacks import FeatureDistortion, FeatureScattering
from holdfast.attacks.feature_scattering import cost, transport
from holdfast.errors import ModelFault, UnknownName, UsageError
from holdfast.objectives import distance
from holdfast.passes import counting
from holdfast.rng import Stream
from tests.conftest import Small


def no_labels(count: int) -> Tensor:
    """Return the labels of attacks that look at none."""
    return torch.zeros(count, dtype=torch.int64)


@pytest.fixture
def middle() -> Tensor:
    """Images far from the walls of the box, so that the whole ball can be reached."""
    return 0.4 + 0.2 * torch.rand(9, 1, 4, 4)


def test_one_linear_feature_ends_in_its_best_corner(middle: Tensor) -> None:
    w = torch.randn(16)
    attacked = FeatureDistortion(Linf(0.1), steps=30)(lambda x: x.flatten(1) @ w[:, None], middle, no_labels(9))
    corner = 0.1 * w.sign().view(1, 1, 4, 4)
    up = ((attacked - middle) * corner).flatten(1).sum(1) > 0  # both ends are equally far; the start decides
    assert torch.allclose(attacked, middle + torch.where(up[:, None, None, None], corner, -corner), atol=1e-6)
    assert bool(up.any())
    assert not bool(up.all())


def test_in_the_euclidean_ball_the_optimum_is_the_first_singular_vector(middle: Tensor) -> None:
    W = torch.linalg.qr(torch.randn(16, 5)).Q @ torch.diag(torch.tensor([2.0, 1.0, 1.0, 0.5, 0.1]))
    attacked = FeatureDistortion(L2(0.3), steps=300)(lambda x: x.flatten(1) @ W, middle, no_labels(9))
    best = (0.3 * 2.0) ** 2 / 5
    reached = distance(attacked.flatten(1) @ W, middle.flatten(1) @ W)
    assert bool((reached <= best * 1.0001).all())
    assert bool((reached >= best * 0.99).all())


def test_a_start_at_the_image_goes_nowhere_and_a_random_one_moves(small: nn.Module, images: Tensor) -> None:
    labels = no_labels(12)
    attack = FeatureDistortion(Linf(0.05), steps=3)
    assert torch.equal(attack(small, images, labels, start=images), images)
    assert bool(((attack(small, images, labels) - images).flatten(1).abs().amax(1) > 0.04).all())
    twice = FeatureDistortion(Linf(0.05), steps=3, restarts=2)(small, images, labels, start=images)
    assert bool((twice != images).flatten(1).any(1).all())


def test_restarts_never_lower_the_distance(small: nn.Module, images: Tensor) -> None:
    small.eval()
    labels, clean = no_labels(12), small(images)
    single, many = (
        distance(small(FeatureDistortion(Linf(0.05), steps=2, restarts=restarts)(small, images, labels)), clean)
        for restarts in (1, 6)
    )
    assert bool((many >= single).all())
    assert bool((many > single).any())


def plain_distortion(small: Small, images: Tensor, eps: float, steps: int, layers: int) -> Tensor:
    """Climb the mean squared distance of the normalised features, and of the logits as well if two layers count."""

    def features(x: Tensor) -> list[Tensor]:
        first = small.norm(small.conv(x))
        return [first, small.last(torch.relu(first).flatten(1))][:layers]

    clean = [part.detach() for part in features(images)]
    x = Linf(eps).random_start(images, Stream.of(images, 0, "FeatureDistortion").split(0))
    for _ in range(steps):
        x = x.detach().requires_grad_()
        loss = sum(
            ((part - old) ** 2).mean(tuple(range(1, old.ndim))).sum()
            for part, old in zip(features(x), clean, strict=True)
        )
        loss.backward()
        x = torch.min(torch.max(x + 0.01 * x.grad.sign(), images - eps), images + eps).clamp(0, 1).detach()
    return x


@pytest.mark.parametrize("layers", [("norm",), ("norm", "output")], ids=len)
def test_named_layers_equal_a_plain_loop(layers: tuple[str, ...], small: Small, images: Tensor) -> None:
    small.eval()
    attacked = FeatureDistortion(Linf(0.05), steps=5, layers=layers)(small, images, no_labels(12))
    expected = plain_distortion(small, images, 0.05, 5, len(layers))
    assert float((attacked - expected).abs().gt(1e-5).float().mean()) < 0.005  # signs of gradients of nearly zero
    one = FeatureDistortion(Linf(0.05), steps=5)(lambda x: small.norm(small.conv(x)), images, no_labels(12))
    assert torch.equal(attacked, one) == (layers == ("norm",))


def test_labels_are_not_looked_at(small: nn.Module, images: Tensor) -> None:
    for attack in (FeatureDistortion(steps=2), FeatureScattering()):
        first, second = (attack(small, images, torch.full((12,), label)) for label in (0, 777))
        assert torch.equal(first, second)


def test_the_passes_of_feature_distortion(small: nn.Module, images: Tensor) -> None:
    for restarts, forwards in ((1, 1 + 4), (3, 1 + 3 * 5)):
        with counting() as spent:
            FeatureDistortion(steps=4, restarts=restarts, layers=("conv",))(small, images, no_labels(12))
        assert (spent.forwards, spent.backwards) == (12 * forwards, 12 * 4 * restarts)


def test_layers_that_are_not_there_get_one_line(small: nn.Module, images: Tensor) -> None:
    labels = no_labels(12)
    with pytest.raises(UnknownName, match="no layer is called 'nrom'; did you mean 'norm'"):
        FeatureDistortion(layers=("nrom",))(small, images, labels)
    with pytest.raises(UnknownName, match="no layer is called 'block2'; known: conv, drop, last, norm, output"):
        FeatureDistortion(layers=("conv", "block2"))(small, images, labels)
    with pytest.raises(UsageError, match="a plain function has none; give a torch module"):
        FeatureDistortion(layers=("conv",))(lambda x: small(x), images, labels)
    small.unused = nn.Identity()
    with pytest.raises(ModelFault, match="layer 'unused' gave no tensor"):
        FeatureDistortion(layers=("unused",))(small, images, labels)
    assert not any(part._forward_hooks for part in small.modules())


def plain_cost(clean: Tensor, found: Tensor) -> list[list[Tensor]]:
    """Return max(0, 1 - cos) of each pair, one by one."""
    pairs = [[(a * b).sum() / (a.pow(2).sum().sqrt() * b.pow(2).sum().sqrt()) for b in found] for a in clean]
    return [[(1 - cosine).clamp_min(0) for cosine in row] for row in pairs]


def plain_sinkhorn(C: list[list[Tensor]], through: bool = True) -> tuple[Tensor, int]:
    """Return the cost of the transport and the iterations it took, number by number; a constant plan on demand."""
    n, zero = len(C), torch.zeros((), dtype=torch.float64)
    u, v, log_mu, taken = [zero] * n, [zero] * n, -torch.log(torch.tensor(float(n), dtype=torch.float64)), 0
    for _ in range(100):
        old, taken = u, taken + 1
        rows = [sum(torch.exp((u[i] + v[j] - C[i][j]) / 0.01) for j in range(n)) for i in range(n)]
        u = [u[i] + 0.01 * (log_mu - torch.log(rows[i] + 1e-6)) for i in range(n)]
        columns = [sum(torch.exp((u[i] + v[j] - C[i][j]) / 0.01) for i in range(n)) for j in range(n)]
        v = [v[j] + 0.01 * (log_mu - torch.log(columns[j] + 1e-6)) for j in range(n)]
        if sum(float((new - before).detach().abs()) for new, before in zip(u, old, strict=True)) < 0.1:
            break
    T = [[torch.exp((u[i] + v[j] - C[i][j]) / 0.01) for j in range(n)] for i in range(n)]
    kept = [[move if through else move.detach() for move in row] for row in T]
    return sum((kept[i][j] * C[i][j] for i in range(n) for j in range(n)), zero), taken


def test_transport_equals_sinkhorn_number_by_number() -> None:
    clean = torch.randn(6, 4)
    iterations = []
    for found in (clean + 0.02 * torch.randn(6, 4), torch.randn(6, 4), -clean):
        C = cost(clean, found)
        expected, taken = plain_sinkhorn(plain_cost(clean.double(), found.double()))
        iterations.append(taken)
        assert float((transport(C) * C).sum()) == pytest.approx(float(expected), rel=1e-3)
    assert max(iterations) > 2  # else the loop would be untested


@pytest.mark.parametrize(
    ("C", "plan", "price"),
    [
        ([[0.3, 0.9], [0.8, 0.2]], [[0.499999, 0.0], [0.0, 0.499999]], 0.2499995),
        ([[0.5, 0.52], [0.51, 0.5]], [[0.3927474, 0.0771012], [0.1072517, 0.4228977]], 0.5026135),
    ],
)
def test_transport_is_the_one_worked_out_by_hand(C: list[list[float]], plan: list[list[float]], price: float) -> None:
    found, costs = transport(torch.tensor(C, dtype=torch.float64)), torch.tensor(C, dtype=torch.float64)
    assert torch.allclose(found, torch.tensor(plan, dtype=torch.float64), atol=1e-6)
    assert float((found * costs).sum()) == pytest.approx(price, abs=1e-6)


def test_costs_are_the_cosines_worked_out_by_hand() -> None:
    C = cost(torch.tensor([[1.0, 0, 0], [0, 1, 0]]), torch.tensor([[0.9, 0.1, 0], [0.2, 0.7, 0.1]]))
    assert torch.allclose(C, torch.tensor([[0.0061163, 0.7278345], [0.8895685, 0.0474207]]), atol=1e-6)
    assert float((transport(C) * C).sum()) == pytest.approx(0.0267684, abs=1e-6)


def test_the_gradient_goes_through_the_iterations() -> None:
    C = cost(torch.randn(6, 4), torch.randn(6, 4)).double().requires_grad_()
    whole, detached = (torch.autograd.grad((plan * C).sum(), C)[0] for plan in (transport(C), transport(C).detach()))
    step = 1e-7 * torch.randn_like(C)
    above, below = ((transport(moved) * moved).sum() for moved in (C.detach() + step, C.detach() - step))
    assert float(above - below) / 2 == pytest.approx(float((whole * step).sum()), rel=1e-4)
    assert float((whole - detached).norm()) > 0.1 * float(whole.norm())


def plain_scattering(W: Tensor, images: Tensor, eps: float, through: bool) -> Tensor:
    """Take the step of feature scattering in float64."""
    start = Linf(eps).random_start(images, Stream.of(images, 0, "FeatureScattering"))
    x = start.double().requires_grad_()
    clean, found = ((pixels.flatten(1) - 0.5) @ W.double() for pixels in (images.double(), x))
    plain_sinkhorn(plain_cost(clean, found), through)[0].backward()
    moved = start + eps * x.grad.float().sign()
    return torch.min(torch.max(moved, images - eps), images + eps).clamp(0, 1)


def test_feature_scattering_equals_a_plain_loop(images: Tensor) -> None:
    W = torch.randn(64, 5)
    attacked = FeatureScattering(Linf(0.8))(lambda x: (x.flatten(1) - 0.5) @ W, images, no_labels(12))
    through, detached = (plain_scattering(W, images, 0.8, through) for through in (True, False))
    same = [float(torch.isclose(attacked, other, atol=1e-6).float().mean()) for other in (through, detached)]
    assert same[0] > 0.999  # float32 here, float64 there: signs of gradients of nearly zero
    assert same[1] < same[0]  # a constant plan gives other images


def test_feature_scattering_is_one_full_step_that_depends_on_the_batch(small: nn.Module, images: Tensor) -> None:
    attack, labels = FeatureScattering(Linf(0.05)), no_labels(12)
    start = (images + 0.02 * torch.randn_like(images)).clamp(0, 1)
    with counting() as spent:
        attacked = attack(small, images, labels, start=start)
    start = Linf(0.05).project(start, images)
    full = torch.stack([Linf(0.05).project(start + step, images) for step in (-0.05, 0.05)])
    assert bool(torch.isclose(attacked, full, atol=1e-6).any(0).all())
    assert (spent.forwards, spent.backwards) == (2 * 12, 12)
    assert FeatureScattering.joint
    assert not torch.equal(attack(small, images[:6], labels[:6]), attack(small, images, labels)[:6])


def test_feature_scattering_raises_the_cost_of_transport(small: nn.Module, images: Tensor) -> None:
    small.eval()
    attacked = FeatureScattering(Linf(0.1))(small, images, no_labels(12))
    random = Linf(0.1).random_start(images, Stream.of(images, 0, "FeatureScattering"))
    costs = []
    for x in (random, attacked):
        C = cost(small(images), small(x)).detach()
        costs.append(float((transport(C) * C).sum()))
    assert costs[1] > 2 * costs[0]


def test_more_steps_of_feature_scattering_go_further(small: nn.Module, images: Tensor) -> None:
    small.eval()
    costs = []
    for steps in (1, 2, 4):
        attacked = FeatureScattering(Linf(0.1), steps=steps, step_size=0.05)(small, images, no_labels(12))
        C = cost(small(images), small(attacked)).detach()
        costs.append(float((transport(C) * C).sum()))
    assert costs[0] < costs[1] < costs[2]
    full = FeatureScattering(Linf(0.1), steps=1, step_size=0.1)(small, images, no_labels(12))
    assert torch.equal(full, FeatureScattering(Linf(0.1))(small, images, no_labels(12)))
