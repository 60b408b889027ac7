"""Loss of one token from the logits over the vocabulary."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class TokenLoss:
    """Cross-entropy per token.

    Attributes:
      label_smoothing: probability mass spread over the wrong tokens.
      z_loss: coefficient of log(Z) ** 2, which keeps logits from drifting; T5 1.1 uses 1e-4.
      max_logits_bytes: float32 logits of one device that may exist at once; where a batch has more,
        they are computed in chunks (`t2t.training.losses.cross_entropy`), with the same result.
    """

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    max_logits_bytes: int = 2**29

    def __post_init__(self):
        if not 0 <= self.label_smoothing < 1 or self.z_loss < 0:
            raise UserError(
                f"Loss needs 0 <= label_smoothing < 1 and z_loss >= 0, got "
                f"{self.label_smoothing} and {self.z_loss}."
            )
        if self.max_logits_bytes < 1:
            raise UserError(f"Loss needs max_logits_bytes >= 1, got {self.max_logits_bytes}.")

    @property
    def is_plain(self) -> bool:
        """Whether this is cross-entropy and nothing else."""
        return self.label_smoothing == 0 and self.z_loss == 0

    def __call__(self, logits: jax.Array, targets: jax.Array) -> jax.Array:
        """Loss per token.

        Args:
          logits: float32 `[batch, length, vocab]`.
          targets: int `[batch, length]`.

        Returns:
          float32 `[batch, length]`, in nats. With label smoothing, shifted so that a perfect
          prediction of the smoothed distribution scores 0, as in T5X.
        """
        log_z = jax.nn.logsumexp(logits, axis=-1)
        picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        loss = log_z - picked
        if self.label_smoothing:
            vocab = logits.shape[-1]
            low = self.label_smoothing / (vocab - 1)
            high = 1.0 - self.label_smoothing
            every = vocab * log_z - jnp.sum(logits, axis=-1)
            entropy = -(high * jnp.log(high) + (vocab - 1) * low * jnp.log(low + 1e-20))
            loss = (high - low) * loss + low * every - entropy
        return loss + self.z_loss * jnp.square(log_z)
