"""One file an attack. To add one: write its file, add its import and its name here; the shared tests find it."""

from holdfast.attacks.alma import ALMA
from holdfast.attacks.apgd import APGD
from holdfast.attacks.apgd_t import APGDT
from holdfast.attacks.attack import Attack
from holdfast.attacks.bim import BIM
from holdfast.attacks.cw import CW
from holdfast.attacks.cw_l2 import CWL2
from holdfast.attacks.ddn import DDN
from holdfast.attacks.deepfool import DeepFool
from holdfast.attacks.deepfool_cl import DeepFoolCL
from holdfast.attacks.fab import FAB, FABT
from holdfast.attacks.feature_distortion import FeatureDistortion
from holdfast.attacks.feature_scattering import FeatureScattering
from holdfast.attacks.fgsm import FGSM
from holdfast.attacks.fmn import FMN
from holdfast.attacks.iter_ll import IterLL
from holdfast.attacks.jsma import JSMA
from holdfast.attacks.mim import MIM
from holdfast.attacks.multi_targeted import MultiTargeted
from holdfast.attacks.noise import GaussianNoise, RandomSign, UniformNoise
from holdfast.attacks.odi import ODI
from holdfast.attacks.one_pixel import OnePixel
from holdfast.attacks.pdgd import PDGD
from holdfast.attacks.pdpgd import PDPGD
from holdfast.attacks.pgd import PGD
from holdfast.attacks.rays import RayS
from holdfast.attacks.rfgsm import RFGSM
from holdfast.attacks.sigma_zero import SigmaZero
from holdfast.attacks.spsa import SPSA
from holdfast.attacks.square import Square
from holdfast.attacks.step_ll import StepLL
from holdfast.attacks.super_deepfool import SuperDeepFool

__all__ = [
    "ALMA",
    "APGD",
    "APGDT",
    "BIM",
    "CW",
    "CWL2",
    "DDN",
    "FAB",
    "FABT",
    "FGSM",
    "FMN",
    "JSMA",
    "MIM",
    "ODI",
    "PDGD",
    "PDPGD",
    "PGD",
    "RFGSM",
    "SPSA",
    "Attack",
    "DeepFool",
    "DeepFoolCL",
    "FeatureDistortion",
    "FeatureScattering",
    "GaussianNoise",
    "IterLL",
    "MultiTargeted",
    "OnePixel",
    "RandomSign",
    "RayS",
    "SigmaZero",
    "Square",
    "StepLL",
    "SuperDeepFool",
    "UniformNoise",
]
