"""Cross-entropy over classes: of rows, of pairs, of the places where an answer may begin."""

import jax
import jax.numpy as jnp

from t2t.training.losses.cross_entropy import TokenScores
from t2t.training.losses.token_loss import TokenLoss
from t2t.training.losses.training_loss import Term


def classification_term(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> Term:
    """The term of float32 logits `[rows, items, classes]`.

    Args:
      logits: of the classes.
      labels: int `[rows, items]`.
      weights: float32 `[rows, items]`.
    """
    cross_entropy = TokenLoss()(logits, labels)
    correct = (jnp.argmax(logits, -1) == labels).astype(jnp.float32)
    scores = jax.lax.stop_gradient(TokenScores(cross_entropy, correct))
    return Term(jnp.sum(cross_entropy * weights), scores, weights)
