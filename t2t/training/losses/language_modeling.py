"""The loss of language models, also masked ones, and of text-to-text models."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.mixtures import Mixture
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.electra import Electra
from t2t.training.feature_converter import default_converter
from t2t.training.losses.cross_entropy import summed_cross_entropy
from t2t.training.losses.draws import Draws
from t2t.training.losses.predicted_positions import summed_where_predicted
from t2t.training.losses.token_loss import TokenLoss
from t2t.training.losses.training_loss import Term, TrainingLoss


@dataclasses.dataclass(frozen=True)
class Loss(TokenLoss, TrainingLoss):
    """Tokens are predicted through the model's LMHead; see `TokenLoss` for the settings."""

    def check(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> None:
        """As in `TrainingLoss`."""
        if isinstance(model, Electra):
            raise UserError("Electra is trained by a loss of its own: train.loss = @ElectraLoss().")
        if model.head is None:
            raise UserError(
                "train.loss = @Loss() predicts tokens, but EncoderOnly.heads has no LMHead. Add "
                "one for pretraining, EncoderOnly.heads = (@LMHead(), ...); other heads have "
                "losses of their own."
            )

    def converter(
        self, model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
    ) -> FeatureConverter:
        """As in `TrainingLoss`."""
        return default_converter(model, task_or_mixture, pack)

    def weights(self, config: ModelConfig, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """As in `TrainingLoss`."""
        return {"loss": batch[f"{config.loss_side}_loss_weights"].astype(jnp.float32)}

    def terms(
        self,
        model: Model,
        params: Params,
        batch: Mapping[str, jax.Array],
        key: jax.Array | None,
        mesh: Mesh | None,
    ) -> dict[str, Term]:
        """As in `TrainingLoss`."""
        hidden = model.bind(params).hidden(batch, key)
        return {"loss": self.term(model, params, hidden, batch, mesh)}

    def term(
        self,
        model: Model,
        params: Params,
        hidden: jax.Array,
        batch: Mapping[str, jax.Array],
        mesh: Mesh | None,
        draws: Draws | None = None,
    ) -> Term:
        """The term of target tokens, from what the layers gave: `[rows, length, d_model]`."""
        targets = batch[f"{model.config.loss_side}_target_tokens"]
        weights = self.weights(model.config, batch)["loss"]
        head = {name: params[name] for name in model.head_names}
        masked = model.config.loss_side == "encoder"
        summed = summed_where_predicted if masked else summed_cross_entropy
        total, scores = summed(model.project, self, head, hidden, targets, weights, mesh, draws)
        return Term(total, scores, weights)
