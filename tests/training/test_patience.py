"""Early stopping on images held out, and images in the order in which they are stored."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from holdfast import Run, load, train
from holdfast.cli.compose import chosen_run
from holdfast.errors import BadValue
from holdfast.methods import Pix2Pix
from holdfast.objectives import cross_entropy
from holdfast.storage.describe import describe, restore
from holdfast.training.optimizers import SGD
from holdfast.training.patience import Patience
from holdfast.training.registry import KINDS
from holdfast.training.supply import supplied

BASE = Run(epochs=12, batch=16, limit=48, held_out=16, select=Patience(2), optimizer=SGD(lr=1.0))


def losses_of(folder: Path) -> list[float]:
    return [json.loads(line)["held_out_loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_best_epoch_is_kept_and_the_run_ends_with_its_patience(tmp_path: Path) -> None:
    model, losses = train(BASE, tmp_path), losses_of(tmp_path)
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 12
    held_out = load(BASE.data, "train", limit=48).split(16, BASE.seed)[1]
    loss = cross_entropy(model(held_out.take(torch.arange(16))), held_out.labels).mean()
    assert float(loss.detach()) == pytest.approx(losses[best], rel=1e-5)


def test_a_run_that_was_stopped_at_its_end_ends_in_the_same_place(tmp_path: Path) -> None:
    model, losses = train(BASE, tmp_path), losses_of(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    again = train(BASE, tmp_path)
    assert losses_of(tmp_path) == losses
    same = zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)


def test_what_cannot_be_patient_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="give held_out as well"):
        train(replace(BASE, held_out=0), tmp_path / "none")
    with pytest.raises(BadValue, match="Pix2Pix has no loss of labels"):
        replace(BASE, method=Pix2Pix())
    with pytest.raises(BadValue, match="1 or more"):
        Patience(0)


def test_the_command_line_names_it_and_a_record_tells_it() -> None:
    run = chosen_run("AT", ["--select", "Patience"])
    assert run.select == Patience(3)
    assert restore(describe(run), KINDS) == run


def test_images_as_they_are_stored_come_in_the_same_order_each_epoch() -> None:
    stored = supplied(replace(BASE, order="stored"), None, False)
    for epoch in (0, 1):
        index = torch.cat([batch.index for batch in stored.batches(epoch)])
        assert torch.equal(index, torch.arange(32))
    assert torch.equal(torch.cat([batch.index for batch in stored.batches(0, 1)]), torch.arange(16, 32))
    drawn = torch.cat([batch.index for batch in supplied(BASE, None, False).batches(0)])
    assert not torch.equal(drawn, torch.arange(32))
    assert "order" not in str(describe(BASE))
