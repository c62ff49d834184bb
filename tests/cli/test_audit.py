"""`holdfast audit` as a person, a script and a crash meet it."""

import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from holdfast import CropFlip, Linf, Report, Run, train
from holdfast.auditing.checks_registry import AFTER, BEFORE
from holdfast.cli import main
from holdfast.cli.audit_request import Audit
from holdfast.cli.kept import put_by
from holdfast.models import build
from holdfast.passes import Passes, counting
from holdfast.storage.files import alone
from holdfast.storage.signed import write_json, write_tensors
from tests.cli.saying import said

HERE = Path(__file__).parents[1] / "auditing"
LINEAR, ROUGH = f"{HERE / 'tiny.py'}:linear", f"{HERE / 'tiny.py'}:rough"
QUICK = ("--effort", "fast", "--threat.eps", "0.05", "--limit", "20")


def result(found: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on the hour or on how the command was typed."""
    stages = [{name: value for name, value in stage.items() if name != "seconds"} for stage in found["stages"]]
    kept = {name: value for name, value in found.items() if name not in ("seconds", "command", "crafted_on", "batch")}
    return kept | {"stages": stages}


def audited(capsys: pytest.CaptureFixture[str], folder: Path, *words: object) -> dict[str, Any]:
    """Return the one JSON object of an audit that went well."""
    status, out, err = said(capsys, "audit", *words, "--folder", folder, "--json")
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert found == json.loads((folder / "report.json").read_text())
    return found


@dataclass(frozen=True)
class Done:
    """An audit that went through, and what it cost."""

    status: int
    out: str
    err: str
    folder: Path
    spent: Passes

    @property
    def found(self) -> dict[str, Any]:
        """What it wrote down."""
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return one audit that many tests look at."""
    folder, out, err = tmp_path_factory.mktemp("audit") / "done", io.StringIO(), io.StringIO()
    with counting() as spent, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["audit", LINEAR, *QUICK, "--folder", str(folder)])
    return Done(status, out.getvalue(), err.getvalue(), folder, spent)


def test_prints_the_verdict_and_writes_page_and_json(done: Done) -> None:
    assert done.status == 0
    assert "robust accuracy at most" in done.out
    assert f"report: {done.folder / 'report.html'}" in done.out
    assert "climb: " in done.err  # plain lines where there is no terminal
    assert {path.name for path in done.folder.iterdir()} == {"report.html", "report.json", "progress"}
    page = (done.folder / "report.html").read_text()
    assert f"at most {100 * done.found['robust_accuracy']:.2f} %" in page
    assert done.found["command"] in page


def test_json_says_everything(done: Done) -> None:
    found, fates = done.found, done.found["broken_by"]
    assert found["count"] == len(fates) == len(found["margin"]) == 20
    assert found["robust_accuracy"] == fates.count(-1) / 20
    assert found["clean_accuracy"] == 1 - fates.count(0) / 20
    low, high = found["interval"]
    assert low < found["robust_accuracy"] < high
    for number, stage in enumerate(found["stages"]):
        assert stage["broken"] == fates.count(number)
        assert stage["accuracy_after"] == pytest.approx(sum(fate < 0 or fate > number for fate in fates) / 20)
    for kind in ("forwards", "backwards"):
        assert found["passes"][kind] == sum(stage[kind] for stage in found["stages"]) / 20
    assert found["threat"] == {"kind": "Linf", "eps": 0.05}
    assert (found["data"], found["seed"], found["effort"]) == ("digits, test", 0, "fast")
    assert [check["name"] for check in found["checks"]] == [kind.name for kind in (*BEFORE, *AFTER)]
    last = found["stages"][-1]
    assert sum(check["passes"] for check in found["checks"]) == last["forwards"] + last["backwards"]
    raised = [check["name"] for check in found["checks"] if check["state"] == "raised"]
    assert raised == [doubt["name"] for doubt in found["doubts"]]
    assert "too few images" in {doubt["name"] for doubt in found["doubts"]}
    assert re.search(r"holdfast .* torch .* Python", found["conditions"]["versions"])
    assert torch.device(found["conditions"]["device"]).type in ("cpu", "cuda")
    assert f"on {found['conditions']['device']}: {found['conditions']['hardware']}" in done.out
    assert found["command"].split()[:3] == ["holdfast", "audit", LINEAR]


def test_require_decides_the_status_to_the_last_image(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    reached = done.found["robust_accuracy"]
    assert 0 < reached < 1
    again = ("audit", LINEAR, *QUICK, "--folder", done.folder, "--resume", "--require")
    assert said(capsys, *again, reached)[0] == 0
    status, out, err = said(capsys, *again, reached + 1 / 20)
    assert status == 3
    assert "6 of 8" in err
    assert "robust accuracy at most" in out
    assert f"lower than the required {reached + 1 / 20:.2%}" in err


def test_images_that_do_not_fit_in_memory_are_audited_alike(
    done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("given", "points"):
        monkeypatch.setattr(f"holdfast.auditing.{module}.IN_MEMORY", 0)
    found = result(audited(capsys, tmp_path, LINEAR, *QUICK))
    assert found.pop("points_on_disk")["images"] > 0
    assert found == {key: value for key, value in result(done.found).items() if key != "points_on_disk"}
    assert {path.suffix for path in (tmp_path / "progress" / "begun").iterdir()} == {".safetensors", ".points"}
    put_by(Audit(folder=tmp_path))
    assert {path.suffix for path in (tmp_path / "progress").iterdir()} == {".safetensors", ".points", ""}
    assert not list((tmp_path / "progress" / "begun").iterdir())


def test_a_gate_that_is_passed_names_what_the_checks_doubt(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    folder, words = str(done.folder), (LINEAR, *QUICK, "--require", "0.01", "--resume")
    status, _, err = said(capsys, "audit", *words, "--folder", folder)
    assert status == 0
    assert "too few images" in err


def test_a_norm_is_named_by_a_long_option_or_by_a_short_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (LINEAR, "--effort", "fast", "--limit", "3", "--threat.eps", "3")
    long = audited(capsys, tmp_path / "long", *words, "--threat.norm", "l0")
    short = audited(capsys, tmp_path / "short", *words, "--norm", "L0")
    assert result(long) == result(short)
    assert long["threat"] == {"kind": "L0", "eps": 3}


def test_a_share_that_a_person_types_is_reached() -> None:
    fate = torch.tensor([-1] * 9 + [1] * 11)
    assert Report(Linf(), "fast", 0, torch.rand(20, 1, 2, 2), fate, ()).robust_accuracy >= 0.45


def test_a_run_is_audited_on_its_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(data="made-up:1x10x10", epochs=1, limit=64, batch=32, augment=CropFlip(pad=0, size=8))
    train(run, tmp_path / "run")
    found = audited(capsys, tmp_path / "audit", tmp_path / "run", *QUICK, "--limit", "6")
    assert found["data"] == "made-up:1x10x10, test"
    weights = tmp_path / "run" / "model.safetensors"
    words = (weights, "--model", "digits-net", "--data", "made-up:1x8x8", *QUICK, "--limit", "6")
    assert audited(capsys, tmp_path / "weights", *words)["weights"] == found["weights"]


@pytest.mark.parametrize("name", ["timm:test_resnet", "torchvision:squeezenet1_1"])
def test_networks_of_libraries_are_audited(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(name.partition(":")[0])
    words = (name, "--data", "made-up:3x32x32", *QUICK[:4], "--limit", "4", "--no-pretrained")
    found = audited(capsys, tmp_path / "a", *words)
    assert found["network"] == name
    torch.manual_seed(9)
    assert result(audited(capsys, tmp_path / "b", *words)) == result(found)


def test_public_weights_are_meant_where_a_library_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    words = ("audit", "torchvision:squeezenet1_1", "--data", "made-up:3x32x32", *QUICK, "--folder", tmp_path / "a")
    status, _, err = said(capsys, *words)
    assert status == 2
    assert "could not get the weights" in err
    made = build("torchvision:squeezenet1_1", (3, 32, 32), 1000)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(made.network.state_dict(), tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    status, _, err = said(capsys, *words)
    assert status == 2
    assert "answers two images with shape (2, 1000), not (2, 10)" in err


def test_an_interruption_is_status_130_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.cli.audit.audit", interrupt)
    status, _, err = said(capsys, "audit", LINEAR, *QUICK, "--folder", tmp_path)
    assert status == 130
    assert "--resume goes on from here" in err


def test_a_killed_audit_goes_on_to_the_same_report(
    done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (LINEAR, *QUICK)
    command = [sys.executable, "-m", "holdfast", "audit", *words, "--folder", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("classes:"):
                child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"progress"}
    with counting() as rest:
        assert result(audited(capsys, tmp_path, *words, "--resume")) == result(done.found)
    names = [stage["name"] for stage in done.found["stages"]]
    through = done.found["stages"][: names.index("classes") + 1]
    assert done.spent.forwards - rest.forwards == sum(stage["forwards"] for stage in through) > 200


def test_an_audit_begins_again_unless_it_is_gone_on_with(
    done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done.folder, tmp_path / "again")
    with counting() as spent:
        assert result(audited(capsys, tmp_path / "again", LINEAR, *QUICK)) == result(done.found)
    assert spent == done.spent


def test_nothing_to_go_on_with_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, "audit", LINEAR, *QUICK, "--limit", "2", "--folder", tmp_path, "--resume")
    assert status == 0
    assert f"nothing of the audit of {LINEAR} is kept in {tmp_path / 'progress'}; it begins\n" in err


def test_an_audit_leaves_what_others_kept_in_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any) -> None:
        images, folder, tell = args[1], args[7], args[8]
        path = folder / f"{len(images):012x}.safetensors"
        tell(0, 1, "resumed: 1 of 2 attacks" if path.exists() else "climb: accuracy 50%")
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.cli.audit.audit", interrupted)
    words = ("audit", LINEAR, *QUICK[:4], "--folder", tmp_path, "--limit")
    for limit in (5, 2, 2):
        assert said(capsys, *words, limit)[0] == 130
    _, _, err = said(capsys, *words, 5, "--resume")
    assert "resumed: 1 of 2 attacks" in err
    assert "nothing of" not in err
    assert f"nothing of the audit of {LINEAR} is kept" in said(capsys, *words, 3, "--resume")[2]


def test_what_a_killed_audit_had_begun_takes_the_place_of_an_older_one_as_a_whole(tmp_path: Path) -> None:
    kept, begun = tmp_path / "progress", tmp_path / "progress" / "begun"
    begun.mkdir(parents=True)
    one, two = "0" * 12, "1" * 12
    for name in (one, two):
        for kind in ("safetensors", "points"):
            (kept / f"{name}.{kind}").write_text("old")
            (begun / f"{name}.{kind}").write_text("new")
    (begun / f"{two}.safetensors").unlink()
    put_by(Audit(folder=tmp_path))
    found = {path.name: path.read_text() for path in kept.iterdir() if path.is_file()}
    assert found == {
        f"{name}.{kind}": text for name, text in ((one, "new"), (two, "old")) for kind in ("safetensors", "points")
    }
    assert not list(begun.iterdir())


def test_files_of_others_in_the_folder_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "thesis.txt").write_text("mine")
    assert said(capsys, "audit", LINEAR, *QUICK, "--limit", "2", "--folder", tmp_path)[0] == 0
    assert (tmp_path / "progress" / "thesis.txt").read_text() == "mine"
    kept = sorted(tmp_path.rglob("*"))
    status, _, err = said(capsys, "audit", LINEAR, *QUICK[:2], "--threat.eps", "inf", "--folder", tmp_path)
    assert status == 2
    assert "Linf(eps=inf)" in err
    assert sorted(tmp_path.rglob("*")) == kept


def test_one_object_is_printed_whatever_the_network_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "from torch import nn\ndef network():\n    print('loaded')\n"
    (tmp_path / "prints.py").write_text(f"{text}    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n")
    words = ("audit", f"{tmp_path / 'prints.py'}:network", *QUICK, "--limit", "2", "--folder", tmp_path, "--json")
    status, out, err = said(capsys, *words)
    assert (status, err) == (0, "loaded\n")
    assert json.loads(out)["count"] == 2


def test_nobody_else_audits_into_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(tmp_path):
        status, _, err = said(capsys, "audit", LINEAR, *QUICK, "--folder", tmp_path)
    assert status == 2
    assert "another process is at work in" in err


def test_two_networks_are_compared_image_by_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("audit", LINEAR, ROUGH, *QUICK, "--limit", "12", "--folder", tmp_path, "--require", 0.5)
    status, out, err = said(capsys, *words)
    assert status == 3  # every network has to reach it
    assert err.count("lower than the required") == 1
    assert out.count("robust accuracy at most") == 2
    assert f"{LINEAR} less {ROUGH}" in out
    found = json.loads((tmp_path / "report.json").read_text())
    first, second = (found[name]["broken_by"] for name in ("first", "second"))
    pairs = [(one == -1, other == -1) for one, other in zip(first, second, strict=True)]
    counted = [found["comparison"][name] for name in ("both", "first_only", "second_only", "neither")]
    assert counted == [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
    assert found["comparison"]["names"] == [LINEAR, ROUGH]
    assert found["comparison"]["difference"] > 0
    assert found["comparison"]["verdict"] in (tmp_path / "report.html").read_text()


def test_a_network_compared_with_itself_is_noise(
    done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done.folder, tmp_path / "again")
    words = ("audit", LINEAR, LINEAR, *QUICK, "--folder", tmp_path / "again", "--resume", "--json")
    status, out, err = said(capsys, *words)
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert "interval contains 0" in found["comparison"]["verdict"]
    assert found["comparison"]["names"] == [f"{LINEAR} (1)", f"{LINEAR} (2)"]


def test_networks_that_see_other_parts_of_the_images_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in (8, 6):
        write_json(tmp_path / str(size) / "run.json", Run(augment=CropFlip(size=size)))
        model = build("digits-net", (1, size, size), 10)
        write_tensors(tmp_path / str(size) / "model.safetensors", model.state_dict())
    status, _, err = said(capsys, "audit", tmp_path / "8", tmp_path / "6", *QUICK, "--folder", tmp_path / "a")
    assert status == 2
    assert "shape (1, 6, 6)" in err


def test_what_was_assumed_of_a_network_is_said_and_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = build("lenet", (1, 8, 8), 10).state_dict()
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("normalized.")}
    write_tensors(tmp_path / "plain.safetensors", kept)
    words = ("audit", tmp_path / "plain.safetensors", "--model", "lenet", "--effort", "fast", "--limit", "4")
    status, _, err = said(capsys, *words, "--folder", tmp_path / "a", "--json")
    assert (status, err.count("\n")) == (0, 1)
    assumed = json.loads((tmp_path / "a" / "report.json").read_text())["assumed"]
    assert err == f"holdfast: {assumed}\n"
    assert "mean 0 and std 1" in assumed
    assert "mean 0 and std 1" in (tmp_path / "a" / "report.html").read_text()
