"""No positions: attention alone, or causal masks, tell tokens apart."""

import dataclasses

from t2t.models.positions.base import PositionModule, Positions


@dataclasses.dataclass(frozen=True)
class NoPositions(Positions):
    """Nothing is said about where tokens stand."""

    def build(self, **_) -> PositionModule:
        return PositionModule()
