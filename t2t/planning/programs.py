"""The programs that training and generation run, compiled for chips that need not be there."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from t2t.decoding.length_buckets import Bucket
from t2t.decoding.prompts import check_generates, collate, make_prompt
from t2t.models.activation_sharding import on_mesh
from t2t.models.axis_rules import AxisRules
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.planning.compiled import Compiled, compiled
from t2t.planning.job import TrainingJob
from t2t.training.partitioning import batch_sharding
from t2t.training.start import abstract_sharded_state
from t2t.training.state import TrainState
from t2t.training.step import make_train_step


def abstract_state(job: TrainingJob, mesh: Mesh) -> TrainState:
    """Shapes, dtypes and shardings of the training state."""
    return abstract_sharded_state(job.model, job.optimizer, mesh, job.mesh.rules)


def compile_train_step(job: TrainingJob, mesh: Mesh) -> Compiled:
    """The step that `train` runs; see `compiled` for errors."""
    step = make_train_step(
        job.model,
        job.optimizer,
        mesh,
        loss=job.loss,
        num_tasks=job.num_tasks,
        microbatches=job.microbatches,
        seed=job.seed,
        guard=job.guard,
        groups=job.norms,
        rules=job.mesh.rules,
    )
    return compiled(step, abstract_state(job, mesh), job.batch(batch_sharding(mesh)))


@dataclasses.dataclass(frozen=True)
class Generation:
    """What generates the first token, and what each further one; greedily, with caches.

    Attributes:
      prompt: abstract arguments of the prefill beside parameters.
      prefill: reads the prompts.
      state: what goes from token to token: keys, values and each layer's parameters for themselves.
      step: one more token; None if there is no prefill.
    """

    prompt: Any
    prefill: Compiled
    state: Any
    step: Compiled | None


def compile_generation(job: TrainingJob, mesh: Mesh, rows: int) -> Generation:
    """Generation for prompts as long as the job's inputs, of as many tokens as evaluation makes.

    Raises:
      UserError: if the model has no decoder; also see `compiled`.
    """
    config, rules = check_generates(job.model.config), job.mesh.rules
    max_length = job.evaluation.decoding_of(job.sequence_length).max_length
    inputs = job.sequence_length.get("inputs", 0)
    width = inputs if isinstance(config, EncoderDecoder) else inputs + 1
    prompts = [make_prompt(config, np.zeros(inputs, np.int32))]
    one = collate(prompts, Bucket([0], 1, width), config.tokens.pad)
    sharding = batch_sharding(mesh)
    prompt = {
        name: jax.ShapeDtypeStruct((rows, *array.shape[1:]), array.dtype, sharding=sharding)
        for name, array in one.items()
    }
    params = abstract_state(job, mesh).params

    def start(params, prompt):
        return job.model.bind(params).start(prompt, max_length)

    def step(params, tokens, state):
        return job.model.bind(params).decode_step(tokens, state)

    prefill = compiled(_jitted(start, mesh, rules), params, prompt)
    if prefill.executable is None:
        return Generation(prompt, prefill, (), None)
    _, state = with_shardings(
        jax.eval_shape(start, params, prompt), prefill.executable.output_shardings
    )
    tokens = jax.ShapeDtypeStruct((rows,), np.int32, sharding=sharding)
    donating = _jitted(step, mesh, rules, donate_argnums=2)
    return Generation(prompt, prefill, state, compiled(donating, params, tokens, state))


def _jitted(function: Callable, mesh: Mesh, rules: AxisRules, **options: Any) -> Any:
    return jax.jit(on_mesh(function, mesh, rules), **options)


def with_shardings(abstract: Any, shardings: Any) -> Any:
    """Abstract arrays, each with its sharding."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract,
        shardings,
    )
