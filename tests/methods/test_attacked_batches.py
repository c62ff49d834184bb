"""The methods that paper 001 compares with: closed forms of their parts, and laws of their batches."""

import math
from dataclasses import replace

import pytest
import torch

from holdfast import Linf, models
from holdfast.attacks import PGD
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from holdfast.methods import (
    ALP,
    AT,
    CAT,
    MART,
    SML,
    Bilateral,
    LossMethod,
    Memory,
    Pool,
)
from holdfast.methods.bilateral import attacked_labels, most_confusing, random_other
from holdfast.methods.cat import dirichlet, grown, held, short_of, smoothed
from holdfast.methods.mart import boost, weighted_divergence
from holdfast.methods.sml import nearest_other
from holdfast.objectives import (
    SmoothedCrossEntropy,
    Towards,
    cross_entropy,
    margin,
    soft_cross_entropy,
)
from holdfast.rng import Stream
from holdfast.types import Batch
from tests.conftest import AsLogits, Given, as_images

from .batches import a_batch

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


def test_sml_asks_for_one_positive_at_least() -> None:
    with pytest.raises(BadValue, match="positives"):
        SML(positives=())
    assert replace(SML(), positives=("class",)).positives == ("class",)


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
