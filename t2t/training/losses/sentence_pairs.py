"""Pretraining on pairs of sentences: masked tokens, and a question about the pair."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.data.converters import FeatureConverter
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.models.architecture import segments_of
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import SequenceClasses
from t2t.models.layers import split_key
from t2t.training.feature_converter import default_converter
from t2t.training.losses.classification_term import classification_term
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import Term, TrainingLoss

_LABEL = "sentence_label"


@dataclasses.dataclass(frozen=True)
class SentencePairLoss(TrainingLoss):
    """Masked tokens through the LMHead, and "sentence_label" through two SequenceClasses.

    BERT asks whether one segment follows the other (arXiv 1810.04805, section 3.1), ALBERT for
    their order (arXiv 1909.11942, section 3.1). The terms are "loss", of masked tokens, and
    "sentence", one item per row. A row holds one pair, whatever `train.pack` is.

    Attributes:
      weight: of the term "sentence".
      masked_lm: settings of the term of masked tokens.
    """

    weight: float = 1.0
    masked_lm: Loss = Loss()  # noqa: RUF009 (frozen)

    def __post_init__(self):
        if not self.weight > 0:
            raise UserError(f"SentencePairLoss.weight must be above 0, got {self.weight}.")

    @property
    def coefficients(self) -> Mapping[str, float]:
        """As in `TrainingLoss`."""
        return {"sentence": self.weight}

    def check(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> None:
        """As in `TrainingLoss`."""
        if not isinstance(model, EncoderOnly):
            raise UserError(
                f"SentencePairLoss pretrains an EncoderOnly, such as BERT; the model is "
                f"{type(model).__name__}. Its loss is train.loss = "
                f"@{'ElectraLoss' if model.loss_side == 'encoder' else 'Loss'}()."
            )
        classes = [h.num_classes for h in model.heads if isinstance(h, SequenceClasses)]
        if model.head is None or classes != [2]:
            found = ", ".join(type(head).__name__ for head in model.heads) or "none"
            raise UserError(
                f"SentencePairLoss needs an LMHead and SequenceClasses with num_classes = 2; "
                f"EncoderOnly.heads has: {found}. Set EncoderOnly.heads = (@LMHead(), "
                f"@SequenceClasses()) and SequenceClasses.num_classes = 2."
            )
        for task in leaf_tasks(task_or_mixture):
            made = task.objective.extra_features if task.objective is not None else ()
            if _LABEL not in (*made, *task.output_features):
                kind = type(task.objective).__name__
                has = "no objective" if task.objective is None else f"its objective is {kind}"
                raise UserError(
                    f"SentencePairLoss needs '{_LABEL}', which task '{task.name}' does not have "
                    f"({has}). NextSentencePrediction and SentenceOrderPrediction make it; for "
                    f"masked tokens alone, set train.loss = @Loss()."
                )

    def converter(
        self, model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
    ) -> FeatureConverter:
        """As in `TrainingLoss`; rows are never packed."""
        return default_converter(model, task_or_mixture, pack=False)

    def weights(self, config: ModelConfig, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """As in `TrainingLoss`."""
        real = segments_of(batch, "encoder", config.tokens)[:, :1] > 0
        return {**self.masked_lm.weights(config, batch), "sentence": real.astype(jnp.float32)}

    def terms(
        self,
        model: Model,
        params: Params,
        batch: Mapping[str, jax.Array],
        key: jax.Array | None,
        mesh: Mesh | None,
    ) -> dict[str, Term]:
        """As in `TrainingLoss`; raises UserError if rows are packed, or without labels."""
        if "encoder_segment_ids" in batch:
            raise UserError(
                "SentencePairLoss reads the class of a pair at the first token of its row, so that "
                "rows cannot hold several: set EncoderFeatureConverter.pack = False."
            )
        if f"encoder_{_LABEL}" not in batch:
            raise UserError(
                f"SentencePairLoss needs 'encoder_{_LABEL}' in the batch; the converter has to "
                f"carry it along: EncoderFeatureConverter.aligned_features = ('{_LABEL}', "
                f"'token_types')."
            )
        encoder_key, head_key = split_key(key, 2)
        module = model.bind(params)
        hidden = module.hidden(batch, encoder_key)
        logits = module.head_outputs(hidden, batch, SequenceClasses.name, head_key)
        return {
            "loss": self.masked_lm.term(model, params, hidden, batch, mesh),
            "sentence": classification_term(
                logits[:, None],
                batch[f"encoder_{_LABEL}"][:, :1],
                self.weights(model.config, batch)["sentence"],
            ),
        }
