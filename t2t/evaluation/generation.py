"""What a model says to the examples of evaluation sets."""

import jax
import numpy as np
from jax.sharding import Mesh

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import SequenceLength
from t2t.data.objectives.glm import GlmObjective
from t2t.data.tasks import Task
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.position_limits import prompt_limit
from t2t.decoding.prediction import Prediction
from t2t.decoding.processors.allowed import check_some_allowed
from t2t.decoding.prompts import check_generates, collate, make_prompt
from t2t.decoding.reading import until_end
from t2t.errors import UserError
from t2t.models.activation_sharding import on_mesh
from t2t.models.axis_rules import AxisRules
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.training.host_rows import HostRows
from t2t.training.partitioning import replicated


def generates(model: ModelConfig, task: Task) -> bool:
    """Whether a model says targets to the inputs of a task: to text, but not to GLM's blanks."""
    if isinstance(model, DecoderOnly):
        return "inputs" in task.output_features and not isinstance(task.objective, GlmObjective)
    return isinstance(model, EncoderDecoder)


class Generation:
    """Generates for evaluation sets: one compilation for all of the same lengths."""

    def __init__(
        self,
        model: Model,
        mesh: Mesh,
        decoding: Decoding,
        sequence_length: SequenceLength,
        rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
    ):
        """Raises UserError if positions do not suffice for inputs and new tokens."""
        self._rows, self._config = HostRows(mesh), check_generates(model.config)
        self._stops = decoding.ends(self._config.tokens.eos)
        encodes = isinstance(self._config, EncoderDecoder)
        inputs = sequence_length.get("inputs", 0)
        self._length = inputs if encodes else inputs + 1
        longest = 1 if encodes else self._length
        limit = prompt_limit(self._config, decoding.max_length)
        if limit is not None and longest > limit:
            raise UserError(
                f"Evaluation generates {decoding.max_length} tokens after inputs of {inputs}, but "
                f"the decoder has {limit + decoding.max_length - 1} positions, one for the start "
                f"token. Set EvalPolicy.max_decode_length, or shorter inputs."
            )
        check_some_allowed(decoding.processors, model.config.vocab_size)

        def run(params, batch, seeds, active):
            return generate(model.bind(params), batch, decoding, seeds=seeds, active=active)

        self._generate = jax.jit(on_mesh(run, mesh, rules), out_shardings=replicated(mesh))

    def predict(self, params: Params, examples: EvaluationSet, batch_size: int) -> list[Prediction]:
        """The first output for each example of this share; what is drawn depends on its number."""
        vocabulary = examples.task.output_features["targets"].vocabulary
        given = examples.examples or [examples.template]
        prompts = [make_prompt(self._config, example["inputs"]) for example in given]
        numbers = examples.numbers[self._rows.share.index]
        rows, mine = batch_size // self._rows.share.count, self._rows.mine(batch_size)
        found: list[Prediction] = []
        for start in range(0, max(map(len, examples.numbers)), rows):
            members = list(range(start, min(start + rows, len(numbers))))
            bucket = Bucket(
                members or [0], rows, self._length
            )  # others may have more than this one
            batch = collate(prompts, bucket, self._config.tokens.pad)
            active = np.arange(rows) < len(members)
            seeds = np.zeros(rows, np.int32)
            seeds[: len(members)] = numbers[members]
            generated = self._generate(params, *self._rows.on_devices((batch, seeds, active)))
            tokens, scores = (x[mine, 0][: len(members)] for x in jax.device_get(generated))
            found += [
                Prediction(vocabulary.decode(until_end(row, *self._stops)), score)
                for row, score in zip(tokens, scores.tolist(), strict=True)
            ]
        return found
