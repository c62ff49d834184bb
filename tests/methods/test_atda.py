"""ATDA: closed forms of its three terms and of its centers, and a plain loop over images and classes."""

import math

import pytest
import torch
from torch import nn

from holdfast import Linf, models
from holdfast.attacks import FGSM
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from holdfast.methods import ATDA
from holdfast.methods.atda import center_margin, coral, mmd, moved
from holdfast.training.dependencies import Lineage
from holdfast.types import Batch, Images, Logits

from .single_steps import Recorder

NOTHING = Lineage({}, (1, 8, 8), 10, torch.device("cpu"))


def test_equal_answers_have_no_distance() -> None:
    logits = torch.randn(7, 4)
    assert float(coral(logits, logits)) == float(mmd(logits, logits)) == 0.0


def test_distances_by_hand() -> None:
    clean, attacked = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[1.0, 1.0], [1.0, 5.0]])
    assert float(mmd(clean, attacked)) == pytest.approx((abs(1.0 - 1.0) + abs(0.0 - 3.0)) / 2)
    # Covariances [[2, 0], [0, 0]] and [[0, 0], [0, 8]].
    assert float(coral(clean, attacked)) == pytest.approx((2 + 8) / 4)


def test_the_scatter_of_the_code_is_larger_by_the_batch() -> None:
    clean, attacked = torch.randn(9, 3), torch.randn(9, 3)
    assert float(coral(clean, attacked, "scatter")) == pytest.approx(8 * float(coral(clean, attacked)), rel=1e-5)


def test_one_image_has_no_covariance_and_no_nan() -> None:
    assert float(coral(torch.randn(1, 3), torch.randn(1, 3))) == 0.0


def test_the_margin_is_ln_2_where_all_centers_coincide() -> None:
    assert float(center_margin(torch.randn(6, 4), torch.arange(6) % 4, torch.full((4, 4), 0.3))) == pytest.approx(
        math.log(2)
    )


def test_the_margin_equals_a_plain_loop() -> None:
    logits, labels, centers = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0]), torch.randn(3, 3)
    total = 0.0
    for answer, label in zip(logits, labels, strict=True):
        own = float((answer - centers[label]).abs().sum())
        for other in range(3):
            if other != int(label):
                total += math.log1p(math.exp(own - float((answer - centers[other]).abs().sum())))
    assert float(center_margin(logits, labels, centers)) == pytest.approx(total / (2 * 5), rel=1e-5)


def test_a_center_moves_half_of_beta_towards_a_single_answer_and_the_others_stay() -> None:
    centers, answer = torch.randn(4, 4), torch.randn(1, 4)
    after = moved(centers, answer, torch.tensor([2]), beta=0.1)
    assert torch.allclose(after[2], centers[2] + 0.05 * (answer[0] - centers[2]))
    assert torch.equal(after[[0, 1, 3]], centers[[0, 1, 3]])


def test_several_answers_move_a_center_by_their_sum_over_one_more_than_their_number() -> None:
    centers, answers = torch.randn(3, 3), torch.randn(4, 3)
    labels = torch.tensor([1, 1, 0, 1])
    step = (centers[1] - answers[labels == 1]).sum(0) / (1 + 3)
    assert torch.allclose(moved(centers, answers, labels, 0.3)[1], centers[1] - 0.3 * step)


@pytest.fixture
def batch() -> Batch:
    data = made_up_images((1, 8, 8), "train").subset(torch.arange(12))
    return Batch(data.take(torch.arange(12)), (data.labels + 3) % 10, torch.arange(12))


def test_the_margin_reads_the_centers_as_they_were_and_no_gradient_reaches_them(batch: Batch) -> None:
    model = models.build("digits-net", (1, 8, 8), 10).eval()
    method = ATDA(FGSM(Linf(0.1)))
    memory = method.remember(model, made_up_images((1, 8, 8), "train"), NOTHING)
    terms = method.loss(model, batch, memory)
    assert terms["margin"].item() == pytest.approx(math.log(2) / 3, rel=1e-5)
    assert float(memory.centers.abs().max()) > 0
    assert not memory.centers.requires_grad
    assert method.loss(model, batch, memory)["margin"].item() < math.log(2) / 3


def test_the_attack_leaves_the_true_class_or_the_one_that_is_answered(batch: Batch) -> None:
    model = Recorder(models.build("digits-net", (1, 8, 8), 10).eval())
    shown = {}
    for labels in ("true", "predicted"):
        method = ATDA(FGSM(Linf(0.1)), labels=labels)  # type: ignore[arg-type]
        method.loss(model, batch, method.remember(model, made_up_images((1, 8, 8), "train"), NOTHING))
        shown[labels] = model.shown[-1]
    answered = model(batch.images).argmax(1)
    assert not torch.equal(answered, batch.labels)
    assert torch.equal(shown["true"], FGSM(Linf(0.1))(model, batch.images, batch.labels))
    assert torch.equal(shown["predicted"], FGSM(Linf(0.1))(model, batch.images, answered))


def test_without_weight_it_is_the_sum_of_both_cross_entropies(batch: Batch) -> None:
    model = models.build("digits-net", (1, 8, 8), 10).eval()
    method = ATDA(FGSM(Linf(0.1)), weight=0.0)
    terms = method.loss(model, batch, method.remember(model, made_up_images((1, 8, 8), "train"), NOTHING))
    assert (terms["coral"] + terms["mmd"] + terms["margin"]).item() == 0.0
    expected = torch.nn.functional.cross_entropy(model(batch.images), batch.labels)
    assert terms["clean"].item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("wrong", "words"), [({"weight": -1.0}, "weight = -1"), ({"beta": 2.0}, "beta = 2")])
def test_fields_out_of_range_are_one_line(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        ATDA(**wrong)  # type: ignore[arg-type]


class Corners(nn.Module):
    """Answers with the first pixels of each image, which no precision of products rounds."""

    def forward(self, images: Images) -> Logits:
        return 30 * images.flatten(1)[:, :10]


def test_what_compares_distributions_is_computed_in_float32_under_bfloat16(batch: Batch) -> None:
    method, found = ATDA(FGSM(Linf(0.1))), {}
    for low in (False, True):
        memory = method.remember(Corners(), made_up_images((1, 8, 8), "train"), NOTHING)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            terms = method.loss(Corners(), batch, memory)
        found[low] = {name: float(term) for name, term in terms.items()} | {"centers": memory.centers.tolist()}
    assert found[True] == found[False]
