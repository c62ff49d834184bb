"""SIM-Adv: what is kept belongs to the image, grows a step an epoch, begins anew, and costs one gradient."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import CropFlip, ImageSet, Linf, Run, models, train
from holdfast.attacks import FGSM
from holdfast.data import made_up_images, write_view
from holdfast.errors import BadValue
from holdfast.methods import Memory, MixedAT, SIMAdv
from holdfast.objectives import cross_entropy
from holdfast.passes import counting
from holdfast.storage.signed import read_tensors
from holdfast.training.dependencies import Lineage
from holdfast.training.optimizers import SGD
from holdfast.types import Batch, View

from .single_steps import Line, epoch

EPS = 0.1
NOTHING = Lineage({}, (1, 8, 8), 10, torch.device("cpu"))


@pytest.fixture
def network() -> nn.Module:
    return models.build("digits-net", (1, 8, 8), 10).eval()  # so that its statistics stay


@pytest.fixture
def data() -> ImageSet:
    return made_up_images((1, 8, 8), "train").subset(torch.arange(18))


def begun(method: SIMAdv, network: nn.Module, data: ImageSet) -> Memory:
    return method.remember(network, data, NOTHING)


def test_the_change_grows_by_a_step_an_epoch_to_the_ball_and_begins_anew(network: nn.Module, data: ImageSet) -> None:
    method = SIMAdv(Linf(EPS), n1=4, n2=6)
    memory = begun(method, network, data)
    for number in range(8):
        epoch(method, network, data, memory, number)
        step = number % 6 + 1
        largest = float(memory.change.abs().max())
        assert largest <= min(step, 4) / 4 * EPS + 1e-6
        assert largest >= min(step, 4) / 4 * EPS - 1e-6
    assert (memory.visits == 8).all()


def plain_loop(network: nn.Module, data: ImageSet, epochs: int, n1: int, n2: int) -> Tensor:
    """Return the changes by the equations, an image at a time, without batches or memory."""
    network.eval()
    changes = []
    for place in range(len(data)):
        image, label = data.take(torch.tensor([place])), data.labels[[place]]
        attacked = image
        for number in range(epochs):
            attacked = image if number % n2 == 0 else attacked
            attacked = attacked.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(cross_entropy(network(attacked), label).sum(), attacked)
            stepped = attacked.detach() + EPS / n1 * gradient.sign()
            attacked = (image + (stepped - image).clamp(-EPS, EPS)).clamp(0, 1)
        changes.append(attacked - image)
    return torch.cat(changes)


def test_several_steps_an_epoch_go_on_from_each_other(network: nn.Module, data: ImageSet) -> None:
    slow, fast = SIMAdv(Linf(EPS), n1=4, n2=6), SIMAdv(Linf(EPS), n1=4, n2=3, steps=2)
    memories = [begun(method, network, data) for method in (slow, fast)]
    for number in range(4):
        epoch(slow, network, data, memories[0], number)
    for number in range(2):
        epoch(fast, network, data, memories[1], number)
    assert torch.allclose(memories[0].change, memories[1].change, atol=1e-6)
    assert (memories[1].visits == 2).all()


@pytest.mark.parametrize("size", [1, 5, 18])
def test_the_state_follows_the_image_under_shuffling(network: nn.Module, data: ImageSet, size: int) -> None:
    method = SIMAdv(Linf(EPS), n1=3, n2=4)
    memory = begun(method, network, data)
    for number in range(7):
        epoch(method, network, data, memory, number, size)
    expected = plain_loop(network, data, 7, 3, 4)
    # A pixel whose gradient is nearly zero may round to another sign in a batch of another size.
    assert float(((memory.change - expected).abs() > 1e-5).float().mean()) < 0.01
    assert float(memory.change.abs().mean()) > EPS / 10


def test_under_crops_and_flips_the_change_stays_in_the_pictures_frame() -> None:
    # A picture and a gradient that are symmetric under the flip would hide a mistake: these are not.
    signs = torch.tensor([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    picture = torch.full((1, 1, 3, 3), 0.5)
    view = View(torch.tensor([1]), torch.tensor([-1]), torch.tensor([True]))
    crop = CropFlip(pad=1).read(picture, view)
    batch = Batch(crop, torch.tensor([0]), torch.tensor([0]), view)
    method = SIMAdv(Linf(0.1), n1=2, n2=4)
    memory = Memory(change=torch.zeros(1, 1, 3, 3), visits=torch.zeros(1, dtype=torch.int32))
    method.loss(Line(signs), batch, memory)
    # Rows 1, 2 of the picture are rows 0, 1 of the crop; columns 0, 1 are its columns 1, 0.
    step = 0.05 * torch.tensor([[0.0, 0.0, 0.0], [signs[0, 1], signs[0, 0], 0.0], [signs[1, 1], signs[1, 0], 0.0]])
    assert memory.change[0, 0].tolist() == [pytest.approx(row, abs=1e-6) for row in step.tolist()]
    method.loss(Line(signs), batch, memory)
    assert memory.change[0, 0].tolist() == [pytest.approx(row, abs=1e-6) for row in (2 * step).tolist()]


def test_a_view_that_is_written_back_unmoved_changes_nothing(network: nn.Module, data: ImageSet) -> None:
    method = SIMAdv(Linf(EPS), n1=1e9, n2=100)
    memory = begun(method, network, data)
    images = data.take(torch.arange(len(data)))
    memory.change = ((images + EPS * torch.randn_like(images)).clamp(0, 1) - images).clamp(-EPS, EPS)
    memory.visits += 1
    before = memory.change.clone()
    for number in range(4):
        epoch(method, network, data, memory, number, augment=CropFlip(pad=3))
    assert torch.allclose(memory.change, before, atol=1e-6)


def test_what_the_crop_does_not_show_waits(network: nn.Module, data: ImageSet) -> None:
    method = SIMAdv(Linf(EPS), n1=2, n2=100)
    memory = begun(method, network, data)
    memory.change += 0.02
    memory.visits += 1
    (batch,) = epoch(method, network, data, memory, 0, size=18, augment=CropFlip(pad=3))
    hidden = write_view(torch.ones_like(memory.change), torch.zeros_like(batch.images), batch.view)
    shown = torch.zeros_like(memory.change)
    shown[batch.index] = write_view(torch.ones_like(shown), torch.zeros_like(batch.images), batch.view)
    assert 0.1 < float(hidden.mean()) < 0.9
    assert torch.equal(memory.change[shown == 1], torch.full_like(memory.change, 0.02)[shown == 1])
    assert not torch.allclose(memory.change[shown == 0], torch.tensor(0.02))


@pytest.mark.parametrize("augment", [None, CropFlip(pad=1)])
def test_sim_of_one_step_and_one_epoch_is_fgsm_adv(augment: CropFlip | None, tmp_path: Path) -> None:
    base = Run(data="made-up:1x8x8", limit=48, batch=16, epochs=3, optimizer=SGD(lr=0.05), augment=augment)
    weights = []
    for method in (SIMAdv(Linf(EPS), n1=1, n2=1), MixedAT(FGSM(Linf(EPS)))):
        folder = tmp_path / type(method).__name__
        train(replace(base, method=method), folder)
        weights.append(read_tensors(folder / "model.safetensors", ""))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_it_costs_one_gradient_a_batch(network: nn.Module, data: ImageSet) -> None:
    method = SIMAdv(Linf(EPS))
    memory = begun(method, network, data)
    with counting() as spent:
        epoch(method, network, data, memory, 0)
    assert (spent.forwards, spent.backwards) == (len(data), len(data))


def test_half_of_the_memory_keeps_nearly_the_same(network: nn.Module, data: ImageSet) -> None:
    kept = {}
    for kind in ("float32", "float16"):
        method = SIMAdv(Linf(EPS), n1=4, n2=6, kept_as=kind)  # type: ignore[arg-type]
        memory = begun(method, network, data)
        for number in range(2):
            epoch(method, network, data, memory, number)
        kept[kind] = memory.change
    assert kept["float16"].nbytes * 2 == kept["float32"].nbytes
    assert float(((kept["float16"].float() - kept["float32"]).abs() > 1e-3).float().mean()) < 0.02


def test_with_a_weight_of_one_the_clean_images_do_not_pass(network: nn.Module, data: ImageSet) -> None:
    images, labels = data.take(torch.arange(4)), data.labels[:4]
    batch = Batch(images, labels, torch.arange(4))
    method = SIMAdv(Linf(EPS), weight=1.0)
    assert list(method.loss(network, batch, begun(method, network, data))) == ["attacked"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"n1": 0}, "n1 = 0"), ({"n2": 0}, "n2 = 0"), ({"steps": 0}, "steps = 0"), ({"weight": 1.5}, "weight = 1.5")],
)
def test_fields_out_of_range_are_one_line(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        SIMAdv(**wrong)  # type: ignore[arg-type]
