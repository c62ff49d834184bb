"""The methods that paper 001 compares with: closed forms of their parts, and laws of their batches."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.attacks import PGD
from holdfast.data import CropFlip, ImageSet, made_up_images
from holdfast.errors import BadLabels, BadValue, UsageError
from holdfast.methods import (
    ALP,
    AT,
    AWP,
    CAS,
    CAT,
    MART,
    SML,
    TRADES,
    Bilateral,
    CraftedMethod,
    LossMethod,
    Memory,
    Pool,
)
from holdfast.methods.awp import moved
from holdfast.methods.bilateral import attacked_labels, most_confusing, random_other
from holdfast.methods.cat import dirichlet, grown, held, short_of, smoothed
from holdfast.methods.mart import boost, weighted_divergence
from holdfast.methods.sml import nearest_other
from holdfast.models import WithAuxiliary, labelled
from holdfast.objectives import (
    Joint,
    SmoothedCrossEntropy,
    Towards,
    cross_entropy,
    divergence,
    margin,
    soft_cross_entropy,
)
from holdfast.rng import Stream, fresh
from holdfast.training.dependencies import Lineage
from holdfast.training.state import Updates
from holdfast.types import Batch
from tests.conftest import AsLogits, Given, as_images

CLEAN = ((2.0, 1.0, 0.0), (0.0, 1.0, 0.5))
ATTACKED = ((1.0, 1.5, 0.0), (0.2, 0.8, 0.9))
BATCH = Batch(as_images(CLEAN), torch.tensor([0, 1]), torch.arange(2))


@pytest.mark.parametrize(
    ("method", "terms"),
    [
        (AT(Given(logits=ATTACKED), SmoothedCrossEntropy(0.0)), {"attacked": 1.0400960}),
        (
            MART(Given(logits=ATTACKED), beta=6.0),
            {"attacked": 1.0400960, "boosted": 0.6645252, "robust": 6 * 0.0491874},
        ),
        (
            ALP(Given(logits=ATTACKED), weight=0.5),
            {"clean": 0.5439378 / 2, "attacked": 1.0400960 / 2, "pairing": 0.5 * (1.25 / 3 + 0.24 / 3) / 2},
        ),
        (
            ALP(Given(logits=ATTACKED), weight=0.5, pairing="sum"),
            {"clean": 0.5439378 / 2, "attacked": 1.0400960 / 2, "pairing": 0.5 * (1.25 + 0.24) / 2},
        ),
    ],
    ids=["AT", "MART", "ALP", "ALP-sum"],
)
def test_loss(method: LossMethod, terms: dict[str, float]) -> None:
    found = method.loss(AsLogits(), BATCH, Memory())
    assert {name: float(term) for name, term in found.items()} == pytest.approx(terms, abs=1e-6)


def test_the_parts_of_mart_are_those_worked_out_by_hand() -> None:
    clean, attacked = torch.tensor(CLEAN), torch.tensor(ATTACKED)
    p = clean.softmax(1)
    rows = weighted_divergence(attacked, clean, BATCH.labels) / (1.0000001 - p.gather(1, BATCH.labels[:, None])[:, 0])
    assert rows.tolist() == pytest.approx([0.2394014, 0.0369447], abs=1e-6)
    part = float(boost(attacked, BATCH.labels).mean() + 6 * weighted_divergence(attacked, clean, BATCH.labels).mean())
    assert math.isclose(part, 0.9596494, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("p", "wanted"),
    [
        ([0.7, 0.2, 0.1], [0.8987219, 0.0014202, 0.0998580]),
        ([0.91, *[0.01] * 9], [0.5, *[0.0555556] * 9]),
        (
            [0.6, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01, 0.005, 0.004, 0.001],
            [
                0.6715838,
                1.406e-4,
                9.8843e-3,
                0.0196281,
                0.0325087,
                0.0422524,
                0.0422524,
                0.0519962,
                0.055133,
                0.0746204,
            ],
        ),
    ],
)
def test_attacked_labels_are_those_worked_out_by_hand(p: list[float], wanted: list[float]) -> None:
    found = attacked_labels(torch.tensor([p]), torch.tensor([0]), beta=9.0, gamma=0.01)[0]
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)
    assert math.isclose(float(found.sum()), 1, abs_tol=1e-6)
    assert math.isclose(float(found[0]), 9 * float(found[1:].max()), abs_tol=1e-5)


def test_wrong_classes_are_wrong_and_the_confusing_one_is_the_likeliest() -> None:
    labels = torch.arange(10).repeat(50)
    other = random_other(labels, 10, Stream.at(torch.arange(500), 0))
    assert bool((other != labels).all())
    assert set(other.tolist()) == set(range(10))
    assert most_confusing(torch.tensor(CLEAN), BATCH.labels).tolist() == [1, 2]


def test_bilateral_goes_to_a_class() -> None:
    with pytest.raises(BadValue, match="Towards"):
        Bilateral(attack=PGD())


def test_soft_labels_of_one_class_are_that_class() -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 2, 2])
    soft = torch.nn.functional.one_hot(labels, 4).float()
    assert torch.allclose(soft_cross_entropy(logits, soft), cross_entropy(logits, labels))


def test_a_radius_grows_where_the_network_holds_and_stays_where_it_does_not() -> None:
    radius = torch.tensor([0.005, 0.02, 0.031])
    lost = torch.tensor([True, False, False])
    assert grown(radius, lost, 0.005, 0.03).tolist() == pytest.approx([0.0, 0.02, 0.03])


def test_labels_give_away_as_much_as_the_radius_is_large() -> None:
    drawn = dirichlet(Stream.at(torch.arange(4000), 0), 5)
    assert torch.allclose(drawn.sum(1), torch.ones(4000))
    # Of Dirichlet(1, ..., 1) over five classes each weight has mean 1/5 and variance 4/150.
    assert torch.allclose(drawn.mean(0), torch.full((5,), 0.2), atol=0.01)
    assert torch.allclose(drawn.var(0), torch.full((5,), 4 / 150), atol=0.003)
    labels = torch.zeros(4000, dtype=torch.int64)
    given = smoothed(labels, drawn, torch.full((4000,), 0.3))
    assert torch.allclose(given[:, 1:], 0.3 * drawn[:, 1:])
    assert torch.allclose(given.sum(1), torch.ones(4000))


def test_margins_of_cat_are_hinges() -> None:
    logits, labels = torch.tensor([[3.0, 1.0, 0.0], [0.0, 20.0, 0.0]]), torch.tensor([0, 0])
    assert short_of(logits, labels, 10).tolist() == [8.0, 30.0]
    assert held(logits, labels, 10).tolist() == [12.0, 0.0]


@pytest.mark.parametrize("form", ["ce", "mix"])
def test_each_image_of_cat_stays_in_its_own_radius(form: str) -> None:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(16))
    model = models.build("digits-net", (1, 8, 8), 10)
    method = CAT(Linf(0.05), form=form)  # type: ignore[arg-type]
    memory = Memory(radius=torch.linspace(0, 0.05, 16), classes=torch.tensor(10))
    batch = Batch(data.take(torch.arange(16)), data.labels, torch.arange(16))
    attacked, weights, radius = method.craft(model, batch, memory)
    change = (attacked - batch.images).abs().flatten(1).amax(1)
    allowed = torch.linspace(0, 0.05, 16) + method.eta
    assert bool((change <= allowed.clamp_max(0.05) + 1e-6).all())
    assert float(change[-1]) > float(change[0]) > 0
    assert torch.equal(memory.radius, radius)
    assert bool((radius <= 0.05).all())
    assert torch.allclose(weights.sum(1), torch.ones(16))


def test_the_negative_of_sml_is_the_nearest_of_another_class() -> None:
    anchors = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    found = torch.tensor([[5.0, 0.1], [1.0, 1.0], [0.1, 1.0]])
    rows = nearest_other(anchors, torch.tensor([0, 1]), found, torch.tensor([0, 1, 0]))
    assert rows.tolist() == [1, 2]


def test_a_pool_draws_of_the_class_with_a_view_of_each_draw_and_afresh_at_each_step() -> None:
    data = made_up_images((1, 8, 8), "train")
    pool, wanted = Pool(data, CropFlip(pad=2)), torch.zeros(400, dtype=torch.int64)
    keys = Stream.at(torch.arange(400), 0)
    drawn = pool.draw(wanted, keys)
    assert torch.equal(drawn.labels, wanted)
    same = drawn.index == drawn.index[0]
    assert drawn.view is not None
    assert len(drawn.view.top[same].unique()) > 1
    again = pool.draw(wanted, Stream.at(torch.arange(400), 0))
    assert torch.equal(again.images, drawn.images)
    with fresh(0, 1):
        assert not torch.equal(pool.draw(wanted, Stream.at(torch.arange(400), 0)).index, drawn.index)
    assert len(pool.any(keys).labels.unique()) == 10


def test_a_pool_without_augmentation_gives_the_images_themselves() -> None:
    data = made_up_images((1, 8, 8), "train")
    drawn = Pool(data).any(Stream.at(torch.arange(9), 0))
    assert torch.equal(drawn.images, data.take(drawn.index))
    few = ImageSet(data.images[:9], data.labels[:9], data.classes)
    with pytest.raises(BadLabels, match="class 9"):
        Pool(few).draw(torch.tensor([9]), Stream.at(torch.arange(1), 0))


def a_batch(count: int = 16) -> Batch:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(count))
    return Batch(data.take(torch.arange(count)), data.labels, torch.arange(count))


def stepped(method: AWP | CraftedMethod, start: nn.Module) -> dict[str, torch.Tensor]:
    model = models.build("digits-net", (1, 8, 8), 10)
    model.load_state_dict(start.state_dict())
    update = Updates({"model": model}, {"model": torch.optim.SGD(model.parameters(), lr=0.1)})
    model.train()
    method.step(model, a_batch(), Memory(), update)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_without_a_perturbation_awp_is_the_method_itself() -> None:
    start, method = models.build("digits-net", (1, 8, 8), 10), AT(PGD(Linf(0.1), steps=2))
    plain, wrapped = stepped(method, start), stepped(AWP(method, gamma=0.0), start)
    assert all(torch.equal(plain[name], wrapped[name]) for name in plain)


def test_awp_steps_along_the_gradient_at_the_moved_weights_from_where_they_were() -> None:
    start, method = models.build("digits-net", (1, 8, 8), 10), AT(PGD(Linf(0.1), steps=2))
    model = models.build("digits-net", (1, 8, 8), 10)
    model.load_state_dict(start.state_dict())
    model.train()
    batch = a_batch()
    (attacked,) = method.craft(model, batch, Memory())
    weights = list(model.parameters())
    before = [weight.detach().clone() for weight in weights]
    for weight, slope in zip(
        weights, torch.autograd.grad(cross_entropy(model(attacked), batch.labels).mean(), weights), strict=True
    ):
        if weight.ndim > 1:
            weight.data += 0.01 * weight.data.norm() / slope.norm() * slope
    there = torch.autograd.grad(cross_entropy(model(attacked), batch.labels).mean(), weights)
    found = stepped(AWP(method, gamma=0.01), start)
    for (name, _), old, slope in zip(model.named_parameters(), before, there, strict=True):
        assert torch.allclose(found[name], old - 0.1 * slope, atol=1e-6), name


def test_moved_weights_are_as_far_as_gamma_and_come_back_after_an_error() -> None:
    model = nn.Linear(4, 3)
    before = model.weight.detach().clone()
    model(torch.randn(5, 4)).square().sum().backward()  # type: ignore[no-untyped-call]
    with moved(model, 0.2):
        assert math.isclose(float((model.weight.detach() - before).norm()), 0.2 * float(before.norm()), rel_tol=1e-5)
    assert torch.equal(model.weight, before)
    with pytest.raises(KeyError), moved(model, 0.2):
        raise KeyError
    assert torch.equal(model.weight, before)


def test_sml_asks_for_one_positive_at_least() -> None:
    with pytest.raises(BadValue, match="positives"):
        SML(positives=())
    assert replace(SML(), positives=("class",)).positives == ("class",)


@pytest.mark.parametrize("form", ["AT", "TRADES", "MART"])
def test_cas_without_weight_on_its_heads_is_the_form_itself(form: str) -> None:
    torch.manual_seed(3)
    model = models.build("wrn-10-1-cas", (1, 8, 8), 10).eval()
    step = PGD(Linf(0.1), steps=2, step_size=0.05)
    cas = CAS(form, step, weight=0.0, beta=6.0)  # type: ignore[arg-type]
    plain = {"AT": AT(step), "TRADES": TRADES(replace(step, objective=divergence)), "MART": MART(step)}[form]
    batch, memory = a_batch(8), Memory()
    crafted = plain.craft(model, batch, memory)
    found, wanted = (method.weigh(model, batch, memory, crafted) for method in (cas, plain))
    assert {name: float(term.detach()) for name, term in found.items()} == pytest.approx(
        {name: float(term.detach()) for name, term in wanted.items()}, abs=1e-6
    )


def test_cas_adds_the_mean_over_its_heads() -> None:
    model = models.build("wrn-10-1-cas", (1, 8, 8), 10).eval()
    batch, cas = a_batch(8), CAS("AT", weight=2.0)
    with torch.no_grad():
        main, *heads = WithAuxiliary(model)(batch.images).unbind(1)
        found = cas.weigh(model, batch, Memory(), (batch.images,))["attacked"]
    losses = [cross_entropy(answer, batch.labels).mean() for answer in (main, *heads)]
    assert math.isclose(float(found), float(losses[0] + 2 * torch.stack(losses[1:]).mean()), abs_tol=1e-5)


def test_cas_refuses_a_network_without_heads() -> None:
    data = made_up_images((1, 8, 8), "train")
    with pytest.raises(UsageError, match="auxiliary"):
        CAS().remember(models.build("digits-net", (1, 8, 8), 10), data, Lineage({}, (1, 8, 8), 10, torch.device("cpu")))


def test_sml_pulls_to_positives_and_pushes_from_negatives_as_worked_out_by_hand() -> None:
    anchor, negative, positive = (as_images((row,)) for row in ((1.0, 0.0, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)))
    batch = Batch(anchor, torch.tensor([0]), torch.arange(1))
    found = SML(positives=("class",)).weigh(AsLogits(), batch, Memory(), (anchor, negative, positive))
    # d(anchor, positive) = 1, d(anchor, negative) = 0.4; the embedding is half of the logits.
    assert math.isclose(float(found["triplets"]), 2 * (1 - 0.4 + 0.03), abs_tol=1e-6)
    assert math.isclose(float(found["norms"]), 2 * 0.001 * (3 * 0.25 / 3), abs_tol=1e-7)
    assert math.isclose(
        float(found["attacked"]), float(cross_entropy(2 * anchor.flatten(1), batch.labels)), abs_tol=1e-6
    )


def test_the_noise_of_sml_is_as_large_as_the_ball_and_on_bytes() -> None:
    batch, method = a_batch(), SML(attack=PGD(Linf(8 / 255), steps=1))
    near = method.positive("noise", batch, Pool(made_up_images((1, 8, 8), "train")))
    change = 255 * (near - batch.images)
    assert float(change.abs().max()) <= 8 + 1e-3
    assert float(change.abs().max()) > 6
    assert torch.allclose(change, change.round(), atol=1e-3)


def test_bilateral_attacks_towards_the_most_confusing_class() -> None:
    model, batch = models.build("digits-net", (1, 8, 8), 10).eval(), a_batch()
    attacked, moved = Bilateral(PGD(Linf(0.1), 1, 0.1, objective=Towards(cross_entropy))).craft(model, batch, Memory())
    wanted = most_confusing(model(batch.images), batch.labels)
    with torch.no_grad():
        before, after = (cross_entropy(model(x), wanted).mean() for x in (batch.images, attacked))
    assert float(after) < float(before)
    assert torch.equal(moved.argmax(1), batch.labels)


def test_cas_attacks_all_heads_and_trains_with_the_true_labels_as_masks() -> None:
    model, batch = models.build("wrn-10-1-cas", (1, 8, 8), 10), a_batch(8)
    step = PGD(Linf(0.1), steps=2, step_size=0.05)
    (attacked,) = CAS("AT", step).craft(model, batch, Memory())
    joint = replace(step, objective=Joint(cross_entropy, 2.0))
    assert torch.equal(attacked, joint(WithAuxiliary(model), batch.images, batch.labels))
    model.train()
    found = CAS("AT", step).weigh(copy.deepcopy(model), batch, Memory(), (attacked,))["attacked"].detach()
    told, wrong = (
        heads_told(copy.deepcopy(model), attacked, labels) for labels in (batch.labels, batch.labels.roll(1))
    )
    wanted, other = (Joint(cross_entropy, 2.0)(answer, batch.labels).mean() for answer in (told, wrong))
    assert math.isclose(float(found), float(wanted), abs_tol=1e-5)
    assert abs(float(found) - float(other)) > 1e-4


@torch.no_grad()
def heads_told(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the answers of a network in training whose parts are told these labels."""
    with labelled(model, labels):
        answers: torch.Tensor = WithAuxiliary(model)(images)
    return answers


def test_cat_mix_weighs_the_margin_by_the_radius_and_attacks_it() -> None:
    images = as_images(((1.5, 1.0, 0.5), (0.5, 1.0, 0.0)))
    batch, radius = Batch(images, torch.tensor([0, 1]), torch.arange(2)), torch.tensor([0.01, 0.03])
    weights = torch.eye(3)[:2]
    found = CAT(form="mix", kappa=1.0).weigh(AsLogits(), batch, Memory(), (images, weights, radius))
    assert math.isclose(float(found["margin"]), 0.01 * (1.0 - 0.5) + 0.03 * (1.0 - 0.5), abs_tol=1e-6)
    method = CAT(Linf(0.1), steps=3, step_size=0.02, form="mix", smoothing=0.0)
    memory = Memory(radius=torch.full((2,), 0.05), classes=torch.tensor(3))
    attacked = method.craft(AsLogits(), batch, memory)[0]
    assert bool((margin(2 * attacked.flatten(1), batch.labels) > margin(2 * images.flatten(1), batch.labels)).all())
