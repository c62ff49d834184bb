"""The ensemble: attacks in turn, each on what still stands; stopped at any point it goes on to the same answer."""

import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import holdfast as hf
from holdfast import L1, L2, Linf
from holdfast.attacks import APGD, FGSM, PGD, Attack, Square
from holdfast.auditing import engine, published
from holdfast.auditing.autoattack import adversarial
from holdfast.auditing.engine import Move, Subject, run_moves
from holdfast.auditing.report import Report
from holdfast.errors import BadRecord, BadValue, UnknownName, UsageError
from holdfast.objectives import is_correct
from holdfast.passes import counting
from holdfast.rng import fresh
from holdfast.threats import Threat
from tests.conftest import Small

SHORT = {
    "fgsm": Move(FGSM(Linf(0.02))),
    "apgd": Move(APGD(Linf(0.02), steps=10)),
    "square": Move(Square(Linf(0.02), queries=60)),
}


@pytest.fixture
def network() -> nn.Module:
    return Small().eval()


@pytest.fixture
def labelled(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Return forty images, of which the network gets all but five right."""
    images = torch.rand(40, 1, 8, 8)
    labels = network(images).argmax(1)
    labels[:5] = (labels[:5] + 1) % 10
    return images, labels


def short(attack: Attack) -> Attack:
    """Return the attack with a small budget."""
    names = {field.name for field in fields(attack)}
    small = {"steps": 10, "queries": 50, "restarts": 1}
    return replace(attack, **{name: value for name, value in small.items() if name in names})


def report(network: nn.Module, labelled: tuple[Tensor, Tensor], **options: object) -> Report:
    """Return the report of the short attacks in turn."""
    chosen = {name: options.pop(name) for name in ("seed", "batch") if name in options}
    subject = Subject(network, network, *labelled, **chosen)  # type: ignore[arg-type]
    found, stages = run_moves(subject, SHORT, **options)  # type: ignore[arg-type]
    return Report(Linf(0.02), "autoattack", 0, adversarial(found, labelled[0]), found.broken_by, stages)


def test_each_attack_sees_what_still_stands(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    found = report(network, labelled)
    assert found.clean_accuracy == pytest.approx(35 / 40)
    assert [stage.name for stage in found.stages] == ["clean", *SHORT]
    standing = 40
    for stage in found.stages:
        assert stage.attacked == standing
        standing -= stage.broken
    assert found.robust_accuracy == pytest.approx(standing / 40)
    assert 0 < standing < 40
    assert int(found.broken.sum()) == 40 - standing


def test_every_break_is_one_and_the_rest_is_untouched(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    images, labels = labelled
    found = report(network, labelled)
    wrong = network(found.adversarial).argmax(1) != labels
    assert torch.equal(wrong, found.broken)
    untouched = ~found.broken | (found.broken_by == 0)
    assert torch.equal(found.adversarial[untouched], images[untouched])
    assert float((found.adversarial - images).abs().max()) <= 0.02 + 1e-6


def test_the_passes_are_those_that_were_made(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    asked = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal asked
        asked += len(x)
        return network(x)

    with counting() as spent:
        _, stages = run_moves(Subject(counted, counted, *labelled), SHORT)
    assert sum(stage.forwards for stage in stages) == asked == spent.forwards
    assert sum(stage.backwards for stage in stages) == spent.backwards


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_the_batch_does_not_matter(batch: int, network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    whole, parts = report(network, labelled, batch=250), report(network, labelled, batch=batch)
    assert torch.equal(whole.broken_by, parts.broken_by)
    assert torch.allclose(whole.adversarial, parts.adversarial, atol=1e-5)
    assert [stage.forwards for stage in whole.stages] == [stage.forwards for stage in parts.stages]


@pytest.mark.parametrize(("stop", "batch"), [(1, 15), (3, 15), (4, 15), (4, 6)])
def test_goes_on_where_it_was_stopped_in_batches_of_any_size(
    stop: int,
    batch: int,
    network: nn.Module,
    labelled: tuple[Tensor, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "SAVE_EVERY", 0.0)
    whole, batches = report(network, labelled, batch=15), 0

    def interrupt(done: int, total: int, words: str) -> None:
        nonlocal batches
        batches += not words
        if batches == stop + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(network, labelled, batch=15, folder=tmp_path, tell=interrupt)
    with counting() as spent:
        found = report(network, labelled, batch=batch, folder=tmp_path)
    assert torch.equal(found.broken_by, whole.broken_by)
    assert torch.allclose(found.adversarial, whole.adversarial, atol=0 if batch == 15 else 1e-5)
    assert [stage.forwards for stage in found.stages] == [stage.forwards for stage in whole.stages]
    assert spent.forwards < sum(stage.forwards for stage in whole.stages)
    with counting() as spent:
        report(network, labelled, batch=15, folder=tmp_path)
    assert spent.forwards == 0


def test_another_network_or_seed_begins_anew(
    network: nn.Module, labelled: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    report(network, labelled, folder=tmp_path)
    report(network, labelled, folder=tmp_path, seed=1)
    network.last.weight.data += 0.01
    report(network, labelled, folder=tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


def test_a_damaged_file_is_named(network: nn.Module, labelled: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    report(network, labelled, folder=tmp_path)
    next(tmp_path.glob("*.safetensors")).write_bytes(b"nothing")
    with pytest.raises(BadRecord, match="delete it"):
        report(network, labelled, folder=tmp_path)
    with pytest.raises(UsageError, match="weights have no name"):
        run_moves(Subject(lambda x: network(x), network, *labelled), SHORT, folder=tmp_path)


@pytest.mark.parametrize("threat", [Linf(0.05), L2(0.5), L1(3.0)], ids=str)
@pytest.mark.parametrize("version", ["standard", "plus", "rand"])
def test_versions_have_the_published_budgets(version: str, threat: Threat) -> None:
    attacks = published(threat, version)
    names = {
        "standard": ["apgd-ce", "apgd-t", "fab-t", "square"],
        "plus": ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"],
        "rand": ["apgd-ce", "apgd-dlr"],
    }
    assert list(attacks) == names[version]
    sparse = isinstance(threat, L1) and version == "standard"
    assert attacks["apgd-ce"].restarts == (5 if sparse or version == "plus" else 1)
    assert attacks["apgd-ce"].draws == (20 if version == "rand" else 1)
    assert all(attack.steps == 100 for name, attack in attacks.items() if name != "square")
    if "square" in attacks:
        assert attacks["square"].queries == 5000
        assert attacks["apgd-t"].classes == (5 if sparse else 9)
        assert attacks["fab-t"].classes == 9


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_few_classes_are_enough(norm: str, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    images = torch.rand(6, 1, 8, 8)
    labels = network(images).argmax(1)
    attack = hf.AutoAttack(network, norm, 0.02 if norm == "Linf" else 0.2, verbose=False)
    attack.attacks = {name: short(each) for name, each in attack.attacks.items()}
    attacked = attack.run_standard_evaluation(images, labels)
    assert attacked.shape == images.shape


def test_goes_on_from_its_state_path_and_returns_the_labels(
    network: nn.Module, labelled: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    attack = hf.AutoAttack(network, "Linf", 0.02, version="custom", attacks_to_run=["apgd-ce"], verbose=False)
    attacked, named = attack.run_standard_evaluation(*labelled, return_labels=True, state_path=tmp_path / "state")
    assert torch.equal(named, network(attacked).argmax(1))
    with counting() as spent:
        again = attack.run_standard_evaluation(*labelled, state_path=str(tmp_path / "state"))
    assert torch.equal(again, attacked)
    assert spent.forwards == 0
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(BadValue, match="is kept in a folder here, and that is a file"):
        attack.run_standard_evaluation(*labelled, state_path=tmp_path / "state.json")


def test_is_called_as_the_authors_package(
    network: nn.Module, labelled: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    images, labels = labelled
    custom = hf.AutoAttack(
        network, "Linf", 0.02, attacks_to_run=["apgd-ce"], version="custom", log_path=tmp_path / "log.txt"
    )
    attacked = custom.run_standard_evaluation(images, labels, bs=16)
    expected = APGD(Linf(0.02))(network, images, labels)
    broken = network(expected).argmax(1) != labels
    assert torch.equal(network(attacked).argmax(1) != labels, broken)
    said = capsys.readouterr().out
    assert f"robust accuracy at most {float((~broken).float().mean()):.2%}" in said
    assert (tmp_path / "log.txt").read_text() == said
    alone = custom.run_standard_evaluation_individual(images, labels)
    assert list(alone) == ["apgd-ce"]
    assert custom.clean_accuracy(images, labels) == pytest.approx(35 / 40)


def test_the_attacks_may_be_chosen_later_as_scripts_do(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    later = hf.AutoAttack(network, "Linf", 0.02, version="custom", verbose=False)
    later.attacks_to_run = ["apgd-ce"]
    at_once = hf.AutoAttack(network, "Linf", 0.02, attacks_to_run=["apgd-ce"], version="custom", verbose=False)
    assert torch.equal(later.run_standard_evaluation(*labelled), at_once.run_standard_evaluation(*labelled))


@pytest.mark.oracle
@pytest.mark.parametrize("version", ["standard", "plus", "rand", "custom"])
def test_starts_are_as_many_as_in_the_authors_code(version: str, network: nn.Module) -> None:
    theirs = pytest.importorskip("pyautoattack").AutoAttack(network, eps=0.02, version=version, device="cpu")
    ours = hf.AutoAttack(network, "Linf", 0.02, version=version, verbose=False)
    ours.attacks_to_run = ["apgd-ce", "fab"] if version == "custom" else ours.attacks_to_run
    starts = {"apgd-ce": theirs.apgd, "apgd-dlr": theirs.apgd, "fab": theirs.fab, "apgd-t": theirs.apgd_targeted}
    for name, attack in ours.chosen().items():
        if name in starts:
            assert (name, attack.restarts) == (name, starts[name].n_restarts)


def test_what_cannot_be_is_refused(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UnknownName, match="did you mean 'Linf'"):
        hf.AutoAttack(network, "linf")
    with pytest.raises(BadValue, match="custom"):
        hf.AutoAttack(network, attacks_to_run=["square"])
    with pytest.raises(UnknownName, match="square"):
        hf.AutoAttack(network, attacks_to_run=["sqare"], version="custom")
    with pytest.raises(BadValue, match="without attacks_to_run"):
        hf.AutoAttack(network, version="custom").run_standard_evaluation(*labelled)
    with pytest.raises(UnknownName, match="standard"):
        hf.audit(network, *labelled, Linf(0.1), effort="standrad")


def test_the_report_says_all_in_words(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    found = report(network, labelled)
    low, high = found.interval
    assert low < found.robust_accuracy < high
    text = str(found)
    assert "at most" in text
    assert all(name in text for name in SHORT)
    assert found.passes.forwards == sum(stage.forwards for stage in found.stages) / 40
    assert found.seconds > 0


def test_a_stronger_random_search_is_a_doubt(labelled: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stairs(nn.Module):
        """A network whose gradients are those of a flat function, though its answers are not."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = Small().eval()

        def forward(self, images: Tensor) -> Tensor:
            answers = self.inner((images * 8).round() / 8)
            return answers.detach() + 0 * images.flatten(1).sum(1, keepdim=True)

    budget = {name: short(attack) for name, attack in published(Linf(0.1)).items()}
    monkeypatch.setattr(sys.modules["holdfast.auditing.schedule_norms"], "published", lambda threat: budget)
    network = Stairs()
    images = labelled[0]
    labels = network(images).argmax(1).detach()
    found = hf.audit(network, images, labels, Linf(0.1), effort="autoattack")
    names = [doubt.name for doubt in found.doubts]
    assert "black-box beats white-box" in names
    assert "zero gradients" in names
    assert found.doubts[names.index("black-box beats white-box")].figure > 0.002


def test_an_attack_of_ones_own_may_join(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    progress, stages = run_moves(Subject(network, network, *labelled), {"mine": Move(PGD(Linf(0.05), steps=3))})
    assert [stage.name for stage in stages] == ["clean", "mine"]
    assert int((progress.broken_by == 1).sum()) == stages[1].broken


def test_a_warm_move_starts_at_the_best_point(network: nn.Module, labelled: tuple[Tensor, Tensor]) -> None:
    seen: list[Tensor] = []

    @dataclass(frozen=True)
    class Spy(PGD):
        def run(self, model, images, targets, start, stream):  # type: ignore[no-untyped-def]
            seen.append(start)
            return images

    first = PGD(Linf(0.01), steps=3)
    moves = {"first": Move(first), "warm": Move(Spy(Linf(0.01)), warm=True)}
    found, _ = run_moves(Subject(network, network, *labelled), moves)
    with fresh("first"):  # the move's name is in the key of its random numbers
        expected = first(network, *labelled)
    assert torch.allclose(seen[0], expected[found.ledger.shown[2]], atol=1e-6)


class Noisy(nn.Module):
    """A network that answers at random where it is not sure."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :3] + 0.1 * torch.randn(len(images), 3)


def test_a_random_network_is_never_said_to_hold_at_most(
    network: nn.Module, labelled: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    images = torch.rand(100, 1, 2, 2)
    labels = images.flatten(1)[:, :3].argmax(1)
    attack = hf.AutoAttack(Noisy(), eps=0.01, version="custom", attacks_to_run=["apgd-ce"])
    attacked = attack.run_standard_evaluation(images, labels)
    said = capsys.readouterr().out.splitlines()[-1]
    assert "at most" not in said
    share = float(said.partition("accuracy ")[2].partition("%")[0]) / 100
    right = torch.stack([is_correct(Noisy()(attacked), labels).float() for _ in range(100)])
    assert share == pytest.approx(float(right.mean()), abs=0.02)
    hf.AutoAttack(network, version="rand").run_standard_evaluation(labelled[0][:4], labelled[1][:4])
    assert "at most" in capsys.readouterr().out
