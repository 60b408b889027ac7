"""Fine-tuning with labels: classes of texts and of pairs, tags of words, answers in a context."""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from t2t.data.heads import ClassRows, PairClassRows, SpanRows, TagRows, labels_of
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.models.architecture import segments_of
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.heads import ClassifierHead, SequenceClasses, Spans, TokenClasses
from t2t.training.losses.head_loss import HeadLoss


@dataclasses.dataclass(frozen=True)
class SequenceClassification(HeadLoss):
    """A label for a text ("inputs") or, where tasks have a feature "pair", for two.

    BERT, section 4.1 (arXiv 1810.04805); BART, section 3.1 (arXiv 1910.13461), whose decoder reads
    what the encoder does, and whose class is read at the last token; so is that of a decoder alone
    (GPT, section 3.2).
    """

    head = SequenceClasses
    rows_kind = ClassRows
    labels_per_row = 1

    def rows(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> ClassRows:
        """As in `HeadLoss`."""
        features = leaf_tasks(task_or_mixture)[0].output_features
        kind = PairClassRows if "pair" in features else ClassRows
        framing = self.framing(model, features["inputs"])
        return kind(features["inputs"].vocabulary, framing, labels_of(features))

    def check_task(self, head: ClassifierHead, task: Task) -> None:
        super().check_task(head, task)
        _check_classes(head, task)

    def of_items(
        self, config: ModelConfig, logits: jax.Array, batch: Mapping[str, jax.Array]
    ) -> jax.Array:
        return logits[:, None]


@dataclasses.dataclass(frozen=True)
class TokenClassification(HeadLoss):
    """A tag for every word, at its first token (BERT, section 5.3)."""

    head = TokenClasses
    rows_kind = TagRows

    def rows(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> TagRows:
        """As in `HeadLoss`."""
        features = leaf_tasks(task_or_mixture)[0].output_features
        framing = self.framing(model, features["inputs"])
        return TagRows(features["inputs"].vocabulary, framing, labels_of(features))

    def check_task(self, head: ClassifierHead, task: Task) -> None:
        super().check_task(head, task)
        _check_classes(head, task)

    def of_items(
        self, config: ModelConfig, logits: jax.Array, batch: Mapping[str, jax.Array]
    ) -> jax.Array:
        return logits


@dataclasses.dataclass(frozen=True)
class SpanExtraction(HeadLoss):
    """The answer ("targets") to a question ("inputs"), as it stands in a context ("pair").

    The mean of two cross-entropies over all tokens of a row: where the answer begins and where it
    ends (BERT, section 4.2); at the first token where there is none (section 4.3).

    Attributes:
      max_answer_words: most words of a predicted answer.
    """

    max_answer_words: int = 30

    head = Spans
    rows_kind = SpanRows
    labels_per_row = 2

    def __post_init__(self):
        if self.max_answer_words < 1:
            raise UserError(
                f"SpanExtraction.max_answer_words must be at least 1, got {self.max_answer_words}."
            )

    def rows(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> SpanRows:
        """As in `HeadLoss`."""
        texts = leaf_tasks(task_or_mixture)[0].output_features["inputs"]
        framing = self.framing(model, texts)
        return SpanRows(texts.vocabulary, framing, self.max_answer_words)

    def of_items(
        self, config: ModelConfig, logits: jax.Array, batch: Mapping[str, jax.Array]
    ) -> jax.Array:
        side = "decoder" if isinstance(config, DecoderOnly) else "encoder"
        real = segments_of(batch, side, config.tokens)[:, None] > 0
        return jnp.where(real, jnp.swapaxes(logits, 1, 2), -1e9)


def _check_classes(head: ClassifierHead, task: Task) -> None:
    assert isinstance(head, SequenceClasses | TokenClasses)
    labels = labels_of(task.output_features)
    if head.num_classes != len(labels.labels):
        name = f"{type(head).__name__}.num_classes"
        raise UserError(
            f"it has {len(labels.labels)} labels ({labels.listed}), but {name} is "
            f"{head.num_classes}. Set {name} = {len(labels.labels)}."
        )
