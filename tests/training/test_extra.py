"""Extra images in training: the share of each batch, the length of an epoch, and where they may come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast import Linf, train
from holdfast.data import ImageSet, load
from holdfast.data.joined import apart, joined, mixed_order
from holdfast.errors import BadImages, BadLabels, BadRecord, BadValue, MissingData
from holdfast.methods import SIMAdv
from holdfast.storage.describe import describe
from holdfast.storage.fingerprint import fingerprint
from holdfast.training.supply import supplied
from tests.methods.resuming import lines, stop_and_resume
from tests.training.moment import BASE

NAMES = tuple(map(str, range(10)))


def published(path: Path, count: int = 40) -> str:
    """Write a file such as those of generated images."""
    numbers = np.random.default_rng(1)
    images, labels = numbers.integers(0, 256, (count, 8, 8, 3), np.uint8), np.arange(count) % 10
    np.savez(path, image=images, label=labels)
    return f"npz:{path}"


RUN = replace(BASE, data="made-up:3x8x8", options=(("width", 4),))


def test_each_batch_has_its_share_at_random_places_and_an_epoch_its_length() -> None:
    order = mixed_order(torch.randperm(50), 30, 16, 0.7, "seed", 0)
    assert len(order) == 50
    own = [int((part < 50).sum()) for part in order.split(16)]
    assert own == [5, 5, 5, 1]
    assert order.max() < 80
    assert len(set(order[order < 50].tolist())) == sum(own)
    ends = {int(mixed_order(torch.arange(16), 8, 16, 0.5, seed)[0] < 16) for seed in range(8)}
    assert ends == {0, 1}
    assert torch.equal(order[:16] < 50, mixed_order(torch.arange(50), 30, 16, 0.7, "seed", 0)[:16] < 50)
    assert int((mixed_order(torch.arange(4), 30, 1, 0.7) < 4).sum()) == 4


def test_no_batch_shows_an_extra_image_twice_where_there_are_enough() -> None:
    order = mixed_order(torch.arange(640), 12, 16, 0.7, "seed", 0)
    for part in order.split(16):
        extra = part[part >= 640].tolist()
        assert len(set(extra)) == len(extra) == 11
        assert max(extra) < 652
    few = mixed_order(torch.arange(16), 4, 16, 0.7, "seed", 0)
    assert torch.bincount(few[few >= 16] - 16).sort().values.tolist() == [2, 3, 3, 3]


def test_a_repeated_number_moves_on_to_the_next_that_is_free_and_the_others_stay() -> None:
    assert apart(torch.tensor([2, 0, 3]), 4).tolist() == [2, 0, 3]
    assert apart(torch.tensor([3, 3, 0, 2]), 5).tolist() == [3, 4, 0, 2]
    assert apart(torch.tensor([3, 3, 3, 0]), 4).tolist() == [3, 0, 1, 2]
    every = torch.cartesian_prod(*[torch.arange(3)] * 2)
    moved = torch.stack([apart(pair, 3) for pair in every])
    assert torch.equal(torch.bincount(moved[:, 1]), torch.tensor([3, 3, 3]))


def test_a_run_takes_the_images_of_a_published_file_beside_its_own(tmp_path: Path) -> None:
    run = replace(RUN, extra=published(tmp_path / "extra.npz"), extra_share=0.5, held_out=16)
    supply = supplied(run, None, False)
    assert (supply.count, supply.per_epoch, supply.steps, len(supply.images)) == (48, 3, 6, 88)
    extra = load(run.extra or "", "train").take(torch.arange(40))
    for batch in supply.batches(0):
        found = batch.index >= 48
        assert int(found.sum()) == 8
        assert torch.equal(batch.images[found], extra[batch.index[found] - 48])
        assert torch.equal(batch.labels[found], (batch.index[found] - 48) % 10)
    train(run, tmp_path / "run")
    assert [line.split('"step": ')[1][0] for line in lines(tmp_path / "run")] == ["3", "6"]


@pytest.mark.parametrize("method", [BASE.method, SIMAdv(Linf(0.1), 2, 2)], ids=["Standard", "SIMAdv"])
def test_stopped_and_resumed_is_bit_identical(method: SIMAdv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(RUN, method=method, extra=published(tmp_path / "extra.npz"))
    stop_and_resume(run, 6, tmp_path, monkeypatch)


def test_a_finished_run_is_bound_to_its_extra_images(tmp_path: Path) -> None:
    run = replace(RUN, extra=published(tmp_path / "extra.npz"), epochs=1)
    train(run, tmp_path / "run")
    published(tmp_path / "extra.npz", 41)
    with pytest.raises(BadRecord, match="changed since the run"):
        train(run, tmp_path / "run")


def test_sets_that_do_not_fit_are_refused() -> None:
    own = ImageSet(torch.rand(4, 1, 8, 8), torch.arange(4), NAMES)
    named = replace(own, classes=("cat", *NAMES[1:]))
    assert joined(named, own).classes == named.classes
    assert len(joined(own, replace(own, pixels=(own.images * 255).byte()))) == 8
    with pytest.raises(BadImages, match=r"\(1, 4, 4\), those of the data set \(1, 8, 8\)"):
        joined(own, replace(own, pixels=torch.rand(4, 1, 4, 4)))
    with pytest.raises(BadLabels, match="extra images have the classes cat, 1, 2, 3, 4 and 5 more"):
        joined(own, named)
    with pytest.raises(BadLabels, match="and 6 more"):
        joined(own, replace(own, classes=(*NAMES, "10")))


def test_what_cannot_be_shared_or_found_is_refused_and_other_runs_keep_their_names(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"extra_share = 1.0, not in \(0, 1\)"):
        replace(BASE, extra_share=1.0)
    for share, batch in ((0.01, 16), (0.7, 1)):
        with pytest.raises(BadValue, match=f"extra_share = {share} of the largest batch, of {batch} images, is 0"):
            replace(BASE, extra="digits", extra_share=share, batch=batch)
    with pytest.raises(
        BadValue, match="order = stored beside extra images: most of the run's own would never be shown"
    ):
        replace(BASE, extra="digits", order="stored")
    with pytest.raises(MissingData, match="no file"):
        train(replace(BASE, extra=f"npz:{tmp_path / 'none.npz'}"), tmp_path / "run")
    np.savez(tmp_path / "half.npz", image=np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(MissingData, match="no array called train_labels"):
        load(f"npz:{tmp_path / 'half.npz'}", "train")
    assert "extra" not in str(describe(BASE))
    assert fingerprint(replace(BASE, extra="digits")) != fingerprint(replace(BASE, extra="digits", extra_share=0.5))
