"""The bank of saved images: what is in it, that it is written once, when it is refused; cascade training from it."""

import errno
import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast import CropFlip, ImageSet, Linf, Run, load, train
from holdfast.attacks import BIM, FGSM, IterLL, StepLL
from holdfast.attacks.bim import iterations
from holdfast.errors import BadRecord, BadValue, ModelFault, NotWritten
from holdfast.methods import AT, Kurakin, Memory, SavedImages, UnifiedEmbedding, full
from holdfast.methods.bank import Bank, bank
from holdfast.methods.bank_images import climbs
from holdfast.methods.mixed_batch import mixed
from holdfast.passes import counting
from holdfast.storage.describe import describe, restore
from holdfast.storage.fingerprint import fingerprint
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.training.dependencies import Lineage
from holdfast.training.folder import RunFolder
from holdfast.training.optimizers import SGD
from holdfast.types import Batch
from tests.conftest import Small
from tests.limited import file_size

SOURCE = Run(
    AT(FGSM(Linf(8 / 255))), epochs=1, batch=16, limit=48, optimizer=SGD(lr=0.05), data="made-up:1x8x8",
    augment=CropFlip(pad=0, size=6),
)  # fmt: skip
SAVED = SavedImages(SOURCE, largest=6)
LL = StepLL(Linf(6 / 255))
P_C = replace(SOURCE, method=UnifiedEmbedding((LL, SAVED)), seed=1)
K_C = replace(SOURCE, method=Kurakin((LL, SAVED)), seed=2)


@pytest.mark.parametrize(
    ("eps", "steps"), [(1, 1), (2, 2), (4, 5), (8, 10), (16, 20), (32, 36), (3, 3), (5, 6), (12, 15), (0.5, 1)]
)
def test_iterations_of_the_paper(eps: float, steps: int) -> None:
    assert iterations(eps) == steps


def finished(folder: Path, run: Run = SOURCE) -> tuple[Lineage, ImageSet]:
    train(run, folder / fingerprint(run))
    lineage = Lineage({run: RunFolder(run, folder / fingerprint(run))}, (1, 8, 8), 10, torch.device("cpu"))
    return lineage, load(run.data, "train", limit=run.limit)


def files(folder: Path) -> list[Path]:
    return sorted((folder / fingerprint(SOURCE)).glob("bank-*"))


def test_every_image_is_the_attack_of_its_eps_in_whole_bytes() -> None:
    torch.manual_seed(0)
    model, labels = Small().eval(), torch.randint(0, 10, (20,))
    clean = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
    images = clean.float() / 255
    for eps, found in enumerate(climbs(model, clean, labels, 16), start=1):
        plain = BIM(Linf(eps / 255), iterations(eps), 1 / 255)(model, images, labels)
        assert found.dtype == torch.uint8
        assert float((255 * plain - found).abs().max()) < 1e-3  # the attack itself lies on whole bytes
        assert int((found.int() - clean.int()).abs().max()) == eps


@pytest.mark.parametrize("eps", [2, 5, 16])
def test_the_least_likely_class_too_is_walked_to_in_whole_bytes(eps: int) -> None:
    model, images = Small().eval(), torch.randint(0, 256, (20, 1, 8, 8)).float() / 255
    attacked = 255 * IterLL(Linf(eps / 255), iterations(eps), 1 / 255)(model, images, torch.zeros(20).long())
    assert float((attacked - attacked.round()).abs().max()) < 1e-3


def test_a_bank_of_16_eps_costs_44_gradients_an_image() -> None:
    model, clean = Small().eval(), torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    with counting() as spent:
        assert len(list(climbs(model, clean, torch.zeros(4).long(), 16))) == 16
    assert spent.backwards == 4 * 44


def test_a_bank_holds_what_its_run_was_fooled_with(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    made = bank(SAVED, data, lineage)
    assert made.saved.shape == (6, 48, 1, 6, 6)
    assert torch.equal(made.clean, data.images[:, :, 1:7, 1:7])
    model, images = lineage.network(SOURCE), made.clean.float() / 255
    model_sees = BIM(Linf(4 / 255), 5, 1 / 255)(model, images, data.labels)
    assert torch.equal(made.saved[3], (255 * model_sees).round().byte())
    # The scale of the saved images is that of the clean ones: the released loader divides them by 255 twice.
    for level in made.saved:
        assert abs(float(level.float().mean()) - float(made.clean.float().mean())) < 6
        assert abs(float(level.float().std()) - float(made.clean.float().std())) < 6


def test_a_bank_takes_the_stated_memory_and_is_no_part_of_the_state(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    made = bank(SAVED, data, lineage)
    stored = next(path for path in files(tmp_path) if path.suffix == ".bytes")
    assert stored.stat().st_size == made.saved.numel() == 6 * 48 * 36
    assert pytest.approx(1.66, abs=0.005) == 16 * 60_000 * 3 * 24 * 24 / 1e9
    assert Memory(bank0=made).state_dict() == {}


def test_a_bank_is_written_once_and_shared(tmp_path: Path) -> None:
    train(P_C, tmp_path / "P")
    written = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert len(written) == 2
    train(K_C, tmp_path / "K")
    train(replace(P_C, method=UnifiedEmbedding((SAVED,))), tmp_path / "only")
    assert written == {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    train(replace(P_C, limit=40), tmp_path / "other images")
    assert len(files(tmp_path)) == 4


def no_room_ahead(descriptor: int, first: int, size: int) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("reserves", [True, False])
def test_an_interrupted_bank_goes_on_where_it_was(
    reserves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not reserves:  # as some file systems cannot
        monkeypatch.setattr("os.posix_fallocate", no_room_ahead, raising=False)
    lineage, data = finished(tmp_path)
    whole = bank(SAVED, data, lineage).saved.clone()
    for path in files(tmp_path):
        path.unlink()
    module = importlib.import_module("holdfast.methods.bank")
    shown: list[int] = []

    def watched(model: nn.Module, clean: Tensor, labels: Tensor, largest: int) -> Iterator[Tensor]:
        if len(shown) == 2:
            raise KeyboardInterrupt
        shown.append(len(clean))
        yield from climbs(model, clean, labels, largest)

    monkeypatch.setattr(module, "CHUNK", 10)
    monkeypatch.setattr(module, "climbs", watched)
    with pytest.raises(KeyboardInterrupt):
        bank(SAVED, data, lineage)
    assert {path.suffix for path in files(tmp_path)} == {".part", ".json"}
    monkeypatch.setattr(module, "climbs", lambda *given: shown.append(len(given[1])) or climbs(*given))
    assert torch.equal(bank(SAVED, data, lineage).saved, whole)
    assert shown == [10, 10, 10, 10, 8]
    assert {path.suffix for path in files(tmp_path)} == {".bytes", ".json"}


def test_a_damaged_bank_is_refused(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    bank(SAVED, data, lineage)
    stored, told = files(tmp_path)
    whole = stored.read_bytes()
    stored.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(BadRecord, match="is missing or was changed since it was written: delete"):
        bank(SAVED, data, lineage)
    stored.unlink()
    with pytest.raises(BadRecord, match="is missing or was changed"):
        bank(SAVED, data, lineage)
    told.unlink()
    assert torch.equal(bank(SAVED, data, lineage).saved.flatten(), torch.tensor(list(whole), dtype=torch.uint8))


@pytest.mark.parametrize("damage", ["cut", "flipped", "said to hold more"])
def test_a_damaged_part_of_a_bank_is_refused(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lineage, data = finished(tmp_path)
    module = importlib.import_module("holdfast.methods.bank")
    monkeypatch.setattr(module, "CHUNK", 10)
    shown: list[int] = []

    def cut(model: nn.Module, clean: Tensor, labels: Tensor, largest: int) -> Iterator[Tensor]:
        if len(shown) == 3:
            raise KeyboardInterrupt
        shown.append(len(clean))
        yield from climbs(model, clean, labels, largest)

    monkeypatch.setattr(module, "climbs", cut)
    with pytest.raises(KeyboardInterrupt):
        bank(SAVED, data, lineage)
    part, told = files(tmp_path)
    whole = part.read_bytes()
    if damage == "cut":
        part.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        part.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    else:
        told.write_text(told.read_text().replace('"digests": [', f'"digests": ["{64 * "0"}", '))
    named = told if damage == "said to hold more" else part
    with pytest.raises(BadRecord, match=f"{named.name} was changed since it was written: delete"):
        bank(SAVED, data, lineage)


def test_a_full_disk_while_a_bank_is_made_is_one_line(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    with file_size(5_000), pytest.raises(NotWritten, match=r"bank-.*\.part cannot be written"):
        bank(SAVED, data, lineage)
    assert all(path.stat().st_size == 0 for path in files(tmp_path))
    assert len(bank(SAVED, data, lineage).saved) == 6


def test_a_bank_of_a_network_that_cannot_be_attacked_leaves_nothing(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    path = lineage.folder(SOURCE) / "model.safetensors"
    write_tensors(path, {name: tensor * float("nan") for name, tensor in read_tensors(path, "").items()})
    with pytest.raises(ModelFault):
        bank(SAVED, data, lineage)
    assert files(tmp_path) == []


def test_a_bank_that_was_begun_stays_whatever_its_network_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage, data = finished(tmp_path)
    module = importlib.import_module("holdfast.methods.bank")
    monkeypatch.setattr(module, "CHUNK", 4)
    climb, calls = module.climbs, iter(range(2))

    def once(*given: Any) -> Any:
        if next(calls) > 0:
            raise ModelFault("no memory")
        return climb(*given)

    with monkeypatch.context() as patched:
        patched.setattr(module, "climbs", once)
        with pytest.raises(ModelFault, match="no memory"):
            bank(SAVED, data, lineage)
    assert any(path.suffix == ".part" for path in files(tmp_path))
    assert len(bank(SAVED, data, lineage).saved) == 6


def test_a_bank_that_was_not_yet_signed_is_checked_and_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lineage, data = finished(tmp_path)
    module = importlib.import_module("holdfast.methods.bank")

    def killed(path: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "checksum", killed)
        with pytest.raises(KeyboardInterrupt):
            bank(SAVED, data, lineage)
    monkeypatch.setattr(module, "climbs", None)
    assert len(bank(SAVED, data, lineage).saved) == 6
    assert {path.suffix for path in files(tmp_path)} == {".bytes", ".json"}


def test_a_bank_of_other_weights_is_refused(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    bank(SAVED, data, lineage)
    path = lineage.folder(SOURCE) / "model.safetensors"
    other = {name: tensor + 1 for name, tensor in read_tensors(path, "").items()}
    write_tensors(path, other)
    with pytest.raises(BadRecord, match="was made with other weights than its run has now"):
        bank(SAVED, data, lineage)


def test_images_that_are_no_bytes_are_refused(tmp_path: Path) -> None:
    lineage, data = finished(tmp_path)
    floats = ImageSet(data.take(torch.arange(len(data))), data.labels, data.classes)
    with pytest.raises(BadValue, match="images are saved as bytes"):
        bank(SAVED, floats, lineage)


@pytest.mark.parametrize(
    ("share", "eps"), [(0.0, 1), (0.062, 1), (0.0625, 2), (0.5, 9), (0.9374, 15), (0.9376, 16), (1.0, 16)]
)
def test_the_eps_that_is_drawn(share: float, eps: int) -> None:
    levels = torch.arange(1, 17, dtype=torch.uint8)[:, None, None, None, None].expand(16, 3, 1, 2, 2)
    made = Bank(levels, torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    saved, clean = made.draw(torch.tensor([2]), torch.tensor([share]))
    assert torch.equal(255 * saved, torch.full((1, 1, 2, 2), float(eps)))
    assert torch.equal(clean, torch.zeros(1, 1, 2, 2))


def marked(count: int) -> Bank:
    """Return a bank whose saved images say their position and eps, and whose clean ones their position."""
    place = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 6, 6)
    return Bank(torch.stack([place + 100, place + 200]), place)


def test_saved_images_and_their_clean_partners_follow_the_index() -> None:
    made = marked(50)
    batch = Batch(torch.rand(8, 1, 6, 6), torch.randint(0, 10, (8,)), torch.tensor([7, 3, 49, 0, 21, 5, 11, 30]))
    small = Small((1, 6, 6))
    for paired in (True, False):
        share = 1.0 if paired else 0.5
        shown = mixed(small, batch, Memory(bank1=made), (LL, SAVED), share, full, paired)
        half = shown.attacked // 2
        taken = batch.index[half : shown.attacked]
        assert torch.equal((255 * shown.images[half : shown.attacked, 0, 0, 0]).round().long(), taken + 200)
        assert torch.equal(shown.labels[: shown.attacked], batch.labels[: shown.attacked])
        clean = shown.images[shown.attacked :]
        if paired:  # partners of saved images are the middles that they were made from, of the others the crops
            assert torch.equal(clean[:half], batch.images[:half])
            assert torch.equal((255 * clean[half : shown.attacked, 0, 0, 0]).round().long(), taken)
        else:
            assert torch.equal(clean, batch.images[shown.attacked :])


def test_crops_of_another_size_are_refused_before_any_bank_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"the saved images are \(1, 6, 6\), the run's \(1, 8, 8\)"):
        train(replace(P_C, augment=None), tmp_path / "run")
    larger = replace(SOURCE, augment=None)
    second = replace(P_C, method=UnifiedEmbedding((SAVED, SavedImages(larger))))
    with pytest.raises(BadValue, match=r"the saved images are \(1, 8, 8\), the run's \(1, 6, 6\)"):
        train(second, tmp_path / "second")
    assert not list(tmp_path.rglob("bank-*"))


def test_cascade_training_of_another_network_stopped_and_resumed_is_bit_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = SavedImages(replace(SOURCE, seed=9), largest=3)
    run = replace(P_C, model="cifar-resnet-8", method=UnifiedEmbedding((LL, SAVED, second)), epochs=2)
    train(run, tmp_path / "straight")
    monkeypatch.setattr("holdfast.training.loop.SAVE_EVERY", 0.0)

    def cut(done: int, total: int, words: str) -> None:
        if done == 4 and not words:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(run, tmp_path / "broken", tell=cut)
    train(run, tmp_path / "broken")
    ours, theirs = (read_tensors(tmp_path / name / "model.safetensors", "") for name in ("straight", "broken"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("straight", "broken")]
    assert lines[0] == lines[1]
    assert set(json.loads(lines[0].splitlines()[0])) == {"epoch", "step", "clean", "attacked", "distance"}


def test_the_largest_eps_is_a_byte() -> None:
    with pytest.raises(BadValue, match="largest = 0"):
        SavedImages(SOURCE, largest=0)


def test_a_run_that_names_a_bank_comes_back_from_its_description() -> None:
    from holdfast.training.registry import KINDS

    assert restore(describe(P_C), KINDS) == P_C
