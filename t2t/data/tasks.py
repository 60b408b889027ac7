"""A task: raw examples, how they become pairs of strings and of tokens, how to score it."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.features import Feature, SequenceLength
from t2t.data.metric_kinds import MetricFn, metric_kind
from t2t.data.objectives import Objective
from t2t.data.preprocessors import CacheDatasetPlaceholder, Chain, Context, Preprocessor
from t2t.data.preprocessors.apply import asks_for, name_of, short
from t2t.data.sources import DataSource, Example
from t2t.data.sources.records import place_of
from t2t.errors import UserError, described


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One text-to-text problem.

    Attributes:
      name: registered name.
      source: raw examples by split.
      output_features: what its examples consist of, each with its vocabulary: "inputs" and
        "targets", or "targets" alone for language models.
      preprocessors: functions on one example; the last leaves the output features as strings, to
        be tokenised, or as arrays of tokens. Under an objective only "targets" is needed.
      objective: makes inputs and targets out of raw "targets" text; None for supervised tasks.
      postprocess_fn: `(decoded text, example=..., is_target=...) -> value` for the metrics.
      metric_fns: `(targets, predictions) -> {name: value}`, or `(targets, scores)`; empty for tasks
        scored by loss alone.
      baseline_fn: `inputs text -> prediction text`, a trivial rule to print beside the model.
    """

    name: str
    source: DataSource
    output_features: Mapping[str, Feature]
    preprocessors: tuple[Preprocessor, ...] = ()
    objective: Objective | None = None
    postprocess_fn: Callable[..., Any] | None = None
    metric_fns: tuple[MetricFn, ...] = ()
    baseline_fn: Callable[[str], str] | None = None

    def __post_init__(self):
        with self.named_errors():
            self._check_types()
        if "targets" not in self.output_features:
            raise UserError(f"Task '{self.name}' lacks the output feature 'targets'.")
        if self.objective:
            self._check_objective(self.objective)
        if self._placeholders > 1:
            raise UserError(
                "`CacheDatasetPlaceholder` can appear at most once in the preprocessing pipeline. "
                f"Found multiple in '{self.name}'."
            )
        for preprocessor in self.precache_preprocessors if self._placeholders else ():
            if asks_for(preprocessor, "sequence_length"):
                raise UserError(
                    f"'{name_of(preprocessor)}' has a `sequence_length` argument but occurs before "
                    f"`CacheDatasetPlaceholder` in '{self.name}'. This is not allowed since the "
                    f"sequence length is specified at run time."
                )

        with self.named_errors():
            for metric_fn in self.metric_fns:
                metric_kind(metric_fn)

    def _check_types(self) -> None:
        if not isinstance(self.source, DataSource):
            raise UserError(f"source is {short(self.source, 60)}; it must be a DataSource.")
        for name, feature in self.output_features.items():
            if not isinstance(feature, Feature):
                raise UserError(
                    f"output feature '{name}' is {short(feature, 60)}; it must be a Feature, such "
                    f"as Feature(ByteVocabulary())."
                )
        for preprocessor in self.preprocessors:
            if not callable(preprocessor):
                raise UserError(
                    f"preprocessor {short(preprocessor, 60)} is no function on one example."
                )
        if not isinstance(self.objective, Objective | None):
            raise UserError(
                f"objective is {short(self.objective, 60)}; it must be an Objective, such as "
                f"SpanCorruption()."
            )

    def _check_objective(self, objective: Objective) -> None:
        given, made = set(self.output_features), set(objective.task_features)
        if not made <= given <= made | set(objective.optional_features):
            raise UserError(
                f"Task '{self.name}': {type(objective).__name__} makes the features "
                f"{', '.join(map(repr, objective.task_features))}, but output_features has "
                f"{', '.join(map(repr, self.output_features))}."
            )

    def replace(self, **changes: Any) -> "Task":
        """A variant with other fields, for example another name and vocabulary."""
        return dataclasses.replace(self, **changes)

    @property
    def splits(self) -> tuple[str, ...]:
        return self.source.splits

    @property
    def _placeholders(self) -> int:
        return sum(isinstance(p, CacheDatasetPlaceholder) for p in self.preprocessors)

    @property
    def precache_preprocessors(self) -> tuple[Preprocessor, ...]:
        """What a cache holds the result of: those before the placeholder, or all."""
        for i, preprocessor in enumerate(self.preprocessors):
            if isinstance(preprocessor, CacheDatasetPlaceholder):
                return self.preprocessors[:i]
        return self.preprocessors

    @property
    def postcache_preprocessors(self) -> tuple[Preprocessor, ...]:
        """Those after the `CacheDatasetPlaceholder`, if there is one."""
        return self.preprocessors[len(self.precache_preprocessors) :]

    @functools.cached_property
    def text_features(self) -> tuple[str, ...]:
        """Names of the features that preprocessing must leave: "targets" under an objective."""
        if self.objective:
            return ("targets",)
        return tuple(name for name, feature in self.output_features.items() if feature.required)

    def raw_examples(self, split: str) -> Sequence[Example | None]:
        """The source's examples of `split`; None where a bad record was skipped."""
        with self.named_errors():
            return self.source.examples(split)

    def num_input_examples(self, split: str = "train") -> int:
        """Number of raw examples of `split`."""
        return len(self.raw_examples(split))

    def preprocess(
        self,
        example: Example,
        rng: np.random.Generator,
        sequence_length: SequenceLength | None = None,
        preprocessors: tuple[Preprocessor, ...] | None = None,
        index: int = 0,
    ) -> list[Example]:
        """What the preprocessors make of one raw example: nothing, one or several, checked.

        Args:
          example: as the source has it.
          rng: for the preprocessors that draw.
          sequence_length: for the preprocessors that ask for it.
          preprocessors: instead of the whole chain.
          index: number of the raw example, for the preprocessors that ask for it.

        Raises:
          UserError: naming task, stage and example.
        """
        chain = self._chain if preprocessors is None else Chain(preprocessors)
        context = Context(rng, self.output_features, sequence_length, index)
        with self.named_errors():
            return self._checked(chain(example, context), example)

    def preprocess_batch(
        self,
        examples: Sequence[Example | None],
        indices: Sequence[int],
        keys: Sequence[int],
        sequence_length: SequenceLength | None = None,
        chain: Chain | None = None,
        read_from: Sequence[Example | None] | None = None,
    ) -> list[list[Example]]:
        """`preprocess` of several raw examples, what is random drawn by key; none of None.

        Errors tell the file and line of an example, if `read_from`, of which `indices` are, does.
        """
        chain = chain or self._chain
        context = Context(None, self.output_features, sequence_length)
        made: list[list[Example]] = []
        index = 0
        with self.named_errors():
            try:
                for raw, index, key in zip(examples, indices, keys, strict=True):
                    if raw is None:
                        made.append([])
                    else:
                        context.start(key, index)
                        made.append(self._checked(chain(raw, context), raw))
            except UserError as error:
                if place := place_of(read_from, index):
                    raise UserError(f"{error} ({place})") from error
                raise
        return made

    def _checked(self, results: list[Example], raw: Example) -> list[Example]:
        for result in results:
            for name in self.text_features:
                value = result.get(name)
                if not isinstance(value, str) and not _may_be_tokens(value):
                    raise UserError(_wrong_feature(name, result, raw))
        return results

    @functools.cached_property
    def _chain(self) -> Chain:
        return Chain(self.preprocessors)

    def postprocess(self, decoded: str, example: Example, *, is_target: bool) -> Any:
        """The value that metrics compare, from a decoded prediction or a target text.

        Raises:
          UserError: if the task's function raises, naming task and text.
        """
        if self.postprocess_fn is None:
            return decoded
        try:
            return self.postprocess_fn(decoded, example=example, is_target=is_target)
        except Exception as error:
            raise UserError(
                f"Task '{self.name}': postprocess_fn failed on {short(decoded)}: {described(error)}"
            ) from error

    @contextlib.contextmanager
    def named_errors(self) -> Iterator[None]:
        """Puts the task's name in front of a UserError raised inside."""
        prefix = f"Task '{self.name}': "
        try:
            yield
        except UserError as error:
            if str(error).startswith(prefix):
                raise
            raise UserError(f"{prefix}{error}") from error


def _may_be_tokens(value: Any) -> bool:
    """Whether it is an array or a list, but not of texts."""
    if isinstance(value, np.ndarray):
        first = value.flat[0] if value.size and value.dtype.kind in "OSU" else None
    elif isinstance(value, list):
        first = value[0] if value else None
    else:
        return False
    return not isinstance(first, str | bytes)


def _wrong_feature(name: str, result: Example, raw: Example) -> str:
    the_raw = f"The raw example was {short(raw)}."
    if name not in result:
        return f"after preprocessing, there is no '{name}'. {the_raw}"
    value = result[name]
    if isinstance(value, list | np.ndarray):
        return (
            f"after preprocessing, '{name}' is a list of texts, {short(value, 60)}; it must be one "
            f"text, or tokens. Choose one of them in a preprocessor, or return an example for each."
            f" {the_raw}"
        )
    return (
        f"after preprocessing, '{name}' is {type(value).__name__}, neither a string nor tokens. "
        f"{the_raw}"
    )
