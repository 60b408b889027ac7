"""The shape of a T5: every number that decides which parameters a model has."""

import dataclasses

from t2t.errors import UserError, did_you_mean

ACTIVATIONS = ("relu", "gelu", "silu", "linear")
REMAT_POLICIES = ("none", "minimal", "full")


@dataclasses.dataclass(frozen=True)
class T5Config:
    """T5 1.0 (https://arxiv.org/abs/1910.10683) and 1.1 (https://arxiv.org/abs/2002.05202).

    T5 1.0 has `mlp_activations=("relu",)` and `tie_embeddings=True`; 1.1 has the gated
    `("gelu", "linear")` and a separate output matrix.
    """

    vocab_size: int  # rows of the embedding table; at least the vocabulary's size
    d_model: int
    d_ff: int  # hidden units of the feed-forward layers, per activation
    num_heads: int
    head_dim: int
    num_encoder_layers: int
    num_decoder_layers: int
    mlp_activations: tuple[str, ...] = ("gelu", "linear")  # multiplied together if several
    tie_embeddings: bool = False  # logits from the embedding table, scaled by d_model ** -0.5
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.0
    layer_norm_epsilon: float = 1e-6
    dtype: str = "float32"  # of activations and matrix products; parameters are float32
    remat: str = "none"  # what the backward pass recomputes: nothing, all but matmuls, all

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type in ("int", int) and value < 1:
                raise UserError(f"T5Config.{field.name} must be at least 1, got {value}.")
        for name in self.mlp_activations:
            self._one_of("mlp_activations", name, ACTIVATIONS)
        self._one_of("remat", self.remat, REMAT_POLICIES)
        self._one_of("dtype", self.dtype, ("float32", "bfloat16"))
        if not 0 <= self.dropout_rate < 1:
            raise UserError(f"T5Config.dropout_rate must be in [0, 1), got {self.dropout_rate}.")
        if self.relative_attention_num_buckets % 4:
            raise UserError(
                "T5Config.relative_attention_num_buckets must be a multiple of 4 (two directions, "
                f"each half exact), got {self.relative_attention_num_buckets}."
            )

    @staticmethod
    def _one_of(field: str, value: str, valid: tuple[str, ...]) -> None:
        if value not in valid:
            raise UserError(
                f"T5Config.{field}: '{value}' is none of {', '.join(valid)}."
                + did_you_mean(value, valid)
            )
