"""Cells, their stored outcomes, and the numbers made of them."""

import errno
import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from holdfast import L2, Cell, ImageSet, Linf, Outcomes, metrics, outcomes
from holdfast.attacks import FGSM, PGD, Attack, DeepFool, FeatureScattering
from holdfast.attacks.watched import in_float32
from holdfast.devices import exact_products
from holdfast.errors import BadLabels, BadRecord, BadValue, ModelFault, UnknownName, UsageError
from holdfast.evaluation import read_outcomes
from holdfast.objectives import Towards, difference, margin, summed_margin
from holdfast.storage.describe import short_repr
from holdfast.storage.measured import Measured, here, together
from holdfast.storage.signed import read_tensors, write_tensors
from holdfast.types import Objective


@pytest.fixture
def data(small: nn.Module) -> ImageSet:
    images = torch.rand(30, 1, 8, 8)
    return ImageSet(images, small.eval()(images).argmax(1), tuple("0123456789"))


class Counted(nn.Module):
    """A network that counts the images it is shown."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.count = network, 0

    def forward(self, images: Tensor) -> Tensor:
        self.count += len(images)
        return self.network(images)


def test_outcomes_are_read_back_and_never_computed_again(small: nn.Module, data: ImageSet, tmp_path: Path) -> None:
    cell, network = Cell("a", "a", PGD(Linf(0.1)), 0), Counted(small)
    first = outcomes(cell, {"a": network}, data, tmp_path, batch=7)
    assert network.count
    network.count = 0  # as it was: a network is named by its numbers as well
    again = outcomes(cell, {"a": network}, data, tmp_path, batch=7)
    assert not network.count
    assert torch.equal(first.logits, again.logits)
    assert torch.equal(first.distance, again.distance)
    assert first.seconds == again.seconds
    assert (first.forwards, first.backwards) == (again.forwards, again.backwards)


def test_outcomes_are_read_where_nothing_may_be_removed(
    small: nn.Module, data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    cell = Cell("a", "a", None)
    first = outcomes(cell, {"a": small}, data, tmp_path)
    monkeypatch.setattr(Path, "unlink", read_only)
    assert torch.equal(outcomes(cell, {"a": small}, data, tmp_path).logits, first.logits)


def test_the_passes_of_the_attack_are_kept_and_the_judge_s_are_not(small: nn.Module, data: ImageSet) -> None:
    attacked, judged = Counted(small), Counted(small)
    networks = {"a": attacked, "b": judged}
    rows = outcomes(Cell("b", "a", PGD(Linf(0.1), steps=7)), networks, data, batch=7)
    assert rows.forwards == attacked.count == 30 * 7
    assert rows.backwards == 30 * 7
    assert judged.count == 30
    clean = outcomes(Cell("a", "a", None), networks, data)
    assert (clean.forwards, clean.backwards) == (0, 0)


def test_an_outcome_without_its_passes_is_refused(small: nn.Module, data: ImageSet, tmp_path: Path) -> None:
    outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)
    path = next(tmp_path.glob("*.safetensors"))
    kept = read_tensors(path, "")
    fewer = {name: kept[name] for name in ("logits", "labels", "distance", "seconds")}
    write_tensors(path, fewer, cell=path.stem)
    with pytest.raises(BadRecord, match="lacks backwards, forwards: delete it; it will be computed again"):
        outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)


def test_an_interrupted_evaluation_goes_on(
    small: nn.Module, data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.evaluation.SAVE_EVERY", 0.0)
    cell, network = Cell("a", "a", PGD(Linf(0.1)), 0), Counted(small)
    straight = outcomes(cell, {"a": network}, data, batch=10)
    whole, network.count = network.count, 0

    def cut(done: int, total: int, words: str) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcomes(cell, {"a": network}, data, tmp_path, batch=10, tell=cut)
    network.count = 0
    resumed = outcomes(cell, {"a": network}, data, tmp_path, batch=10)
    assert network.count == whole * 2 // 3  # ten images were kept, twenty are left
    assert torch.equal(straight.logits, resumed.logits)
    assert (straight.forwards, straight.backwards) == (resumed.forwards, resumed.backwards)
    assert not list(tmp_path.glob("*.part"))


def test_outcomes_say_on_what_they_were_measured(
    small: nn.Module, data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(done: int, total: int, words: str) -> None:
        if done == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.evaluation.SAVE_EVERY", -1.0)
    cell, now = Cell("a", "a", None), here("cpu")
    assert outcomes(cell, {"a": small}, data).measured == now
    monkeypatch.setattr("holdfast.evaluation.here", lambda device: Measured(("another",), ("older",)))
    with pytest.raises(KeyboardInterrupt):
        outcomes(cell, {"a": small}, data, tmp_path, batch=10, tell=cut)
    monkeypatch.setattr("holdfast.evaluation.here", here)
    for _ in ("gone on with", "read"):
        found = outcomes(cell, {"a": small}, data, tmp_path, batch=10).measured
        assert found == together([now, Measured(("another",), ("older",))])


@pytest.mark.parametrize("suffix", [".safetensors", ".part"])
def test_outcomes_that_were_changed_or_are_another_cell_s_are_refused(
    suffix: str, small: nn.Module, data: ImageSet, tmp_path: Path
) -> None:
    cells = [Cell("a", "a", None, seed) for seed in (0, 1)]
    for cell in cells:
        outcomes(cell, {"a": small}, data, tmp_path)
    first, second = (path.rename(path.with_suffix(suffix)) for path in sorted(tmp_path.glob("*.safetensors")))
    whole = first.read_bytes()
    first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 0x80]))
    second.write_bytes(whole)
    for path, words in ((first, "was changed"), (second, "was written for another cell")):
        with pytest.raises(BadRecord, match=f"{path.name} {words}.*: delete it; it will be computed again"):
            read_outcomes(path)


def test_a_cell_that_another_process_evaluates_is_waited_for(
    small: nn.Module, data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, shown = Cell("a", "a", FGSM()), Counted(small)
    done = outcomes(cell, {"a": shown}, data, tmp_path)
    path = next(tmp_path.glob("*.safetensors"))
    kept, shown.count = path.read_bytes(), 0
    path.unlink()
    with ExitStack() as other:
        other.enter_context(hold(path.with_name(f".{path.name}.lock")))

        def until_it_is_done(place: Path) -> None:
            path.write_bytes(kept)
            other.close()

        monkeypatch.setattr("holdfast.storage.files.wait", until_it_is_done)
        again = outcomes(cell, {"a": shown}, data, tmp_path)
    assert shown.count == 0
    assert torch.equal(done.logits, again.logits)


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a lock as another process would."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield
    os.close(lock)


def test_another_attack_seed_network_or_image_is_another_file(small: nn.Module, data: ImageSet, tmp_path: Path) -> None:
    networks = {"a": small, "b": small}
    brighter = ImageSet(data.images.clone().clamp(0, 0.9), data.labels, data.classes)
    cells = [Cell("a", "a", FGSM()), Cell("a", "a", PGD()), Cell("a", "a", PGD(), 1), Cell("a", "b", PGD())]
    for cell in cells:
        outcomes(cell, networks, data, tmp_path)
    outcomes(cells[0], networks, brighter, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 5


@pytest.mark.parametrize(
    "attack", [FeatureScattering(Linf(0.1)), PGD(Linf(0.1), steps=20, objective=summed_margin)], ids=short_repr
)
def test_an_attack_on_a_whole_batch_is_stored_by_its_batch(
    attack: Attack, small: nn.Module, data: ImageSet, tmp_path: Path
) -> None:
    cell, networks = Cell("a", "a", attack, 0), {"a": small}
    kept = outcomes(cell, networks, data, tmp_path, batch=30)
    found = outcomes(cell, networks, data, tmp_path, batch=7)
    assert torch.equal(found.logits, outcomes(cell, networks, data, batch=7).logits)
    assert not torch.equal(found.logits, kept.logits)


@pytest.mark.parametrize("asked", ["highest", "high"])
def test_products_on_cuda_are_exact_for_a_while(asked: str) -> None:
    kernels = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    torch.set_float32_matmul_precision(asked)
    try:
        before = [kernel.fp32_precision for kernel in kernels]
        with exact_products(torch.device("cuda")):
            assert [kernel.fp32_precision for kernel in kernels] == ["ieee", "ieee"]
        assert [kernel.fp32_precision for kernel in kernels] == before
        assert torch.get_float32_matmul_precision() == asked
    finally:
        torch.set_float32_matmul_precision("highest")


def test_white_box_and_transfer_are_pairs_of_names(small: nn.Module, data: ImageSet) -> None:
    other = type(small)().eval()
    networks = {"judged": small, "other": other}
    white = outcomes(Cell("judged", "judged", PGD(Linf(0.1))), networks, data)
    transfer = outcomes(Cell("judged", "other", PGD(Linf(0.1))), networks, data)
    assert metrics.accuracy(white) < metrics.accuracy(transfer)


def test_a_retrained_network_never_meets_an_old_outcome(small: nn.Module, data: ImageSet, tmp_path: Path) -> None:
    first = outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)
    small.last.weight.data.neg_()
    second = outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)
    assert not torch.equal(first.logits, second.logits)


def test_the_seed_stands_in_the_cell_alone(small: nn.Module, data: ImageSet) -> None:
    with pytest.raises(BadValue, match="give the seed to the cell alone"):
        outcomes(Cell("a", "a", PGD(seed=5)), {"a": small}, data)


def test_a_tie_does_not_hold() -> None:
    tied = Outcomes(torch.zeros(2, 4), torch.tensor([0, 3]), torch.zeros(2))
    assert [metrics.accuracy(tied, top) for top in (1, 3, 4)] == [0.0, 0.0, 1.0]


def test_a_damaged_outcome_is_named(small: nn.Module, data: ImageSet, tmp_path: Path) -> None:
    outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)
    path = next(tmp_path.glob("*.safetensors"))
    path.write_bytes(b"half")
    with pytest.raises(BadRecord, match="delete it; it will be computed again"):
        outcomes(Cell("a", "a", None), {"a": small}, data, tmp_path)


def test_nan_is_not_an_answer(data: ImageSet) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.full((len(images), 10), torch.nan)

    with pytest.raises(ModelFault, match="NaN or infinity for image 0"):
        outcomes(Cell("a", "a", None), {"a": Broken()}, data)


LOGITS = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 2.0, 1.0]])
ROWS = Outcomes(LOGITS, torch.tensor([0, 1, 0, 1]), torch.tensor([0.0, 0.1, 0.2, 0.3]))


class Far(nn.Module):
    """Answers in float64, so far from 0 that float32 cannot tell the answers apart."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).double() - 1e9


@pytest.mark.parametrize("attack", [None, PGD(Linf(0.1), steps=5)], ids=short_repr)
def test_float64_answers_are_told_apart_before_they_are_rounded(
    attack: Attack | None, small: nn.Module, data: ImageSet
) -> None:
    cell = Cell("a", "a", attack)
    near, far = (metrics.accuracy(outcomes(cell, {"a": each}, data)) for each in (small, Far(small)))
    assert near == far
    assert (near == 1) == (attack is None)


def test_only_rows_that_rounding_ties_are_moved() -> None:
    rows = torch.tensor([[1e9, 1e9 + 1, 0.0], [3.0, 1e9, -torch.inf], [5.0, 5.0, 1e-9]], dtype=torch.float64)
    found = in_float32(rows)
    assert found.dtype == torch.float32
    assert found[0].tolist() == [-1.0, 0.0, -1e9]
    assert torch.equal(found[1:], rows[1:].float())
    assert torch.equal(in_float32(rows[:1].long())[0, :2], found[0, :2])


@pytest.mark.parametrize("objective", [Towards(margin), difference], ids=["wanted", "pairs"])
def test_an_attack_towards_wanted_classes_is_refused(objective: Objective) -> None:
    with pytest.raises(UsageError, match="a cell has no wanted classes"):
        Cell("a", "a", PGD(Linf(0.1), objective=objective))


def test_accuracy_counts_the_top_classes() -> None:
    assert [metrics.accuracy(ROWS, top) for top in (1, 2, 3, 5)] == [0.5, 0.75, 1.0, 1.0]


def test_shares_are_quotients_of_counts() -> None:
    labels = torch.arange(20) % 2
    rows = Outcomes(torch.eye(2)[labels], labels.index_fill(0, torch.tensor([3]), 0), torch.zeros(20))
    assert metrics.accuracy(rows) == metrics.worst_case([rows]) == 0.95
    assert math.isnan(metrics.share_of(torch.zeros(0, dtype=torch.bool)))


def test_the_worst_case_is_an_and_over_images() -> None:
    other = Outcomes(LOGITS.flip(1), ROWS.labels, ROWS.distance)
    assert metrics.worst_case([ROWS]) == metrics.accuracy(ROWS)
    assert metrics.worst_case([ROWS, other]) == 0.25


def test_accuracy_against_radius_falls_from_clean_to_attacked(small: nn.Module, data: ImageSet) -> None:
    rows = outcomes(Cell("a", "a", DeepFool(L2(float("inf")))), {"a": small}, data)
    curve = [metrics.accuracy_within(rows, radius) for radius in (0.0, 0.1, 0.3, 1.0, 100.0)]
    assert curve == sorted(curve, reverse=True)
    assert curve[0] == 1.0
    assert curve[-1] == metrics.accuracy(rows)


def test_a_cell_of_networks_that_are_not_given_is_refused(small: nn.Module, data: ImageSet) -> None:
    with pytest.raises(UnknownName, match="no network is called 'b'"):
        outcomes(Cell("a", "b", None), {"a": small}, data)


def test_labels_that_a_network_has_no_class_for_are_refused(small: nn.Module, data: ImageSet) -> None:
    five = nn.Sequential(small, nn.Linear(10, 5))
    with pytest.raises(BadLabels, match="knows classes 0 to 4"):
        outcomes(Cell("a", "a", None), {"a": five}, data)


def test_the_interval_of_wilson() -> None:
    low, high = metrics.interval(0.5, 100)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    assert metrics.interval(0.0, 10)[0] == 0.0
    assert 0.27 < metrics.interval(0.0, 10)[1] < 0.28
    assert metrics.interval(1.0, 10)[1] == pytest.approx(1.0)
    for count in range(1, 300):
        for share in (0.0, 1 / count, 1.0):
            low, high = metrics.interval(share, count)
            assert 0 <= low <= share <= high <= 1


def test_mean_and_deviation_over_seeds() -> None:
    assert metrics.mean_std([0.25, 0.75]) == pytest.approx((0.5, 0.5**0.5 / 2))
    assert metrics.mean_std([0.5])[0] == 0.5
    for lost in (math.nan, math.inf):
        mean, std = metrics.mean_std([0.5, lost])  # of a network whose training diverged
        assert not math.isfinite(mean)
        assert math.isnan(std)


def test_calibration_of_a_certain_network_is_its_error() -> None:
    certain = Outcomes(100 * LOGITS, ROWS.labels, ROWS.distance)
    assert metrics.calibration_error(certain) == pytest.approx(0.5, abs=1e-4)


def test_calibration_is_the_gap_of_each_bin_weighed_by_its_images() -> None:
    # 0.61 and 0.65 share a bin of fifteen, 0.9 and 1 have bins of their own.
    confidence = torch.tensor([0.61, 0.65, 0.9, 0.9, 0.9, 1.0])
    right = torch.tensor([True, False, True, True, False, True])
    logits = torch.stack([confidence, 1 - confidence], dim=1).clamp_min(1e-30).log()
    rows = Outcomes(logits, (~right).long(), torch.zeros(6))
    gaps = 2 * abs(0.5 - 0.63) + 3 * abs(2 / 3 - 0.9) + 0
    assert metrics.calibration_error(rows) == pytest.approx(gaps / 6)
    assert math.isnan(metrics.calibration_error(Outcomes(logits[:0], rows.labels[:0], rows.distance[:0])))
