"""One file an attack. To add one: write its file, add its line here; the shared tests find it by themselves."""

from holdfast.attacks.apgd import APGD
from holdfast.attacks.apgd_t import APGDT
from holdfast.attacks.attack import Attack
from holdfast.attacks.bim import BIM
from holdfast.attacks.cw import CW
from holdfast.attacks.deepfool import DeepFool
from holdfast.attacks.deepfool_cl import DeepFoolCL
from holdfast.attacks.fab import FAB, FABT
from holdfast.attacks.fgsm import FGSM
from holdfast.attacks.iter_ll import IterLL
from holdfast.attacks.mim import MIM
from holdfast.attacks.noise import GaussianNoise, RandomSign, UniformNoise
from holdfast.attacks.pgd import PGD
from holdfast.attacks.rfgsm import RFGSM
from holdfast.attacks.square import Square
from holdfast.attacks.step_ll import StepLL

__all__ = [
    "APGD",
    "APGDT",
    "BIM",
    "CW",
    "FAB",
    "FABT",
    "FGSM",
    "MIM",
    "PGD",
    "RFGSM",
    "Attack",
    "DeepFool",
    "DeepFoolCL",
    "GaussianNoise",
    "IterLL",
    "RandomSign",
    "Square",
    "StepLL",
    "UniformNoise",
]
