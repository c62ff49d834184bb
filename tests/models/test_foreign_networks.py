"""Networks in the files of public sources, name by name: they answer as the sources' own forward passes do.

The sources, with the names, nesting, prefixes and number formats of their files:

1. TRADES, `model_cifar_wrn.pt`: bare, with the unused copy `sub_block1`.
2. AWP and robust overfitting, `model_best.pth`: `state_dict` beside floats, `module.`.
3. RST, `cifar10_rst_adv.pt.ckpt`: `state_dict`, `num_classes`, `normalize_input`; statistics `0.mean`, `0.std`.
4. Feature scattering, `checkpoint-199-ipot`: `net`, `module.basic_net.`, for [-1, 1].
5. DM-Improves-AT and HAT: `model_state_dict` (averaged) and `unaveraged_model_state_dict`, `module.0.`, SiLU.
6. DeepMind (Gowal 2020, Rebuffi 2021), bare: wide ResNets and PreAct-18 with 3x3 shortcuts.
7. Fast-AT, `cifar_model_weights_30_epochs.pth`: bare, PreAct-18 with raw shortcuts, half precision.
8. Robust overfitting on CIFAR-100: PreAct-18 with activated shortcuts, `module.`.
9. Andriushchenko 2020: `last` and `best`, PreAct-18 without a last batch norm.
10. MadryLab/robustness, `cifar_linf_8.pt`: legacy, written with dill, every weight twice, statistics in buffers.
11. Huang 2021 (free widths) and 12. Huang 2022 (`mu`, `sigma`, SiLU).
13. Zagoruyko's functional code: `params`, `epoch`, `optimizer`, convolutions without `.weight`.
14. bmsookim/wide-resnet.pytorch: the whole network in `net`, legacy, biases, strides on the second convolution.
15. Pang 2020: directions compared. 16. Bag of tricks for AT: Softplus.
17. DKL: averaged weights with averaged counts of batches.
18. Fast-AT on MNIST (`fgsm.pth`) and 19. Wong and Kolter's cascades (`models_scaled`): nn.Sequential, legacy.
20. huyvnphan/PyTorch_CIFAR10: torchvision's names on small images.
21. timm's training files: `state_dict_ema`, `args` (a Namespace).
"""

import argparse
import sys
import types
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import HoldfastError
from holdfast.models import Undecided, build, load
from tests.models import public_forms as forms
from tests.models.public_forms import CLASSES, IMAGES, State

COLOUR = (3, 8, 8)
C10 = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))


def under(prefix: str, state: State) -> State:
    return OrderedDict((f"{prefix}{name}", tensor) for name, tensor in state.items())


def less(images: Tensor, statistics: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in statistics)
    return (images - mean) / std


def check(path: Path, name: str, wanted: Tensor, **options: Any) -> None:
    model = load(path, name, options.pop("shape", COLOUR), CLASSES, **options)
    torch.testing.assert_close(model(options.get("images", IMAGES)), wanted, rtol=1e-3, atol=1e-4)


def test_trades(tmp_path: Path) -> None:
    state = forms.TRADES.state()
    copied = state | {f"sub_{name}": tensor + 1 for name, tensor in state.items() if name.startswith("block1")}
    torch.save(copied, tmp_path / "model_cifar_wrn.pt")
    wanted = forms.TRADES(state, IMAGES)
    check(tmp_path / "model_cifar_wrn.pt", "wrn-10-1", wanted, normalize="none", activation="relu")
    check(tmp_path / "model_cifar_wrn.pt", "wrn", wanted, normalize="none", activation="relu")


def test_awp_and_robust_overfitting(tmp_path: Path) -> None:
    state = forms.TRADES.state()
    torch.save({"state_dict": under("module.", state), "test_robust_acc": 0.5}, tmp_path / "model_best.pth")
    wanted = forms.TRADES(state, less(IMAGES, C10))
    check(tmp_path / "model_best.pth", "wrn-10-1", wanted, normalize="cifar10", activation="relu")


def test_robust_self_training(tmp_path: Path) -> None:
    state, given = forms.TRADES.state(), ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    held = {"module.0.mean": torch.tensor(given[0]), "module.0.std": torch.tensor(given[1])}
    saved = {"num_classes": CLASSES, "state_dict": held | under("module.1.", state), "normalize_input": True}
    torch.save(saved, tmp_path / "cifar10_rst_adv.pt.ckpt")
    check(tmp_path / "cifar10_rst_adv.pt.ckpt", "wrn-10-1", forms.TRADES(state, less(IMAGES, given)), activation="relu")


def test_feature_scattering(tmp_path: Path) -> None:
    state = forms.TRADES.state()
    torch.save({"net": under("module.basic_net.", state)}, tmp_path / "checkpoint-199-ipot")
    wanted = forms.TRADES(state, 2 * IMAGES - 1)
    check(tmp_path / "checkpoint-199-ipot", "wrn-10-1", wanted, normalize="symmetric", activation="relu")


def test_averaged_weights_of_dm_improves_at(tmp_path: Path) -> None:
    state, path = forms.DEEPMIND.state(), tmp_path / "cifar10_linf_wrn28-10.pt"
    raw = {name: tensor * 2 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    names = ("model_state_dict", "unaveraged_model_state_dict")
    torch.save(dict(zip(names, (under("module.0.", each) for each in (state, raw)), strict=True)), path)
    images = less(IMAGES, C10)
    check(path, "wrn-10-1", forms.DEEPMIND(state, images), normalize="cifar10")
    check(path, "wrn-10-1", forms.DEEPMIND(raw, images), normalize="cifar10", key="unaveraged_model_state_dict")


def test_deepmind(tmp_path: Path) -> None:
    for form, name in ((forms.DEEPMIND, "wrn-10-1"), (forms.PreAct(True, "batchnorm", True), "preact-resnet-18")):
        state = form.state()
        torch.save(state, tmp_path / f"{name}.pt")
        check(tmp_path / f"{name}.pt", name, form(state, less(IMAGES, C10)), normalize="cifar10")


def test_fast_at(tmp_path: Path) -> None:
    form, path = forms.PreAct(raw=True), tmp_path / "cifar_model_weights_30_epochs.pth"
    halves = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in form.state().items()}
    torch.save(halves, path)
    wanted = form({name: tensor.float() for name, tensor in halves.items()}, less(IMAGES, C10))
    check(path, "preact-resnet-18", wanted, normalize="cifar10", shortcut="raw")


def test_robust_overfitting_of_a_preactivation_resnet(tmp_path: Path) -> None:
    form, path = forms.PreAct(raw=False), tmp_path / "model_best.pth"
    state = form.state()
    torch.save({"state_dict": under("module.", state), "test_acc": 0.5}, path)
    given = ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))
    wanted = form(state, less(IMAGES, given))
    check(path, "preact-resnet-18", wanted, normalize="cifar100", shortcut="activated")


def test_understanding_fast_at(tmp_path: Path) -> None:
    form, path = forms.PreAct(raw=True, tail=""), tmp_path / "Andriushchenko2020Understanding.pt"
    state = form.state()
    best = {name: tensor * 2 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    torch.save({"last": state, "best": best}, path)
    check(path, "preact-resnet-18", form(state, IMAGES), normalize="none", shortcut="raw")


def test_madry_s_robustness_written_with_dill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form, path, given = forms.Residual(bottlenecks=True), tmp_path / "cifar_linf_8.pt", C10
    state = form.state()
    saved: State = {}
    for where in ("module.", "module.attacker."):
        saved |= under(f"{where}model.", state)
        for word, values in zip(("new_mean", "new_std"), given, strict=True):
            saved[f"{where}normalizer.{word}"] = torch.tensor(values)[:, None, None]
    dill = types.ModuleType("dill._dill")
    code = type("_create_code", (), {"__module__": "dill._dill", "__qualname__": "_create_code"})
    dill._create_code = code
    monkeypatch.setitem(sys.modules, "dill", types.ModuleType("dill"))
    monkeypatch.setitem(sys.modules, "dill._dill", dill)
    whole = {"model": saved, "epoch": 150, "schedule": code(), "adv_prec1": np.float64(0.5), "amp": None}
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    monkeypatch.delitem(sys.modules, "dill._dill")
    monkeypatch.delitem(sys.modules, "dill")
    check(path, "resnet-50", form(state, less(IMAGES, given)))


@pytest.mark.parametrize("year", [2021, 2022])
def test_huang(year: int, tmp_path: Path) -> None:
    form = {2021: forms.HUANG_2021, 2022: forms.HUANG_2022}[year]
    state, path = form.state(), tmp_path / "huang.pt"
    held = {"mu": torch.tensor(C10[0])[:, None, None], "sigma": torch.tensor(C10[1])[:, None, None]}
    torch.save(state if year == 2021 else held | state, path)
    options = {"normalize": "none"} if year == 2021 else {}
    check(path, "wrn", form(state, IMAGES if year == 2021 else less(IMAGES, C10)), **options)


def test_zagoruyko(tmp_path: Path) -> None:
    state, path = forms.ZAGORUYKO.state(), tmp_path / "model.pt7"
    uncounted = {name: tensor for name, tensor in state.items() if "tracked" not in name}
    torch.save({"params": uncounted, "epoch": 199, "optimizer": {"state": {}, "param_groups": []}}, path)
    check(path, "wrn-10-1", forms.ZAGORUYKO(state, IMAGES), normalize="none")


def whole_network(state: State) -> nn.Module:
    """Return modules of torch, nested as the names say, that hold these tensors."""
    root = nn.Module()
    for name, tensor in state.items():
        *path, leaf = name.split(".")
        part = root
        for word in path:
            if word not in part._modules:
                part.add_module(word, nn.Module())
            part = part.get_submodule(word)
        buffer = leaf.startswith(("running", "num"))
        part.register_buffer(leaf, tensor) if buffer else part.register_parameter(leaf, nn.Parameter(tensor))
    return root


def test_bmsookim_s_whole_network(tmp_path: Path) -> None:
    state, path = forms.LEE.state(), tmp_path / "wide-resnet-10x2.t7"
    saved = {"net": nn.DataParallel(whole_network(state)), "acc": 95.0, "epoch": 199}
    torch.save(saved, path, _use_new_zipfile_serialization=False)
    check(path, "wrn-10-2", forms.LEE(state, IMAGES), normalize="none")


def test_directions_are_compared_and_softplus_is_told(tmp_path: Path) -> None:
    for form, word in ((forms.PANG, "relu"), (forms.SOFTPLUS, "softplus")):
        state = form.state()
        torch.save(under("module.", state), tmp_path / f"{word}.pt")
        check(tmp_path / f"{word}.pt", "wrn-10-1", form(state, IMAGES), normalize="none", activation=word)


def test_averaged_counts_of_batches_are_left_out(tmp_path: Path) -> None:
    state, path = forms.TRADES.state(), tmp_path / "swa.pt"
    averaged = {name: tensor + 0.5 if "tracked" in name else tensor for name, tensor in state.items()}
    torch.save(under("module.", averaged), path)
    check(path, "wrn-10-1", forms.TRADES(state, IMAGES), normalize="none", activation="relu")


def test_fast_at_on_mnist_and_a_cascade(tmp_path: Path) -> None:
    grey, first, second = (forms.wong_kolter_state(channels) for channels in (1, 3, 3))
    torch.save(OrderedDict(grey), tmp_path / "fgsm.pth", _use_new_zipfile_serialization=False)
    model = load(tmp_path / "fgsm.pth", "wong-kolter", (1, 8, 8), CLASSES, normalize="none")
    torch.testing.assert_close(model(IMAGES[:, :1]), forms.wong_kolter(grey, IMAGES[:, :1]), rtol=1e-4, atol=1e-5)
    second = {name: tensor * 0.5 for name, tensor in second.items()}
    cascade = {"state_dict": [first, second], "err": 0.7, "epoch": 20, "sampler_indices": [[0], [1]]}
    torch.save(cascade, tmp_path / "cascade.pth", _use_new_zipfile_serialization=False)
    given = ((0.485, 0.456, 0.406), (0.225,) * 3)
    wanted = forms.wong_kolter(second, less(IMAGES, given))
    check(tmp_path / "cascade.pth", "wong-kolter", wanted, key="state_dict.1", normalize="wong-kolter")


def test_torchvision_s_names_on_small_images(tmp_path: Path) -> None:
    for pooled, stem in ((False, "plain"), (True, "pooled")):
        form = forms.Residual(False, "downsample", "fc", pooled)
        state = form.state()
        torch.save(state, tmp_path / "resnet18.pt")
        check(tmp_path / "resnet18.pt", "resnet-18", form(state, IMAGES), normalize="none", stem=stem)


def test_timm_s_training_files(tmp_path: Path) -> None:
    def net() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES))

    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4))\n"
    )
    first, averaged = net(), net()
    saved: dict[str, Any] = {
        "state_dict": first.state_dict(),
        "state_dict_ema": under("module.", averaged.state_dict()),
    }
    saved |= {
        "args": argparse.Namespace(lr=0.1),
        "extra": defaultdict(list),
        "path": Path("x"),
        "metric": np.float64(0.5),
    }
    torch.save(saved, tmp_path / "model_best.pth.tar")
    check(tmp_path / "model_best.pth.tar", f"{tmp_path / 'net.py'}:net", averaged(IMAGES))


def test_what_a_file_leaves_open_is_listed(tmp_path: Path) -> None:
    torch.save(forms.TRADES.state(), tmp_path / "wrn.pt")
    with pytest.raises(
        Undecided, match=r"activation \(relu \| silu \| softplus\) and normalize \(none \| cifar10 "
    ) as found:
        load(tmp_path / "wrn.pt", "wrn-10-1", COLOUR, CLASSES)
    assert {"activation": "relu", "normalize": "none"} in found.value.choices
    torch.save(forms.PreAct(raw=True).state(), tmp_path / "preact.pt")
    with pytest.raises(Undecided, match=r"shortcut \(activated \| raw\)"):
        load(tmp_path / "preact.pt", "preact-resnet-18", COLOUR, CLASSES, normalize="none")


@pytest.mark.parametrize("missing", ["layer.1", "batchnorm.", "layer.1.block.0.shortcut", "logits.bias"])
def test_a_network_that_is_not_whole_is_refused_in_one_line(missing: str, tmp_path: Path) -> None:
    state = forms.DEEPMIND.state()
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith(missing)}, tmp_path / "net.pt")
    with pytest.raises(HoldfastError, match=r"it lacks '|not wrn-10-1") as found:
        load(tmp_path / "net.pt", "wrn-10-1", COLOUR, CLASSES, normalize="none")
    assert "\n" not in str(found.value)


def test_own_networks_come_back_whatever_wraps_them(tmp_path: Path) -> None:
    model = build("digits-net", (1, 8, 8), CLASSES).eval()
    torch.save({"epoch": 3, "model": under("_orig_mod.", model.state_dict())}, tmp_path / "net.pth")
    again = load(tmp_path / "net.pth", "digits-net", (1, 8, 8), CLASSES)
    assert torch.equal(again(IMAGES[:, :1]), model(IMAGES[:, :1]))
