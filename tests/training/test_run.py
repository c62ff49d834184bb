"""What a run chooses: images, networks, optimizers, schedules, precision, and which epoch is kept."""

import copy
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast import Linf, Run, attacks, methods, train
from holdfast.data import CropFlip, ImageSet, load
from holdfast.devices import isolated
from holdfast.errors import BadValue, MissingData, UnknownName
from holdfast.methods import Finished, Memory, Method, Update
from holdfast.objectives import cross_entropy
from holdfast.storage.describe import describe, short_repr
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_state
from holdfast.training.averages import EMA
from holdfast.training.folder import read_run
from holdfast.training.optimizers import SGD, Adam, AdamW
from holdfast.training.schedules import Constant, Cosine, Levels, Steps, Triangle
from holdfast.types import Batch, Terms
from tests.training.moment import BASE


@dataclass(frozen=True)
class Twice(Method):
    """A method that steps and then uses the new weights."""

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        before = cross_entropy(model(batch.images), batch.labels).mean()
        update(before)
        return {"before": before, "after": cross_entropy(model(batch.images), batch.labels).mean()}


def test_bfloat16_sees_the_weights_that_a_step_has_just_moved(tmp_path: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        run = replace(BASE, method=Twice(), epochs=1, batch=64, optimizer=SGD(lr=0.1), precision=precision)
        train(run, tmp_path / precision)
        told = json.loads((tmp_path / precision / "metrics.jsonl").read_text())
        losses[precision] = told["after"] - told["before"]
    assert abs(losses["float32"]) > 0.02
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.3)


def test_convolutions_keep_their_library_and_round_as_float32_does() -> None:
    with isolated(torch.device("cpu")):
        assert torch.backends.cudnn.enabled
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32


def test_a_last_batch_of_one_image_is_refused_where_batch_norm_would_fail(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="the last batch holds one image"):
        train(replace(BASE, limit=33), tmp_path)


OWN = """
from torch import nn


class Noted(nn.Linear):
    def get_extra_state(self):
        return {"note": 3}

    def set_extra_state(self, state):
        pass


def noted():
    return nn.Sequential(nn.Flatten(), Noted(64, 10))


def tied():
    first, second, last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
    second.weight = first.weight
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), last)
"""


def test_a_network_of_ones_own_may_tie_its_weights(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    run = replace(BASE, model=f"{tmp_path}/own.py:tied", average=EMA(0.9))
    model, again = train(run, tmp_path / "run"), train(run, tmp_path / "run")
    kept = model.state_dict()
    assert torch.equal(kept["1.weight"], kept["3.weight"])
    assert all(torch.equal(tensor, kept[name]) for name, tensor in again.state_dict().items())


def test_a_network_that_could_not_be_written_is_refused_before_any_step(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    with pytest.raises(BadValue, match=r"'1\._extra_state'.* dict"):
        train(replace(BASE, model=f"{tmp_path}/own.py:noted"), tmp_path / "run")
    assert not (tmp_path / "run" / "last.pt").exists()


def test_selection_keeps_the_best_epoch_on_images_held_out(tmp_path: Path) -> None:
    run = replace(BASE, epochs=4, held_out=16, select=attacks.FGSM(Linf(0.1)), optimizer=SGD(lr=0.3))
    model = train(run, tmp_path)
    scores = [json.loads(line)["held_out_robust"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    held_out = load(run.data, "train", limit=64).split(16, run.seed)[1]
    attacked = attacks.FGSM(Linf(0.1))(model, held_out.take(torch.arange(16)), held_out.labels)
    assert float((model(attacked).argmax(1) == held_out.labels).float().mean()) == max(scores)


@dataclass(frozen=True)
class Darkest(Twice):
    """A method that is measured by its own number: the weight that a step left, whatever is right."""

    def measure(
        self, model: nn.Module, images: Tensor, labels: Tensor, memory: Memory, attack: attacks.Attack | None
    ) -> dict[str, Tensor]:
        assert not model.training
        size = next(model.parameters()).detach().abs().mean()
        return {"size": size.expand(len(images)), **({} if attack is None else {"robust": size.expand(len(images))})}


def test_a_method_says_what_is_measured_and_its_robust_chooses(tmp_path: Path) -> None:
    run = replace(BASE, method=Darkest(), epochs=4, held_out=16, select=attacks.FGSM(), optimizer=SGD(0.3, 0, 0.5))
    model = train(run, tmp_path)
    told = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all("held_out_clean" not in line for line in told)
    best = max(line["held_out_robust"] for line in told)
    assert float(next(model.parameters()).detach().abs().mean()) == pytest.approx(best)


@dataclass(frozen=True)
class Paired(Method):
    """A method that trains a second network beside the first, by the same loss."""

    def remember(self, model: nn.Module, train_set: ImageSet, finished: Finished) -> Memory:
        return Memory(other=copy.deepcopy(model))

    def trained(self, model: nn.Module, memory: Memory) -> dict[str, nn.Module]:
        return {"model": model, "other": memory.other}

    def step(self, model: nn.Module, batch: Batch, memory: Memory, update: Update) -> Terms:
        losses = {}
        for name, network in self.trained(model, memory).items():
            losses[name] = cross_entropy(network(batch.images), batch.labels).mean()
            update(losses[name], name)
        return losses


def test_each_network_has_the_optimizer_that_names_it(tmp_path: Path) -> None:
    run = replace(BASE, method=Paired(), epochs=2, schedule=Steps((1,), 0.5))
    own = replace(run, optimizers=(("other", Adam(lr=0.01, betas=(0.5, 0.999))),))
    assert "optimizers" not in str(describe(run))
    assert fingerprint(own) != fingerprint(run)
    train(own, tmp_path)
    groups = {
        name: kept["param_groups"][0] for name, kept in read_state(tmp_path / "last.pt", "")["optimizers"].items()
    }
    assert groups["model"]["lr"] == pytest.approx(BASE.optimizer.lr * 0.5)
    assert groups["model"]["momentum"] == 0.9
    assert groups["other"]["lr"] == pytest.approx(0.005)
    assert tuple(groups["other"]["betas"]) == (0.5, 0.999)


def test_optimizers_of_no_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="optimizers names 'critic', and Paired trains only model, other"):
        train(replace(BASE, method=Paired(), optimizers=(("critic", SGD()),)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(BadValue, match="optimizers names 'model'"):
        replace(BASE, optimizers=(("model", SGD()),))
    with pytest.raises(BadValue, match="optimizers names a network twice: other, other"):
        replace(BASE, optimizers=(("other", SGD()), ("other", Adam())))


def test_a_classifiers_method_is_refused_for_a_network_that_answers_images(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="AT trains networks that answer logits, and 'unet-b' answers images"):
        train(replace(BASE, method=methods.AT(), model="unet-b"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Unjudged(Darkest):
    """One that measures nothing under an attack."""

    def measure(
        self, model: nn.Module, images: Tensor, labels: Tensor, memory: Memory, attack: attacks.Attack | None
    ) -> dict[str, Tensor]:
        return {"size": torch.ones(len(images))}


def test_an_attack_cannot_choose_where_a_method_measures_nothing_under_it(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="Unjudged measures no 'robust'"):
        train(replace(BASE, method=Unjudged(), held_out=16, select=attacks.FGSM()), tmp_path)


def test_adam_takes_its_means_and_without_them_a_run_keeps_its_name(tmp_path: Path) -> None:
    weight = [nn.Parameter(torch.zeros(1))]
    assert Adam(betas=(0.5, 0.999)).of(weight).param_groups[0]["betas"] == (0.5, 0.999)
    assert "betas" not in str(describe(Run(optimizer=Adam())))
    train(replace(BASE, optimizer=Adam(betas=(0.5, 0.9)), epochs=1), tmp_path)
    assert read_run(tmp_path).optimizer == Adam(betas=(0.5, 0.9))
    with pytest.raises(BadValue, match=r"betas = \(0.5, 1.0\): each is in \[0, 1\)"):
        Adam(betas=(0.5, 1.0))


def test_images_held_out_are_never_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[bytes] = set()
    own = methods.Standard.loss

    def spy(self: methods.Standard, model: nn.Module, batch: Batch, memory: Memory) -> Terms:
        seen.update(image.numpy().tobytes() for image in batch.images)
        return own(self, model, batch, memory)

    monkeypatch.setattr(methods.Standard, "loss", spy)
    train(replace(BASE, held_out=16), tmp_path)
    kept, held_out = load(BASE.data, "train", limit=64).split(16, BASE.seed)
    assert seen == {image.numpy().tobytes() for image in kept.take(torch.arange(48))}
    assert not seen & {image.numpy().tobytes() for image in held_out.take(torch.arange(16))}


def test_augmentation_and_bfloat16_train(tmp_path: Path) -> None:
    run = replace(BASE, augment=CropFlip(pad=1), precision="bfloat16", method=methods.AT())
    assert all(weight.dtype == torch.float32 for weight in train(run, tmp_path).parameters())


def test_crops_smaller_than_the_image_size_the_network(tmp_path: Path) -> None:
    run = replace(BASE, data="made-up:3x32x32", model="cifar-resnet-20", augment=CropFlip(0, 24), limit=32, epochs=1)
    assert train(run, tmp_path)(torch.rand(1, 3, 24, 24)).shape == (1, 10)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"batch": 0}, "batch = 0"),
        ({"precision": "float16"}, "float16"),
        ({"held_out": -1}, "held_out = -1"),
    ],
)
def test_fields_out_of_range_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises((BadValue, TypeError), match=words):
        Run(**fields)  # type: ignore[arg-type]


def test_wrong_names_leave_nothing_behind(tmp_path: Path) -> None:
    for name in ("npz:~nobody-here/x.npz", "folder:~nobody-here"):
        with pytest.raises(MissingData, match="~nobody-here"):
            train(replace(BASE, data=name), tmp_path / "home")
    with pytest.raises(UnknownName, match="did you mean 'digits-net'"):
        train(replace(BASE, model="digit-net"), tmp_path / "model")
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        train(replace(BASE, data="digit"), tmp_path / "data")
    assert not list(tmp_path.iterdir())


def test_schedules() -> None:
    assert [Steps((2, 4)).factor(epoch, 6) for epoch in (0, 1.9, 2, 4)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [Triangle(0.5).factor(epoch, 4) for epoch in (0, 1, 2, 3, 4)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [Cosine().factor(epoch, 4) for epoch in (0, 2, 4)] == pytest.approx([1, 0.5, 0])
    assert [Cosine(0.5).factor(epoch, 4) for epoch in (0, 1, 2, 3, 4)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [Triangle(peak).factor(epoch, 4) for peak in (0, 1) for epoch in (0, 1, 4)] == [1, 0.75, 0, 0, 0.25, 1]
    assert Constant().factor(3, 4) == 1


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (SGD, {"momentum": -0.5}),
        (SGD, {"momentum": 1.0}),
        (SGD, {"momentum": 0.0, "nesterov": True}),
        (Steps, {"by": -0.1}),
        (Levels, {"factors": (1.0, -1.0, 1.0)}),
        (Triangle, {"peak": 2.0}),
        (Triangle, {"peak": -1.0}),
    ],
)
def test_rates_that_climb_or_are_never_reached_are_refused(kind: type[Any], given: dict[str, Any]) -> None:
    name, value = next(iter(given.items()))
    with pytest.raises(BadValue, match=re.escape(f"{name} = {value}")):
        kind(**given)


@pytest.mark.parametrize("optimizer", [SGD(lr=0.01), Adam(), AdamW()], ids=short_repr)
def test_every_optimizer_trains(optimizer: SGD, tmp_path: Path) -> None:
    train(replace(BASE, optimizer=optimizer, epochs=6), tmp_path)
    losses = [json.loads(line)["clean"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_a_run_hands_options_to_its_architecture_and_is_read_back_with_them(tmp_path: Path) -> None:
    run = replace(BASE, model="wrn-10-1", options=(("normalize", "per-image"), ("dropout", 0.25)), epochs=1)
    trained = train(run, tmp_path)
    kinds = [type(part).__name__ for part in trained.modules()]
    assert "Standardized" in kinds
    assert {part.p for part in trained.modules() if isinstance(part, nn.Dropout)} == {0.25}
    assert read_run(tmp_path) == run
    assert "Standardized" in [type(part).__name__ for part in train(run, tmp_path).modules()]
    assert fingerprint(run) != fingerprint(replace(run, options=()))


def test_a_run_without_options_keeps_its_name() -> None:
    described = describe(Run())
    assert isinstance(described, dict)
    assert "options" not in described


def test_options_that_an_architecture_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="normalise"):
        train(replace(BASE, options=(("normalise", "none"),)), tmp_path)
