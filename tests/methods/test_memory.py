"""Methods that keep something: perturbations in the pictures' own frame, and a second network that is trained."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import CropFlip, ImageSet, Linf, Run, attacks, train
from holdfast.data import read_view, write_view
from holdfast.errors import BadValue
from holdfast.methods import Finished, LossMethod, Memory, Method, Update
from holdfast.objectives import cross_entropy
from holdfast.storage.signed import read_state, read_tensors, write_state
from holdfast.training.optimizers import SGD
from holdfast.types import Batch, Terms

BASE = Run(epochs=3, batch=16, limit=40, optimizer=SGD(lr=0.05), data="made-up:1x8x8")


@dataclass(frozen=True)
class Persistent(LossMethod):
    """One step from where the last epoch left each image, under whatever crop it is seen now."""

    attack: attacks.PGD = attacks.PGD(Linf(0.1), steps=1, step_size=0.05, random_start=False)

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(noise=torch.zeros(len(train_set), *train_set.shape, device=train_set.device))

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        rows, columns = batch.images.shape[2:]
        stored = memory.noise[batch.index]
        start = batch.images + read_view(stored, batch.view, (rows, columns))
        attacked = self.attack(model, batch.images, batch.labels, start)
        memory.noise[batch.index] = write_view(stored, attacked - batch.images, batch.view)
        return {"attacked": cross_entropy(model(attacked), batch.labels).mean()}


@dataclass(frozen=True)
class TwoNetworks(Method):
    """A generator of noise trained against the classifier."""

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(generator=nn.Conv2d(train_set.shape[0], train_set.shape[0], 3, padding=1))

    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        return {"model": model, "generator": memory.generator}

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        noisy = (batch.images + 0.1 * memory.generator(batch.images).tanh()).clamp(0, 1)
        fooled = cross_entropy(model(noisy), batch.labels).mean()
        update(-fooled, "generator")
        learned = cross_entropy(model(noisy.detach()), batch.labels).mean()
        update.backward(learned)
        update.apply()
        return {"fooled": fooled, "learned": learned}


RUNS = [
    pytest.param(replace(BASE, method=method, augment=augment), id=f"{type(method).__name__}-{augment}")
    for method in (Persistent(), TwoNetworks())
    for augment in (None, CropFlip(pad=2), CropFlip(pad=0, size=6))
]


def weights(folder: Path) -> dict[str, Tensor]:
    return read_tensors(folder / "model.safetensors", "")


def states(folder: Path) -> dict[str, Tensor]:
    saved = read_state(folder / "last.pt", "")
    return {**saved["memory"], **{f"model.{name}": tensor for name, tensor in saved["networks"]["model"].items()}}


@pytest.mark.parametrize("run", RUNS)
def test_the_callers_random_state_decides_nothing(run: Run, tmp_path: Path) -> None:
    for ambient in (1, 2):
        torch.manual_seed(ambient)
        train(run, tmp_path / str(ambient))
    first, second = states(tmp_path / "1"), states(tmp_path / "2")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(float(tensor.abs().sum()) > 0 for name, tensor in first.items() if not name.startswith("model"))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("at", [1, 4])
def test_stopped_and_resumed_is_bit_identical_in_model_and_memory(
    run: Run, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run, tmp_path / "straight")
    monkeypatch.setattr("holdfast.training.loop.SAVE_EVERY", 0.0)

    def cut(done: int, total: int, words: str) -> None:
        if done == at and not words:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(run, tmp_path / "broken", tell=cut)
    torch.manual_seed(7)
    train(run, tmp_path / "broken")
    straight, broken = states(tmp_path / "straight"), states(tmp_path / "broken")
    assert all(torch.equal(straight[name], broken[name]) for name in straight)


def test_the_second_network_learns(tmp_path: Path) -> None:
    run = replace(BASE, method=TwoNetworks())
    train(run, tmp_path)
    torch.manual_seed(0)
    saved = read_state(tmp_path / "last.pt", "")
    assert saved["optimizers"].keys() == {"model", "generator"}
    assert saved["memory"]["generator.weight"].isfinite().all()


def test_a_network_in_the_memory_is_saved_once_and_read_from_states_that_held_it_twice(tmp_path: Path) -> None:
    run = replace(BASE, method=TwoNetworks())
    train(run, tmp_path)
    saved = read_state(tmp_path / "last.pt", "")
    assert saved["networks"].keys() == {"model"}
    generator = {name.removeprefix("generator."): kept for name, kept in saved["memory"].items()}
    saved["networks"]["generator"] = generator  # as earlier versions wrote it
    write_state(tmp_path / "last.pt", saved)
    before = weights(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    train(run, tmp_path)
    assert all(torch.equal(before[name], weight) for name, weight in weights(tmp_path).items())


@dataclass(frozen=True)
class Wrong(LossMethod):
    """A method with the mistake that its name says."""

    mistake: str = ""

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        if self.mistake == "keeps the model":
            return Memory(other=model)
        if self.mistake == "keeps a number":
            return Memory(count=0)  # type: ignore[arg-type]
        if self.mistake == "takes a name":
            return Memory(train=torch.zeros(1))
        return Memory()

    def loss(self, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        loss = cross_entropy(model(batch.images), batch.labels)
        if self.mistake == "adds to memory":
            memory.late = torch.zeros(1)
        terms = {
            "no mean": {"loss": loss},
            "a number": {"loss": 1.0},
            "calls it step": {"step": loss.mean()},
            "nothing": {},
        }
        return terms.get(self.mistake, {"loss": loss.mean()})  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("keeps the model", "keep a copy.deepcopy"),
        ("keeps a number", "'count' is no tensor and no network"),
        ("takes a name", "torch uses that name"),
        ("adds to memory", "name it in remember"),
        ("no mean", "is its mean missing"),
        ("a number", "not a scalar tensor"),
        ("calls it step", "the record of a run uses that name"),
        ("nothing", "no dict of named terms"),
    ],
)
def test_mistakes_of_a_method_are_one_line(mistake: str, words: str, tmp_path: Path) -> None:
    from jaxtyping import TypeCheckError

    with pytest.raises((BadValue, TypeCheckError)) as caught:
        train(replace(BASE, method=Wrong(mistake)), tmp_path)
    # The checker of shapes that tests switch on may be quicker than our own words.
    assert words in str(caught.value) or isinstance(caught.value, TypeCheckError)


def test_a_network_that_is_not_trained_is_named(tmp_path: Path) -> None:
    from holdfast.training.state import Updates

    model = nn.Linear(2, 2).requires_grad_(False)
    update = Updates({"model": model}, {"model": torch.optim.SGD(model.parameters(), 0.1)})
    with pytest.raises(BadValue, match="trains no 'generator', only model"):
        update(torch.zeros((), requires_grad=True), "generator")
    with pytest.raises(BadValue, match="'model' are frozen"):
        update(torch.zeros((), requires_grad=True))


def test_what_has_grown_is_read_back_as_large_as_it_was() -> None:
    grown = Memory(noise=torch.zeros(0, 2), inner=Memory(noise=torch.zeros(0, 2)))
    grown.noise, grown.inner.noise = torch.rand(3, 2), torch.rand(4, 2)
    fresh = Memory(noise=torch.zeros(0, 2), inner=Memory(noise=torch.zeros(0, 2)))
    fresh.load_state_dict(grown.state_dict())
    assert torch.equal(fresh.noise, grown.noise)
    assert torch.equal(fresh.inner.noise, grown.inner.noise)


def test_counts_stay_on_the_processor_and_the_rest_moves() -> None:
    kept = Memory(count=torch.zeros((), dtype=torch.int64), centers=torch.zeros(2, 2), visits=torch.zeros(3).long())
    moved = kept.to("meta")
    assert moved.count.device.type == "cpu"
    assert moved.centers.device.type == moved.visits.device.type == "meta"
