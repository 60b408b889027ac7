"""Several processes as one: who coordinates, how many there are, and which one this is.

They are told by flags, by the environment variables JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
JAX_PROCESS_ID, or by what JAX finds on TPU pods, under Slurm, Open MPI and Kubernetes.
"""

import contextlib
import dataclasses
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import jax

from t2t import companions
from t2t.aborting import message_on_abort
from t2t.errors import UserError

log = logging.getLogger(__name__)

_VARIABLES = {
    "coordinator_address": "JAX_COORDINATOR_ADDRESS",
    "num_processes": "JAX_NUM_PROCESSES",
    "process_id": "JAX_PROCESS_ID",
}
# JAX's own verdict ends processes without a message; ours comes first.
_LATER = 60


@dataclasses.dataclass(frozen=True)
class Place:
    """A process among others.

    Attributes:
      coordinator_address: HOST:PORT, where process 0 listens.
      num_processes: of the job.
      process_id: from 0.
      local_device_ids: that this process uses of its machine; None for all it sees.
      found_by: where all this was found, for messages.
    """

    coordinator_address: str
    num_processes: int
    process_id: int
    local_device_ids: tuple[int, ...] | None = None
    found_by: str = "flags or environment variables"

    def __post_init__(self):
        address = re.fullmatch(r".+:(\d{1,5})", self.coordinator_address)
        if not address or not 0 < int(address[1]) < 2**16:
            raise UserError(
                f"The address of the coordinator is '{self.coordinator_address}', but must be "
                f"HOST:PORT, such as node001:12345, with a port from 1 to 65535."
            )
        if self.num_processes < 1:
            raise UserError(f"num_processes must be at least 1, got {self.num_processes}.")
        if not 0 <= self.process_id < self.num_processes:
            raise UserError(
                f"process_id is {self.process_id} of num_processes {self.num_processes}; processes "
                f"are numbered from 0 to {self.num_processes - 1}."
            )


def find_place(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    timeout: int = 300,
) -> Place | None:
    """Where this process belongs; None if it is on its own.

    A job of one process, such as `srun -n1` or a shell on a node of a cluster, is on its own.

    Args:
      coordinator_address: None for that of the environment; so are the others.
      num_processes: of the job.
      process_id: from 0.
      timeout: seconds until the name of a coordinator must be known.

    Raises:
      UserError: if only some of this is known, or it does not fit.
    """
    given: dict[str, Any] = {
        "coordinator_address": coordinator_address
        or os.environ.get(_VARIABLES["coordinator_address"]),
        "num_processes": _number("num_processes", num_processes),
        "process_id": _number("process_id", process_id),
    }
    if given["num_processes"] == 1:
        return None
    missing = [name for name, value in given.items() if value is None]
    if not missing:
        return Place(**given)
    found = _find_cluster(timeout)
    if found is None:
        if len(missing) == len(given):
            return None
        names = ", ".join(f"--{name} ({_VARIABLES[name]})" for name in missing)
        raise UserError(f"For several processes, also give {names}; none of it was found here.")
    return dataclasses.replace(
        found, **{name: value for name, value in given.items() if value is not None}
    )


def _number(name: str, flag: int | None) -> int | None:
    variable = _VARIABLES[name]
    text = os.environ.get(variable)
    if flag is not None or not text:
        return flag
    if not text.isdecimal():
        raise UserError(f"The environment variable {variable} is '{text}'; it must be a number.")
    return int(text)


def _find_cluster(timeout: int) -> Place | None:
    from jax._src.clusters import ClusterEnv  # nothing public tells how many processes there are

    for cluster in ClusterEnv._cluster_types:
        # In Kubernetes, only pods of indexed jobs can be told apart.
        is_kubernetes = cluster.__name__ == "K8sCluster"
        if is_kubernetes and "JOB_COMPLETION_INDEX" not in os.environ:
            continue
        if cluster.opt_in_only_method or not cluster.is_env_present():
            continue
        name = "kubernetes" if is_kubernetes else cluster.name
        try:
            count, is_slurm = cluster.get_process_count(), name == "slurm"
            if is_slurm:  # a step may have fewer tasks than its job
                count = int(os.environ.get("SLURM_STEP_NUM_TASKS", count))
            if count == 1:
                return None
            port = os.environ.get("JAX_COORDINATOR_PORT")
            address = cluster.get_coordinator_address(
                timeout_secs=timeout, override_coordinator_port=port
            )
            local = None if "tpu" in name else cluster.get_local_process_id()
            if is_slurm and _one_task_per_node():
                local = None
            ids = None if local is None else (local,)
            return Place(address, count, cluster.get_process_id(), ids, name)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"This seems to be a job of several processes ({name}), but who "
                f"coordinates them could not be found: {error} Give --coordinator_address, "
                f"--num_processes and --process_id; --num_processes=1 for a process on its own."
            ) from error
    return None


def _one_task_per_node() -> bool:
    """Whether a task has all devices of its machine, instead of the one of its number."""
    tasks = os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")
    return re.fullmatch(r"1(\(x\d+\))?", tasks) is not None


def join(place: Place, *, timeout: int = 300, heartbeat: int = 100) -> None:
    """Waits for all processes of the job; must come before anything that uses a device.

    Args:
      place: of this process.
      timeout: seconds that the others have to come.
      heartbeat: seconds without a sign of life after which a process counts as lost.

    Raises:
      UserError: if process 0 cannot listen. A coordinator out of reach, or processes that do not
        come, end this process with a message and status 1: JAX cannot be made to raise then.
    """
    me, count, address = place.process_id, place.num_processes, place.coordinator_address
    if me:
        problem = (
            f"Process {me} of {count} could not reach the coordinator at {address} within "
            f"{timeout} seconds. Is process 0 running on that machine, is the port open between "
            f"them, and do all processes have the same address? (From {place.found_by}.)"
        )
    else:
        problem = (
            f"Process 0 of {count} has waited {timeout} seconds at {address}, but not all of the "
            f"other {count - 1} came. Were all started, with the same address and number of "
            f"processes and different process_ids? (From {place.found_by}.)"
        )
    # SIGTERM would be caught for good, also where nothing asks for it; see `companions`.
    jax.config.update("jax_enable_preemption_service", False)
    log.info("process %d of %d: waiting for the others at %s", me, count, address)
    try:
        with _quiet() as stderr, message_on_abort(problem, stderr):
            jax.distributed.initialize(
                address,
                count,
                me,
                place.local_device_ids,
                cluster_detection_method="deactivate",
                initialization_timeout=timeout,
                heartbeat_timeout_seconds=heartbeat + _LATER,
            )
    except Exception as error:
        raise UserError(
            f"Process {me} of {count} cannot use {address} to coordinate: "
            f"{str(error).splitlines()[0]} Is another job using this port?"
        ) from error
    companions.watch(me, count, address, heartbeat)
    log.info(
        "process %d of %d: %d of %d %s devices are here",
        me, count, jax.local_device_count(), jax.device_count(), jax.default_backend(),
    )  # fmt: skip


@contextlib.contextmanager
def _quiet() -> Iterator[int]:
    """Keeps what native code writes to standard error away; yields where to write instead.

    Before it aborts, JAX prints its stack.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as swallowed:
        os.dup2(swallowed.fileno(), 2)
        try:
            yield kept
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
