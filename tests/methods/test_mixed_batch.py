"""Kurakin's mixed batch and the distance of embeddings: closed forms, and a plain loop beside them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import Run, train
from holdfast.attacks import BIM, FGSM, StepLL
from holdfast.errors import BadValue
from holdfast.methods import (
    Guarded,
    Kurakin,
    LossMethod,
    Memory,
    Method,
    UnifiedEmbedding,
    clipped_normal,
    full,
    truncated_normal,
    uniform,
)
from holdfast.methods.eps_sampling import EpsSampler
from holdfast.methods.mixed_batch import Mixed, clip_to_eps, mixed, mixed_cross_entropy
from holdfast.rng import Stream, fresh
from holdfast.threats import L2, Linf
from holdfast.types import Batch
from tests.conftest import Small

EPS = 16 / 255
LL, FAST = StepLL(Linf(EPS)), FGSM(Linf(EPS))


def some(count: int = 12) -> Batch:
    return Batch(torch.rand(count, 1, 8, 8), torch.randint(0, 10, (count,)), torch.arange(count))


def eps_of(images: Tensor) -> Tensor:
    return EPS * clipped_normal(Stream.of(images, 0, "size of the attack", 0))


def test_a_mean_of_equal_losses_is_that_loss() -> None:
    logits = torch.zeros(9, 10)
    for attacked in (0, 3, 9):
        terms = mixed_cross_entropy(logits, Mixed(torch.zeros(9, 1, 1, 1), torch.arange(9), attacked), 0.3)
        total = sum(terms.values()) if attacked < 9 else terms["attacked"]
        assert float(total) == pytest.approx(float(torch.tensor(10.0).log()))


def test_the_denominator_of_the_papers_batch() -> None:
    labels, logits = torch.zeros(128, dtype=torch.long), torch.randn(128, 10)
    losses = F.cross_entropy(logits, labels, reduction="none")
    terms = mixed_cross_entropy(logits, Mixed(torch.zeros(128, 1, 1, 1), labels, 64), 0.3)
    assert float(terms["clean"]) == pytest.approx(float(losses[64:].sum()) / 83.2, rel=1e-5)
    assert float(terms["attacked"]) == pytest.approx(0.3 * float(losses[:64].sum()) / 83.2, rel=1e-5)


@pytest.mark.parametrize(
    ("eps_sampler", "at_end", "mean"),
    [(clipped_normal, 0.0455, 0.39), (truncated_normal, 0.0, 0.3618), (uniform, 0.0, 0.5), (full, 1.0, 1.0)],
)
def test_shares_of_eps(eps_sampler: EpsSampler, at_end: float, mean: float) -> None:
    drawn = eps_sampler(Stream.at(torch.arange(100_000), 0, "sizes"))
    assert drawn.shape == (100_000,)
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1
    assert float((drawn == 1).float().mean()) == pytest.approx(at_end, abs=0.003)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.004)


def test_shares_of_eps_are_new_at_every_step_and_the_same_again() -> None:
    batch = some()
    with fresh(0, 1):
        first, again = eps_of(batch.images), eps_of(batch.images)
    with fresh(0, 2):
        other = eps_of(batch.images)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("attack", [LL, FAST], ids=["step_ll", "step_FGSM"])
def test_a_shrunk_step_is_the_step_of_that_eps(attack: StepLL | FGSM) -> None:
    model, batch = Small(), some()
    eps = eps_of(batch.images)
    found = clip_to_eps(attack(model, batch.images, batch.labels), batch.images, eps)
    for place in range(len(eps)):
        alone = replace(attack, threat=Linf(float(eps[place])))
        one = alone(model, batch.images[place : place + 1], batch.labels[place : place + 1])
        assert torch.allclose(found[place], one[0], atol=1e-6)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_kurakins_batch_replaces_the_attacked_images() -> None:
    model, batch = Small(), some(12)
    shown = mixed(model, batch, Memory(), (LL,), 0.5, clipped_normal, paired=False)
    assert shown.attacked == 6
    assert torch.equal(shown.images[6:], batch.images[6:])
    assert torch.equal(shown.labels, batch.labels)
    change = (shown.images[:6] - batch.images[:6]).abs().flatten(1).amax(1)
    assert torch.allclose(change, eps_of(batch.images[:6]), atol=1e-6)


def test_a_paired_batch_shows_the_clean_partners_in_order() -> None:
    model, batch = Small(), some(12)
    shown = mixed(model, batch, Memory(), (LL,), 1.0, clipped_normal, paired=True)
    assert (shown.attacked, len(shown.images)) == (12, 24)
    assert torch.equal(shown.images[12:], batch.images)
    assert torch.equal(shown.labels, batch.labels.repeat(2))
    half = mixed(model, batch, Memory(), (LL,), 0.5, clipped_normal, paired=True)
    assert (half.attacked, len(half.images)) == (6, 18)
    assert torch.equal(half.images[6:], batch.images)


def test_both_steps_fill_half_of_the_places_each() -> None:
    model, batch = Small(), some(12)
    both = mixed(model, batch, Memory(), (LL, FAST), 1.0, full, paired=True)
    assert torch.allclose(both.images[:6], LL(model, batch.images[:6], batch.labels[:6]), atol=1e-6)
    assert torch.allclose(both.images[6:12], FAST(model, batch.images[6:], batch.labels[6:]), atol=1e-6)


def test_attacking_leaves_mode_statistics_and_gradients_alone() -> None:
    model, batch = Small().train(), some()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mixed(model, batch, Memory(), (LL, FAST), 1.0, clipped_normal, paired=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert model.training


def test_the_images_are_made_with_the_network_at_rest() -> None:
    model, batch = Small(), some()
    training = mixed(model.train(), batch, Memory(), (FAST,), 1.0, full, paired=True)
    resting = mixed(model.eval(), batch, Memory(), (FAST,), 1.0, full, paired=True)
    assert torch.equal(training.images, resting.images)


class Seen(nn.Module):
    """A linear network that keeps its last answer, to ask for the gradient towards it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 10)
        self.answer: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        self.answer = self.last(images.flatten(1))
        if self.answer.requires_grad:
            self.answer.retain_grad()
        return self.answer


def gap_gradients(method: UnifiedEmbedding) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the distance towards attacked and clean embeddings, and the embeddings' difference."""
    model, batch = Seen(), some()
    method.loss(model, batch, Memory())["distance"].backward()
    assert model.answer is not None
    assert model.answer.grad is not None
    attacked, clean = model.answer.grad.split(12)
    first, second = model.answer.detach().split(12)
    return attacked, clean, first - second


@pytest.mark.parametrize(("power", "half"), [(2, True), (2, False), (1, True)])
def test_a_pivot_stays_and_two_embeddings_meet_halfway(power: int, half: bool) -> None:
    method = UnifiedEmbedding((LL,), penalty=0.7, power=power, half=half)  # type: ignore[arg-type]
    for pivot in (True, False):
        attacked, clean, gap = gap_gradients(replace(method, pivot=pivot))
        slope = gap.sign() if power == 1 else gap * (1 if half else 2)
        assert torch.allclose(attacked, 0.7 * slope, atol=1e-6)
        assert torch.equal(clean, torch.zeros_like(clean) if pivot else -attacked)


class Scaled(nn.Module):
    """A linear network of zero bias whose logits have a length to be learned."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10, bias=False)
        self.length = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.length * self.linear(images.flatten(1))
        return logits


def test_the_pivot_wants_longer_logits_where_an_attack_shortens_them_and_two_embeddings_never_do() -> None:
    """Why the pivot can run away: what lengthens the attacked logits lengthens the clean ones, which it chases."""
    model, batch = Scaled(), some()
    slopes = {}
    for pivot in (True, False):
        with fresh(1, 2):
            distance = UnifiedEmbedding((LL,), pivot=pivot).loss(model, batch, Memory())["distance"]
        (slopes[pivot],) = torch.autograd.grad(distance, model.length)
    assert slopes[True] < 0 < slopes[False]


def test_a_whole_loss_against_a_plain_loop() -> None:
    model, batch = Small().eval(), some()
    method = UnifiedEmbedding((LL,), weight=0.3, penalty=0.01)
    with fresh(1, 2):
        terms, eps = method.loss(model, batch, Memory()), eps_of(batch.images)
    clean_sum = attacked_sum = gap = torch.zeros(())
    for image, label, size in zip(batch.images, batch.labels, eps, strict=True):
        x = image[None].clone().requires_grad_()
        logits = model(x)
        (slope,) = torch.autograd.grad(F.cross_entropy(logits, logits.argmin(1)), x)
        attacked = (image[None] - size * slope.sign()).clamp(0, 1)
        with torch.no_grad():
            clean_sum = clean_sum + F.cross_entropy(model(image[None]), label[None])
            attacked_sum = attacked_sum + F.cross_entropy(model(attacked), label[None])
            gap = gap + (model(attacked) - model(image[None])).square().sum() / 2
    total = 12 + 0.3 * 12
    expected = {"clean": clean_sum / total, "attacked": 0.3 * attacked_sum / total, "distance": 0.01 * gap}
    assert {name: float(term.detach()) for name, term in terms.items()} == pytest.approx(
        {name: float(term) for name, term in expected.items()}, rel=1e-4
    )


def test_kurakins_loss_against_a_plain_one() -> None:
    model, batch = Small().eval(), some()
    with fresh(1, 2):
        terms = Kurakin((FAST,), weight=0.3, eps_sampler=full).loss(model, batch, Memory())
    attacked = FAST(model, batch.images[:6], batch.labels[:6])
    clean = F.cross_entropy(model(batch.images[6:]), batch.labels[6:], reduction="sum")
    hurt = F.cross_entropy(model(attacked), batch.labels[:6], reduction="sum")
    assert torch.allclose(terms["clean"], clean / 7.8, rtol=1e-5)
    assert torch.allclose(terms["attacked"], 0.3 * hurt / 7.8, rtol=1e-5)


def test_an_embedding_may_be_any_layer() -> None:
    from holdfast.models import DigitsNet

    model, batch = DigitsNet(channels=1, classes=10).eval(), some()
    seen = {
        name: float(UnifiedEmbedding((LL,), embedding=name).loss(model, batch, Memory())["distance"].detach())
        for name in ("output", "penultimate")
    }
    assert seen["output"] != seen["penultimate"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Kurakin(()), "nothing to fill"),
        (lambda: Kurakin((LL,), share=0.0), "share = 0"),
        (lambda: Kurakin((LL,), weight=-1.0), "weight = -1"),
        (lambda: Kurakin((LL,), share=1.0, weight=0.0), "no clean image is shown"),
        (lambda: UnifiedEmbedding((FGSM(L2(0.5)),)), "defined for Linf"),
        (lambda: UnifiedEmbedding((LL,), penalty=-1.0), "penalty = -1"),
    ],
)
def test_what_cannot_be_mixed_is_refused(make: object, words: str) -> None:
    with pytest.raises(BadValue, match=words):
        make()  # type: ignore[operator]


def test_an_iterated_craft_stays_within_each_images_own_eps() -> None:
    model, batch = Small(), some()
    method: LossMethod = Kurakin((BIM(Linf(EPS), 3, 0.5 * EPS),), share=1.0)
    assert isinstance(method, Kurakin)
    shown = mixed(model, batch, Memory(), method.adversaries, 1.0, clipped_normal, paired=False)
    assert bool(((shown.images - batch.images).abs().flatten(1).amax(1) <= eps_of(batch.images) + 1e-6).all())


@pytest.mark.parametrize(
    "method",
    [
        Kurakin((LL,)),
        Kurakin((LL, FAST), share=1.0),
        UnifiedEmbedding((LL,), share=0.5),
        UnifiedEmbedding((LL, FAST)),
        Guarded(Kurakin((LL,)), FAST),
    ],
)
def test_places_in_a_batch_that_never_changes_are_refused(method: Method) -> None:
    words = f"{type(method).__name__} treats images by their places in a batch, and in the order"
    with pytest.raises(BadValue, match=words):
        Run(method, order="stored")
    assert Run(Kurakin((LL,), share=1.0), order="stored").order == "stored"
    assert Run(UnifiedEmbedding((LL,)), order="stored").order == "stored"


@pytest.mark.parametrize(
    ("method", "batch", "attacked"),
    [
        (Kurakin((LL,), share=0.01), 16, 0),
        (Kurakin((LL, FAST, BIM(Linf(EPS)))), 2, 1),
        (Kurakin((LL,), share=0.99), 16, 16),
        (Kurakin(), 1, 0),
        (UnifiedEmbedding((LL, FAST)), 1, 1),
        (Guarded(Kurakin((LL,), share=0.01), FAST), 16, 0),
    ],
)
def test_a_batch_too_small_for_its_attacked_places_is_refused(method: Method, batch: int, attacked: int) -> None:
    with pytest.raises(BadValue, match=f"the largest batch, of {batch} images, is {attacked} attacked"):
        Run(method, batch=batch)


def test_only_the_last_batch_of_an_epoch_may_be_too_small_for_its_attacked_places(tmp_path: Path) -> None:
    run = Run(Kurakin((LL, FAST)), "digits-net", "made-up:1x8x8", epochs=1, batch=8, limit=10)
    assert len(list(train(run, tmp_path / "run").parameters())) > 0
    with pytest.raises(BadValue, match="of 2 images, is 1 attacked"):
        train(replace(run, limit=2), tmp_path / "few")
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]
