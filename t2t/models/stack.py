"""The settings of an encoder or a decoder."""

import dataclasses

import jax

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import at_least_one
from t2t.models.embedding import Embedding
from t2t.models.feed_forward import FeedForward
from t2t.models.norms import Norm, RMSNorm
from t2t.models.positions import (
    ALiBi,
    NoPositions,
    PositionModule,
    Positions,
    RelativeBias,
    RoPE,
)
from t2t.models.residual import Placement, PreNorm
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class Stack:
    """An encoder, or a decoder.

    Attributes:
      num_layers: how often a layer is applied.
      d_model: width of the residual stream.
      attention: of the stack to itself.
      feed_forward: of each layer.
      norm: every norm of the layers, and the final one.
      positions: where tokens stand.
      placement: of norms around residual branches.
      cross_attention: to the encoder, in the decoder of an encoder-decoder.
      merged_attention: instead of cross-attention, own tokens and the encoder's in one softmax,
        through the projections of self-attention (T5Gemma 2, https://arxiv.org/abs/2512.14856).
      embedding: before the first layer.
      final_norm: after the last layer.
      window: local layers see keys less than this far away; a pair is for keys before and after
        the query.
      local_layers: which layers do, as a pattern that repeats.
      local_positions: of local layers, where they rotate otherwise than the rest (Gemma 3).
      num_groups: sets of parameters, each for a run of neighbouring layers (ALBERT has 1); None
        for one per layer.
    """

    num_layers: int
    d_model: int
    attention: Attention
    feed_forward: FeedForward
    norm: Norm = RMSNorm()  # noqa: RUF009 (frozen)
    positions: Positions = NoPositions()  # noqa: RUF009
    placement: Placement = PreNorm()  # noqa: RUF009
    cross_attention: Attention | None = None
    merged_attention: bool = False
    embedding: Embedding = Embedding()  # noqa: RUF009
    final_norm: bool = True
    window: int | tuple[int, int] | None = None
    local_layers: tuple[bool, ...] = (True,)
    local_positions: Positions | None = None
    num_groups: int | None = None

    def __post_init__(self):
        at_least_one(self, "num_layers", "d_model", "num_groups")
        if self.num_groups is not None and self.num_layers % self.num_groups:
            raise UserError(
                f"Stack.num_layers = {self.num_layers} is not a multiple of Stack.num_groups = "
                f"{self.num_groups}."
            )
        if self.window is not None:
            sides = self.window if isinstance(self.window, tuple) else (self.window,) * 2
            if len(sides) != 2 or min(sides) < 1:
                raise UserError(
                    f"Stack.window must be at least 1, or a pair of such numbers, got "
                    f"{self.window}."
                )
        if not self.local_layers:
            raise UserError("Stack.local_layers is empty; (True,) makes every layer local.")
        if self.window is None and (self.local_positions or self.local_layers != (True,)):
            raise UserError(
                "Stack.local_layers and Stack.local_positions are for layers that see a window, "
                "but Stack.window is None."
            )
        if self.local_positions:
            self._check_local_positions(self.local_positions)
        if self.merged_attention and isinstance(self.positions, RelativeBias | ALiBi):
            raise UserError(
                f"Stack.positions = {type(self.positions).__name__} gives own tokens a bias, but "
                f"with Stack.merged_attention the encoder's are in the same softmax and have "
                f"none; set Stack.positions = RoPE(), or Stack.cross_attention instead."
            )
        if self.merged_attention and self.cross_attention:
            raise UserError(
                "Stack.merged_attention takes the place of Stack.cross_attention; set one of them."
            )

    def _check_local_positions(self, positions: Positions) -> None:
        if not isinstance(positions, RoPE | NoPositions):
            raise UserError(
                f"Stack.local_positions = {type(positions).__name__} would have no effect: local "
                f"layers may rotate otherwise (RoPE) or not at all (NoPositions)."
            )
        if all(self.local_layers):
            raise UserError(
                "Stack.local_positions are for local layers beside others, but Stack.local_layers "
                "makes every layer local; set Stack.positions instead."
            )

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the residual branches of a layer, in order."""
        cross = ("cross_attention",) if self.cross_attention else ()
        return ("self_attention", *cross, "mlp")

    @property
    def embedding_size(self) -> int:
        return self.embedding.size or self.d_model

    @property
    def attends_to_encoder(self) -> bool:
        return self.merged_attention or self.cross_attention is not None

    def build_positions(
        self, positions: Positions, shared: Shared, causal: bool, key: jax.Array
    ) -> PositionModule:
        return positions.build(
            d_model=self.embedding_size,
            num_heads=self.attention.num_heads,
            head_dim=self.attention.head_dim,
            causal=causal,
            key=key,
            init=shared.init,
        )
