"""Where tokens stand: added to embeddings, added to attention scores, or rotating them.

Specifications are frozen dataclasses, `Positions`; they build a `PositionModule`.
"""

from t2t.models.positions.alibi import ALiBi, alibi_slopes
from t2t.models.positions.base import PositionModule, Positions, TableInit
from t2t.models.positions.learned import LearnedPositions, TwoDimensionalPositions
from t2t.models.positions.none import NoPositions
from t2t.models.positions.relative import (
    RelativeBias,
    RelativePositionBias,
    relative_position_bucket,
)
from t2t.models.positions.rope import RoPE
from t2t.models.positions.rope_scaling import (
    LinearScaling,
    Llama3Scaling,
    RotaryScaling,
    YarnScaling,
)
from t2t.models.positions.sinusoidal import SinusoidalPositions

__all__ = [
    "ALiBi",
    "LearnedPositions",
    "LinearScaling",
    "Llama3Scaling",
    "NoPositions",
    "PositionModule",
    "Positions",
    "RelativeBias",
    "RelativePositionBias",
    "RoPE",
    "RotaryScaling",
    "SinusoidalPositions",
    "TableInit",
    "TwoDimensionalPositions",
    "YarnScaling",
    "alibi_slopes",
    "relative_position_bucket",
]
