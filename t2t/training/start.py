"""Where a run begins: at its last checkpoint, at other runs' parameters, or at fresh ones."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from t2t.errors import UserError
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, ModelConfig
from t2t.models.lora import ADAPTERS, LoRA
from t2t.paths import run_folder
from t2t.training.checkpoints import Checkpoints
from t2t.training.initialization import (
    Initialization,
    OpenedInitialization,
    ParameterSource,
)
from t2t.training.optimizers import Optimizer
from t2t.training.run_directory import RunDirectory
from t2t.training.state import (
    TrainState,
    abstract_state,
    init_state,
    start_from,
    state_shardings,
)

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a checkpoint came about by, beside the model; stored with it, to resume by the same.

    Attributes:
      fingerprint: of the data and its order.
      trained: for each parameter that is trained, by path, which layers are; None for all. The
        optimiser's state does not tell which layers it is of, only how many.
    """

    fingerprint: str
    trained: Mapping[str, list[int] | None]

    @classmethod
    def of(cls, model: Model, optimizer: Optimizer, fingerprint: str) -> "Origin":
        layers = optimizer.trainable.select(model.abstract_params).layers
        return cls(fingerprint, {k: None if v is None else list(v) for k, v in layers.items()})

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def check(self, stored: Mapping[str, Any], step: int) -> None:
        """Raises UserError unless this is what was stored with the checkpoint of `step`."""
        if stored["fingerprint"] != self.fingerprint:
            raise UserError(
                f"The checkpoint of step {step} was trained on other data, or in another order: "
                "tasks, rates, sequence lengths, batch size, packing, seed or vocabulary differ. "
                "Use the same configuration, or start a new MODEL_DIR with train.init_from set to "
                "this one."
            )
        trained = stored.get("trained", self.trained)  # older checkpoints do not say
        differing = [
            path
            for path in sorted({*trained, *self.trained})
            if trained.get(path, ()) != self.trained.get(path, ())
        ]
        if differing:
            raise UserError(
                f"The checkpoint of step {step} has trained other parameters than train.trainable "
                f"says now; they differ in {differing[0]}. To change train.trainable, start a new "
                "MODEL_DIR with train.init_from set to this one."
            )


class Beginning(NamedTuple):
    """Where training goes on.

    Attributes:
      state: parameters and the like.
      positions: in the data; None at its start.
      unlogged: metrics of the last steps, which an interrupted process had not logged yet.
      began: the step before the run's first; not 0 where the optimiser's state was imported.
      rollbacks: of the run so far, as `Rollbacks.stored` gave them.
    """

    state: TrainState
    positions: list[int] | None = None
    unlogged: Sequence[Mapping[str, Any]] = ()
    began: int = 0
    rollbacks: Sequence[Sequence[int]] = ()


def abstract_sharded_state(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> TrainState:
    """Shapes, dtypes and shardings of the state, as checkpoints are restored to."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        abstract_state(model, optimizer),
        state_shardings(model, optimizer, mesh, rules),
    )


def resumes(run: RunDirectory) -> bool:
    """Whether training goes on from a checkpoint in the folder, instead of beginning."""
    if not run.checkpoints.is_dir():
        return False
    with Checkpoints(run.checkpoints) as checkpoints:
        return bool(checkpoints.steps())


def start(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    seed: int,
    checkpoints: Checkpoints,
    origin: Origin,
    beginning: OpenedInitialization | None,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> Beginning:
    """What to go on from: restored, initialised, or fresh.

    Raises:
      UserError: as `Checkpoints.restore` and `Origin.check`.
    """
    abstract = abstract_sharded_state(model, optimizer, mesh, rules)
    restored = checkpoints.restore(abstract)
    if restored:
        state, data = restored
        if not data:  # imported: the optimiser's state, but no position in data of ours
            return Beginning(state, began=int(state.step))
        origin.check(data, int(state.step))
        log.info("resuming from the checkpoint of step %d", int(state.step))
        return Beginning(
            state,
            data["positions"],
            data.get("unlogged", []),
            data.get("began", 0),
            data.get("rollbacks", []),
        )
    shardings = state_shardings(model, optimizer, mesh, rules)
    if beginning is None:
        return Beginning(
            jax.jit(lambda: init_state(model, optimizer, seed), out_shardings=shardings)()
        )
    params = beginning.params(lambda: model.init(jax.random.key(seed)))
    begin = jax.jit(
        lambda params: start_from(params, optimizer), out_shardings=shardings, donate_argnums=0
    )
    return Beginning(begin(params))


def initialization_from(
    init_from: str | Initialization | None, model: ModelConfig, lora: LoRA | None
) -> Initialization | None:
    """What `train.init_from` means; raises UserError unless a plain folder is of this model."""
    if init_from is None or isinstance(init_from, Initialization):
        return init_from
    source = RunDirectory(run_folder(init_from))
    if not source.identity.exists():
        raise UserError(f"train.init_from: '{init_from}' is not the folder of a run.")
    source.check_identity(model)
    fresh = () if lora is None else (ADAPTERS,)
    return Initialization((ParameterSource(init_from),), fresh)
