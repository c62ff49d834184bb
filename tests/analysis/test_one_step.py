"""Along the line of a one-step attack: closed forms on a linear network, and the attack itself at each eps."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from holdfast import ImageSet, Linf
from holdfast.analysis import GradientCorrelation, SoftmaxArguments
from holdfast.analysis.one_step import FALSE, TRUE, correlation, grid, moved, some, step_of
from holdfast.attacks import FGSM, RandomSign, StepLL
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from tests.conftest import Small

UNIT = Linf(1 / 255)


class Linear(nn.Module):
    """Three classes whose logits are linear in the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(images.flatten(1))


def grey(count: int = 6) -> ImageSet:
    images = torch.randint(80, 170, (count, 1, 8, 8), dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 3, ("a", "b", "c"))


@pytest.mark.parametrize("attack", [StepLL, FGSM, RandomSign])
def test_the_step_made_longer_is_the_attack_of_that_eps(attack: type[FGSM]) -> None:
    torch.manual_seed(0)
    model, data = Small().eval(), made_up_images((1, 8, 8), "test")
    images, labels = some(data, 16, 0)
    step = step_of(attack(UNIT), model, images, labels, 0)
    assert set((255 * step).round(decimals=3).unique().tolist()) <= {-1.0, 0.0, 1.0}  # in bytes: whole or none
    for eps in (1, 7, 40):
        assert torch.allclose(moved(images, step, eps, True), attack(Linf(eps / 255))(model, images, labels), atol=1e-6)


def test_logits_along_the_line_of_a_linear_network_are_straight() -> None:
    model, data = Linear().eval(), grey()
    seen = SoftmaxArguments(attack=FGSM(UNIT), eps=(-20.0, 0.0, 20.0), images=6)(model, data, 0)
    images, labels = some(data, 6, 0)
    logits = model(images).detach()
    true = logits.gather(1, labels[:, None])[:, 0]
    assert seen.series[TRUE].y[1] == pytest.approx(float(true.mean()), abs=1e-5)
    assert seen.series[FALSE].y[1] == pytest.approx(float((logits.sum(1) - true).mean() / 2), abs=1e-5)
    for name in (TRUE, FALSE):
        left, middle, right = seen.series[name].y
        assert middle - left == pytest.approx(right - middle, abs=1e-4)
    assert seen.series[TRUE].y[2] < seen.series[TRUE].y[1] < seen.series[TRUE].y[0]
    spread = float(true.double().std())
    assert seen.series[TRUE].high[1] - seen.series[TRUE].low[1] == pytest.approx(2 * spread, rel=1e-4)


def test_a_band_is_so_many_deviations() -> None:
    model, data = Linear().eval(), grey()
    whole = SoftmaxArguments(eps=(0.0,), images=6)(model, data, 0).series[TRUE]
    half = SoftmaxArguments(eps=(0.0,), images=6, band=0.5)(model, data, 0).series[TRUE]
    assert whole.high[0] - whole.y[0] == pytest.approx(2 * (half.high[0] - half.y[0]))


def test_gradients_of_two_classes_and_a_line_are_one_direction() -> None:
    # The gradient of a linear network with two classes is a multiple of one image wherever it is taken.
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).eval()
    data = ImageSet(grey().images, torch.arange(6) % 2, ("a", "b"))
    seen = GradientCorrelation(eps=(0.5, 20.0), images=6)(model, data, 0)
    assert set(seen.series) == {"clean, step_ll", "clean, step_FGSM", "clean, random sign", "step_ll, step_FGSM"}
    for series in seen.series.values():
        assert series.y == pytest.approx((1.0, 1.0), abs=1e-5)


def test_gradients_come_apart_on_a_curved_network() -> None:
    torch.manual_seed(0)
    model = Small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen = GradientCorrelation(eps=(0.01, 60.0), images=32)(model, made_up_images((1, 8, 8), "test"), 0)
    for series in seen.series.values():
        assert series.y[0] > 0.99
        assert series.y[1] < 0.99
    assert seen.numbers["lowest, clean and step_FGSM"] == min(seen.series["clean, step_FGSM"].y)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_correlation_is_pearsons() -> None:
    one, other = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4)
    pairs = [torch.stack([a.flatten(), b.flatten()]) for a, b in zip(one, other, strict=True)]
    expected = [float(torch.corrcoef(pair)[0, 1]) for pair in pairs]
    assert correlation(one, other).tolist() == pytest.approx(expected, abs=1e-5)
    assert correlation(one, 3 * one + 1).tolist() == pytest.approx([1.0] * 5)
    assert correlation(one, -1e-30 * one).tolist() == pytest.approx([-1.0] * 5)
    assert correlation(one, torch.zeros_like(one)).tolist() == [0.0] * 5


def test_the_same_seed_sees_the_same_and_another_other_images() -> None:
    model, data = Linear().eval(), grey(40)
    looking = SoftmaxArguments(attack=RandomSign(UNIT), eps=(0.0, 8.0), images=8)
    assert looking(model, data, 1) == looking(model, data, 1)
    assert looking(model, data, 1) != looking(model, data, 2)


def test_grids() -> None:
    assert grid((0, 1, 0.5), (1, 3, 1)) == (0.0, 0.5, 1.0, 2.0, 3.0)
    assert len(GradientCorrelation().eps) == 96
    assert SoftmaxArguments().eps[0] == -60
    assert 0.0 in SoftmaxArguments().eps


@pytest.mark.parametrize("fields", [{"eps": ()}, {"eps": (1.0, 1.0)}, {"images": 0}, {"band": -1.0}])
def test_fields_out_of_range_are_refused(fields: dict[str, object]) -> None:
    for looking in (SoftmaxArguments(), GradientCorrelation()):
        with pytest.raises(BadValue, match=next(iter(fields))):
            replace(looking, **fields)  # type: ignore[arg-type]
