"""One file a method of training. To add one: its file, and its import and name here; the shared tests find it."""

from holdfast.methods.agkd_bml import AGKDBML
from holdfast.methods.alp import ALP
from holdfast.methods.at import AT
from holdfast.methods.atda import ATDA
from holdfast.methods.awp import AWP
from holdfast.methods.bank import SavedImages
from holdfast.methods.bilateral import Bilateral
from holdfast.methods.cas import CAS
from holdfast.methods.cat import CAT
from holdfast.methods.cl import CL
from holdfast.methods.denoiser import Denoiser
from holdfast.methods.eat import EAT
from holdfast.methods.eps_sampling import clipped_normal, full, truncated_normal, uniform
from holdfast.methods.free_at import FreeAT
from holdfast.methods.grad_align import GradAlign
from holdfast.methods.guarded import Guarded
from holdfast.methods.kurakin import Kurakin
from holdfast.methods.mart import MART
from holdfast.methods.memory import Borrowed, Memory
from holdfast.methods.method import CraftedMethod, Finished, LossMethod, Method, Origin, Update
from holdfast.methods.mixed_at import MixedAT
from holdfast.methods.n_fgsm import NFGSM
from holdfast.methods.nrp import NRP
from holdfast.methods.pix2pix import Pix2Pix
from holdfast.methods.pool import Pool
from holdfast.methods.sim_adv import SIMAdv
from holdfast.methods.sml import SML
from holdfast.methods.standard import Standard
from holdfast.methods.static_at import StaticAT
from holdfast.methods.trades import TRADES
from holdfast.methods.unified_embedding import UnifiedEmbedding

__all__ = [
    "AGKDBML",
    "ALP",
    "AT",
    "ATDA",
    "AWP",
    "CAS",
    "CAT",
    "CL",
    "EAT",
    "MART",
    "NFGSM",
    "NRP",
    "SML",
    "TRADES",
    "Bilateral",
    "Borrowed",
    "CraftedMethod",
    "Denoiser",
    "Finished",
    "FreeAT",
    "GradAlign",
    "Guarded",
    "Kurakin",
    "LossMethod",
    "Memory",
    "Method",
    "MixedAT",
    "Origin",
    "Pix2Pix",
    "Pool",
    "SIMAdv",
    "SavedImages",
    "Standard",
    "StaticAT",
    "UnifiedEmbedding",
    "Update",
    "clipped_normal",
    "full",
    "truncated_normal",
    "uniform",
]
