"""Free adversarial training: counts, the change at each place of a batch, and a plain loop."""

from dataclasses import dataclass, field, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast import ImageSet, Linf, models
from holdfast.box import boxed
from holdfast.data import made_up_images
from holdfast.errors import BadValue
from holdfast.methods import FreeAT, Memory
from holdfast.training.dependencies import Lineage
from holdfast.training.state import Updates

EPS = 0.1
NOTHING = Lineage({}, (1, 8, 8), 10, torch.device("cpu"))


@dataclass
class Counted:
    """An update that counts its steps."""

    inner: Updates
    steps: list[str] = field(default_factory=list)

    def __call__(self, loss: Tensor, network: str = "model") -> None:
        self.backward(loss, network)
        self.apply(network)

    def backward(self, loss: Tensor, network: str = "model", beside: tuple[Tensor, ...] = ()) -> None:
        self.inner.backward(loss, network, beside)

    def apply(self, network: str = "model") -> None:
        self.steps.append(network)
        self.inner.apply(network)


@pytest.fixture
def data() -> ImageSet:
    return made_up_images((1, 8, 8), "train").subset(torch.arange(14))


def network() -> nn.Module:
    torch.manual_seed(0)
    return models.build("digits-net", (1, 8, 8), 10)


def trained(method: FreeAT, data: ImageSet, batches: int) -> tuple[nn.Module, Memory, Counted]:
    """Train on the first batches of five, five and four images."""
    model = network().train()
    update = Counted(Updates({"model": model}, {"model": torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)}))
    memory = method.remember(model, data, NOTHING)
    for batch in list(data.batches(5))[:batches]:
        method.step(model, batch, memory, update)
    return model, memory, update


@pytest.mark.parametrize("m", [1, 3])
def test_it_takes_m_steps_a_batch(m: int, data: ImageSet) -> None:
    assert len(trained(FreeAT(Linf(EPS), m=m), data, 3)[2].steps) == 3 * m


def test_after_one_replay_from_zero_each_pixel_moved_by_all_or_nothing(data: ImageSet) -> None:
    change = trained(FreeAT(Linf(EPS), m=1), data, 1)[1].change
    assert set(change.unique().tolist()) <= {torch.tensor(-EPS).item(), 0.0, torch.tensor(EPS).item()}
    assert float(change.abs().max()) > 0


@pytest.mark.parametrize("begin", ["carried", "zero"])
@pytest.mark.parametrize("wall", [0.0, 1.0])
def test_black_and_white_pixels_are_moved_too(wall: float, begin: str, data: ImageSet) -> None:
    pixels = data.images.clone()
    pixels[..., :4] = wall
    change = trained(FreeAT(Linf(EPS), m=1, begin=begin), replace(data, pixels=pixels), 1)[1].change  # type: ignore[arg-type]
    assert float((change[..., :4] != 0).float().mean()) > 0.5


def test_a_smaller_batch_uses_the_first_places_and_the_others_wait(data: ImageSet) -> None:
    before = trained(FreeAT(Linf(EPS), m=1, step_size=0.03), data, 2)[1].change.clone()
    after = trained(FreeAT(Linf(EPS), m=1, step_size=0.03), data, 3)[1].change
    assert torch.equal(after[4], before[4])
    assert not torch.equal(after[:4], before[:4])


def plain(data: ImageSet, m: int, carried: bool) -> tuple[nn.Module, Tensor]:
    """Train as the algorithm says, with autograd alone."""
    model = network().train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    delta = torch.zeros(5, 1, 8, 8)
    for batch in data.batches(5):
        if not carried:
            delta = torch.zeros_like(delta)
        for _ in range(m):
            own = delta[: len(batch.images)].clone().requires_grad_()
            loss = F.cross_entropy(model(boxed(batch.images + own)), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert own.grad is not None
            delta[: len(own)] = (own.detach() + EPS * own.grad.sign()).clamp(-EPS, EPS)
    return model, delta


@pytest.mark.parametrize("begin", ["carried", "zero"])
def test_it_equals_a_plain_loop(begin: str, data: ImageSet) -> None:
    model, memory, _ = trained(FreeAT(Linf(EPS), m=3, begin=begin), data, 3)  # type: ignore[arg-type]
    expected, delta = plain(data, 3, begin == "carried")
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), expected.state_dict().values(), strict=True)
    )
    assert torch.equal(memory.change[:4], delta[:4])


def test_the_change_is_carried_to_the_next_batch(data: ImageSet) -> None:
    carried, zero = (trained(FreeAT(Linf(EPS), m=2, begin=begin), data, 2)[0] for begin in ("carried", "zero"))  # type: ignore[arg-type]
    assert not torch.equal(next(carried.parameters()), next(zero.parameters()))


@pytest.mark.parametrize(("wrong", "words"), [({"m": 0}, "m = 0"), ({"step_size": -1.0}, "step_size = -1")])
def test_fields_out_of_range_are_one_line(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        FreeAT(**wrong)  # type: ignore[arg-type]
