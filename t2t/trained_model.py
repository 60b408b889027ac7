"""A trained model, and what can be done with it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t2t.data.features import Feature, inputs_feature
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.objectives.glm import GlmObjective
from t2t.data.tasks import Task
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.blank_filling import BlankReader
from t2t.decoding.decoding import Decoding
from t2t.decoding.embedder import Embedder
from t2t.decoding.head_predictor import HeadPredictor, HeadReader
from t2t.decoding.mask_filling import MaskFiller
from t2t.decoding.position_limits import row_limit
from t2t.decoding.predictor import Predictor
from t2t.decoding.reading import InputLimit, Reader, TextReader
from t2t.decoding.replaced_tokens import ReplacedTokenDetector
from t2t.decoding.scorer import Scorer
from t2t.errors import UserError
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.evaluation.results import TaskResult
from t2t.interop.generation_settings import with_rules
from t2t.interop.tokenizer_frames import imported_features
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, Params
from t2t.models.lora import LoRAModel
from t2t.training.losses.head_loss import HeadLoss
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.partitioning import MeshShape

_PLAIN = "is it?"


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What `load_trained` found.

    Attributes:
      arguments: those of the `train` call that the run was made by, with "model" as it was trained,
        whatever runs here; of an imported model that alone.
      model: the architecture.
      params: parameters of the checkpoint.
      step: that the checkpoint is of.
      task_or_mixture: what it was trained on, or was asked for instead; None for an imported
        model of which no task was named.
      tokenizer: folder of an imported tokenizer, else the vocabulary of the targets, if any.
      generation: settings of an imported model that generation keeps to, by Hugging Face's names.
    """

    arguments: dict[str, Any]
    model: Model
    params: Params
    step: int
    task_or_mixture: Task | Mixture | None
    tokenizer: Path | Vocabulary | None
    generation: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def merged_params(self) -> Params:
        """Those of the ordinary model: what adapters of LoRA have learnt is in their kernels."""
        if isinstance(self.model, LoRAModel):
            return self.model.lora.merge(self.params)
        return self.params

    @property
    def loss(self) -> TrainingLoss:
        """That it was trained by."""
        return self.arguments.get("loss", Loss())

    @property
    def features(self) -> Mapping[str, Feature]:
        """Of inputs and targets; raises UserError if there is neither task nor tokenizer.

        An imported decoder alone is a language model: it has targets.
        """
        if self.task_or_mixture is not None:
            return self.task_or_mixture.output_features
        features = None
        if isinstance(self.tokenizer, Path):
            features = imported_features(self.tokenizer, self.model.config)
        if features is None:
            raise UserError(
                "This imported model has no tokenizer that t2t reads; name a task with its "
                "vocabulary: --mixture=..."
            )
        return features

    @property
    def evaluation_decoding(self) -> Decoding | None:
        """How evaluation generates, if the run's configuration says (`EvalPolicy.decoding`)."""
        policy = self.arguments.get("evaluation", EvalPolicy())
        if policy.decoding is None:
            return None
        return policy.decoding_of(self.arguments["sequence_length"])

    def reader(
        self,
        max_length: int,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
    ) -> Reader:
        """What turns records into prompts, and what is generated into texts.

        Args:
          max_length: tokens that are generated, at most.
          limit: of inputs.

        Raises:
          UserError: if the model does not generate, or not so many tokens.
        """
        self._check_says_text()
        config, features = self.model.config, self.features
        if objectives := self._blank_objectives:
            return BlankReader(config, features, objectives, max_length, limit)
        return TextReader(config, features, max_length, limit)

    def predictor(
        self,
        decoding: Decoding = Decoding(),  # noqa: B008 (frozen)
        *,
        batch_size: int = 64,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
        reader: Reader | None = None,
    ) -> Predictor:
        """Generates: `load_trained("runs/x").predictor(Decoding(Beam(4))).predict(texts)`.

        Args:
          decoding: how to generate.
          batch_size: records at a time.
          limit: of inputs.
          reader: one that there is already, with a limit of its own; None makes one.
        """
        reader = reader or self.reader(decoding.max_length, limit)
        decoding = with_rules(decoding, self.generation)
        return Predictor(self.model, self.params, reader, decoding, batch_size=batch_size)

    def mask_filler(
        self,
        *,
        batch_size: int = 64,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
    ) -> MaskFiller:
        """Tells what stands behind "[MASK]": `.mask_filler().predict(texts)`; see `MaskFiller`."""
        inputs = inputs_feature(self.features)
        return MaskFiller(self.model, self.params, inputs, limit=limit, batch_size=batch_size)

    def replaced_token_detector(
        self,
        *,
        batch_size: int = 64,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
    ) -> ReplacedTokenDetector:
        """Tells which tokens seem to be replaced (ELECTRA); see `ReplacedTokenDetector`."""
        inputs = inputs_feature(self.features)
        return ReplacedTokenDetector(
            self.model, self.params, inputs, limit=limit, batch_size=batch_size
        )

    def head_predictor(
        self,
        *,
        batch_size: int = 64,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
    ) -> HeadPredictor:
        """Says of records what its head was trained to: `.head_predictor().predict(texts)`.

        Args:
          batch_size: rows at a time.
          limit: of a row's tokens, special ones included; without a max_length, it is that of the
            rows in training.

        Raises:
          UserError: if it was not trained by the loss of a head.
        """
        loss, tasks = self.loss, self.task_or_mixture
        if not isinstance(loss, HeadLoss) or tasks is None:
            raise UserError(
                f"This model was not trained to classify: its loss is {type(loss).__name__}."
            )
        config = self.model.config
        reader = HeadReader(
            loss.head.name,
            loss.rows(config, tasks),
            loss.converter(config, tasks, pack=False),
            self.arguments["sequence_length"]["inputs"],
            limit,
            row_limit(config),
        )
        return HeadPredictor(self.model, self.params, reader, batch_size=batch_size)

    def scorer(self, *, batch_size: int = 64) -> Scorer:
        """Tells how likely it finds texts: `.scorer().score(records)`, `.scorer().rank(records)`.

        Raises:
          UserError: as `Scorer`; also if it was trained by the loss of a head.
        """
        self._check_says_text()
        return Scorer(
            self.model,
            self.params,
            self.features,
            objectives=self._blank_objectives,
            batch_size=batch_size,
        )

    def embedder(
        self,
        pooling: str = "mean",
        normalize: bool = False,
        *,
        limit: InputLimit = InputLimit(),  # noqa: B008 (frozen)
        batch_size: int = 64,
    ) -> Embedder:
        """Turns texts into vectors: `.embedder().embed(texts)`; see `Embedder`."""
        config, inputs = self.model.config, inputs_feature(self.features)
        if isinstance(self.loss, HeadLoss) and not isinstance(config, DecoderOnly):
            inputs = self.loss.framing(config, inputs).around(inputs.vocabulary)
        return Embedder(
            self.model,
            self.params,
            inputs,
            pooling,
            normalize,
            limit=limit,
            batch_size=batch_size,
        )

    @property
    def fills_blanks(self) -> bool:
        """Whether it was trained to fill blanks in a text (GLM), not to go on from it."""
        return bool(self._blank_objectives)

    def _check_says_text(self) -> None:
        """Raises UserError if targets are labels, whose ids are no tokens of the model's."""
        if isinstance(self.loss, HeadLoss):
            raise UserError(
                f"This model was trained by {type(self.loss).__name__}: it neither generates nor "
                f"scores text. Its labels and their log-probabilities: `t2t infer --scores` "
                f"(head_predictor)."
            )

    @property
    def _blank_objectives(self) -> list[GlmObjective]:
        """Those by which a decoder alone learnt to fill blanks."""
        if self.task_or_mixture is None or not isinstance(self.model.config, DecoderOnly):
            return []
        objectives = [task.objective for task in leaf_tasks(self.task_or_mixture)]
        return [o for o in objectives if isinstance(o, GlmObjective)]

    def evaluator(
        self,
        split: str | None = None,
        sequence_length: Mapping[str, int] | None = None,
        **changes: Any,
    ) -> Evaluator:
        """What evaluates as training did, but for what is given; keeps to an import's settings.

        Args:
          split: of each task.
          sequence_length: tokens of "inputs" and "targets", or of one of them.
          changes: other fields of `EvalPolicy`.
        """
        if self.task_or_mixture is None:
            raise UserError("This model was imported; name what to evaluate it on: --mixture=...")
        self._check_reads_like_its_tokenizer(self.task_or_mixture)
        policy = self.arguments.get("evaluation", EvalPolicy())
        if split is not None:
            changes["split"] = split
        lengths = {
            **self.arguments.get("sequence_length", {"inputs": 512, "targets": 114}),
            **(sequence_length or {}),
        }
        policy = dataclasses.replace(policy, **changes)
        if self.generation:
            decoding = with_rules(policy.decoding_of(lengths), self.generation)
            policy = dataclasses.replace(policy, decoding=decoding)
        mesh = self.arguments.get("mesh", MeshShape()).or_data()
        return Evaluator(
            self.model,
            mesh.mesh(),
            self.task_or_mixture,
            lengths,
            policy,
            self.arguments.get("seed", 0),
            self.arguments.get("converter"),
            self.loss,
            mesh.rules,
        )

    def _check_reads_like_its_tokenizer(self, item: Task | Mixture) -> None:
        """Raises UserError if a task makes other tokens of a text than an imported tokenizer."""
        if "mixture" in self.arguments or not isinstance(self.tokenizer, Path):
            return
        own = imported_features(self.tokenizer, self.model.config)
        if own is None:
            return
        mine, tasks = (
            inputs_feature(features).vocabulary.encode(_PLAIN)
            for features in (own, item.output_features)
        )
        if mine != tasks:
            raise UserError(
                f"The tasks of '{item.name}' have another vocabulary than this imported model: of "
                f"'{_PLAIN}' they make the tokens {tasks}, its tokenizer {mine}. Give them that of "
                f"the model, with t2t.data.variants.with_new_vocabulary."
            )

    def evaluate(self, split: str | None = None, **changes: Any) -> dict[str, TaskResult]:
        """The result of each task; arguments as of `evaluator`."""
        return self.evaluator(split, **changes).evaluate(self.params)
