"""What the losses of heads have in common."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.data.converters import (
    DecoderHeadFeatureConverter,
    EncDecHeadFeatureConverter,
    HeadFeatureConverter,
)
from t2t.data.features import Feature
from t2t.data.heads import Framing, HeadRows
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import ClassifierHead, Spans
from t2t.training.losses.classification_term import classification_term
from t2t.training.losses.training_loss import Term, TrainingLoss


class HeadLoss(TrainingLoss):
    """One head is trained, on ordinary tasks; what becomes of their texts is in `t2t.data.heads`.

    Rows are not packed, whatever `train.pack` is.

    Attributes:
      head: that is trained.
      rows_kind: what the texts of the tasks become.
      labels_per_row: None for one per token.
    """

    predicts_tokens = False

    head: ClassVar[type[ClassifierHead]]
    rows_kind: ClassVar[type[HeadRows]]
    labels_per_row: ClassVar[int | None] = None

    @abc.abstractmethod
    def rows(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> HeadRows:
        """What the texts of the tasks become."""

    def check(self, model: ModelConfig, task_or_mixture: Task | Mixture) -> None:
        """As in `TrainingLoss`."""
        head = self._head(model)
        if isinstance(model, EncoderDecoder) and model.source_encoder is not None:
            raise UserError(
                f"{type(self).__name__} gives encoder and decoder the same tokens, but a "
                f"SourceEncoder reads those of another vocabulary."
            )
        if isinstance(model, DecoderOnly) and getattr(head, "position", "last") != "last":
            raise UserError(
                "The first token of a DecoderOnly sees none of the text: set "
                "SequenceClasses.position = 'last'."
            )
        for task in leaf_tasks(task_or_mixture):
            with task.named_errors():
                self.check_task(head, task)
        self.rows(model, task_or_mixture)

    def check_task(self, head: ClassifierHead, task: Task) -> None:
        """Raises UserError if a task has no such texts or labels; its name is put in front."""
        self.rows_kind.check(task.output_features)

    def _head(self, model: ModelConfig) -> ClassifierHead:
        heads = getattr(model, "heads", ())
        for head in heads:
            if isinstance(head, self.head):
                return head
        name = self.head.__name__
        found = ", ".join(type(head).__name__ for head in heads) or "none"
        raise UserError(
            f"{type(self).__name__} trains a head of {name}, but {type(model).__name__}.heads has: "
            f"{found}. Set {type(model).__name__}.heads = (@{name}(),)."
        )

    def converter(
        self, model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
    ) -> HeadFeatureConverter:
        """As in `TrainingLoss`; rows are never packed."""
        decodes = isinstance(model, DecoderOnly)
        first = self.rows(model, task_or_mixture).framing.first
        reads = model.decoder if decodes else model.encoder  # type: ignore[union-attr]
        options: dict[str, Any] = {
            "pad_id": model.tokens.pad or 0,
            "labels_per_row": self.labels_per_row,
            "token_types": reads.embedding.token_types > 1,
            "mark_tokens": model.tokens.pad in (None, first),
        }
        if decodes:
            return DecoderHeadFeatureConverter(**options)
        if isinstance(model, EncoderDecoder):
            return EncDecHeadFeatureConverter(bos_id=model.tokens.start, **options)
        return HeadFeatureConverter(**options)

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
        config = model.config
        logits = model.bind(params).outputs(batch, self.head.name, key)
        labels = batch[f"{config.loss_side}_labels"]
        weights = self.weights(config, batch)["loss"]
        return {"loss": classification_term(self.of_items(config, logits, batch), labels, weights)}

    @abc.abstractmethod
    def of_items(
        self, config: ModelConfig, logits: jax.Array, batch: Mapping[str, jax.Array]
    ) -> jax.Array:
        """The head's output as float32 `[rows, items, classes]`."""

    def framing(self, model: ModelConfig, texts: Feature) -> Framing:
        """[CLS] and [SEP] for an encoder; a decoder begins with its start token."""
        if isinstance(model, DecoderOnly):
            framing = Framing.of(texts.vocabulary, needs_first=False)
            return dataclasses.replace(framing, first=model.tokens.start)
        reads_first = getattr(self._head(model), "position", None) == "first"
        needs_first = isinstance(model, EncoderOnly) and (reads_first or self.head is Spans)
        return Framing.of(texts.vocabulary, needs_first=needs_first)
