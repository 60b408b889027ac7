"""Where tokens stand: added to embeddings, added to attention scores, or rotating them.

Specifications are frozen dataclasses, `Positions`; they build a `PositionModule`.
"""

from t2t.models.positions.base import PositionModule, Positions, TableInit
from t2t.models.positions.none import NoPositions
from t2t.models.positions.relative import (
    RelativeBias,
    RelativePositionBias,
    relative_position_bucket,
)

__all__ = [
    "NoPositions",
    "PositionModule",
    "Positions",
    "RelativeBias",
    "RelativePositionBias",
    "TableInit",
    "relative_position_bucket",
]
