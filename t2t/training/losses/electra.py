"""ELECTRA's pretraining: a generator and a discriminator, trained together."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.mixtures import Mixture
from t2t.data.objectives.electra import replaced_tokens
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.models.architecture import segments_of
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.electra import Electra
from t2t.models.heads import TokenClasses
from t2t.models.layers import split_key
from t2t.training.feature_converter import default_converter
from t2t.training.losses.cross_entropy import TokenScores
from t2t.training.losses.draws import Draws
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import Term, TrainingLoss


@dataclasses.dataclass(frozen=True)
class ElectraLoss(TrainingLoss):
    """Masked tokens for the generator; for the discriminator, which tokens are not the original.

    Clark et al., "ELECTRA" (arXiv 2003.10555), section 2: the generator's tokens are drawn from its
    distribution, and no gradient flows through them. The terms are "loss", the generator's, and
    "discriminator" over all tokens that are no padding, of which the log also has the share that
    was replaced.

    Attributes:
      discriminator_weight: of the discriminator's term (appendix A).
      temperature: of the generator's distribution when it is drawn from.
      generator: settings of its term.
    """

    discriminator_weight: float = 50.0
    temperature: float = 1.0
    generator: Loss = Loss()  # noqa: RUF009 (frozen)

    draws: ClassVar[bool] = True

    def __post_init__(self):
        for name in ("discriminator_weight", "temperature"):
            if not getattr(self, name) > 0:
                raise UserError(f"ElectraLoss.{name} must be above 0, got {getattr(self, name)}.")

    @property
    def coefficients(self) -> Mapping[str, float]:
        """As in `TrainingLoss`."""
        return {"discriminator": self.discriminator_weight}

    def check(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> None:
        """As in `TrainingLoss`."""
        if not isinstance(model, Electra):
            raise UserError(
                f"ElectraLoss trains a generator and a discriminator together, but the model is "
                f"{type(model).__name__}. Set MODEL = @Electra(), with Electra.generator and "
                f"Electra.discriminator, as models/electra_small.gin does."
            )

    def converter(
        self, model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
    ) -> FeatureConverter:
        """As in `TrainingLoss`."""
        return default_converter(model, task_or_mixture, pack)

    def weights(self, config: ModelConfig, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """As in `TrainingLoss`."""
        real = segments_of(batch, "encoder", config.tokens) > 0
        return {
            **self.generator.weights(config, batch),
            "discriminator": real.astype(jnp.float32),
        }

    def terms(
        self,
        model: Model,
        params: Params,
        batch: Mapping[str, jax.Array],
        key: jax.Array | None,
        mesh: Mesh | None,
    ) -> dict[str, Term]:
        """As in `TrainingLoss`."""
        config = model.config
        assert isinstance(config, Electra)
        generator, discriminator = Model(config.generator), Model(config.discriminator)
        expanded = model.expanded(params)
        generator_key, discriminator_key, sampling_key = split_key(key, 3)

        hidden = generator.bind(expanded["generator"]).hidden(batch, generator_key)
        targets = batch["encoder_target_tokens"]
        uniforms = _uniforms(targets.shape, sampling_key)
        filled_in = self.generator.term(
            generator,
            expanded["generator"],
            hidden,
            batch,
            mesh,
            Draws(uniforms, self.temperature),
        )
        inputs, labels = replaced_tokens(
            targets, batch["encoder_loss_weights"], filled_in.scores.sampled
        )
        logits = discriminator.bind(expanded["discriminator"]).outputs(
            {**batch, "encoder_input_tokens": inputs}, TokenClasses.name, discriminator_key
        )[..., 0]
        weights = self.weights(config, batch)["discriminator"]
        return {"loss": filled_in, "discriminator": _told_apart(logits, labels, weights)}


def _uniforms(shape: tuple[int, ...], key: jax.Array | None) -> jax.Array:
    """Float32 `[rows, length, 2]`; without a key, the same in all rows, whatever their number."""
    rows, length = shape
    if key is not None:
        return jax.random.uniform(key, (rows, length, 2))
    return jnp.broadcast_to(
        jax.random.uniform(jax.random.key(0), (1, length, 2)), (rows, length, 2)
    )


def _told_apart(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> Term:
    """Binary cross-entropy of float32 logits `[rows, length]`, above 0 for "replaced"."""
    replaced = labels.astype(jnp.float32)
    cross_entropy = jax.nn.softplus(logits) - replaced * logits
    correct = ((logits > 0) == (labels > 0)).astype(jnp.float32)
    scores = jax.lax.stop_gradient(TokenScores(cross_entropy, correct))
    return Term(jnp.sum(cross_entropy * weights), scores, weights, {"replaced": replaced})
