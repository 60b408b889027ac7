"""Optimisers: Optax transformations for stacked parameters, one module each.

Leaves under a "layers" key hold all layers of a stack. Whatever an optimiser computes over a whole
leaf (Adafactor's scale and clipping, decay by rank) it has to compute for each layer: `layers.py`.
"""

from t2t.training.optimizers.adafactor import adafactor
from t2t.training.optimizers.adam import adamw, rms_scaled_adamw
from t2t.training.optimizers.averaging import with_ema
from t2t.training.optimizers.lamb import lamb
from t2t.training.optimizers.lion import lion
from t2t.training.optimizers.muon import muon
from t2t.training.optimizers.optimizer import Optimizer
from t2t.training.optimizers.sgd import sgd
from t2t.training.optimizers.weight_decay import WeightDecay

__all__ = [
    "Optimizer",
    "WeightDecay",
    "adafactor",
    "adamw",
    "lamb",
    "lion",
    "muon",
    "rms_scaled_adamw",
    "sgd",
    "with_ema",
]
