import os

import pytest

from t2t.distributed import Place, find_place
from t2t.errors import UserError

SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_STEP_NODELIST": "node[07-09],other1",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
}


@pytest.fixture
def environment(monkeypatch):
    """Sets variables, in an environment without any that speak of several processes."""
    for name in list(os.environ):
        if name.startswith(("JAX_COORDINATOR", "JAX_NUM_PROC", "JAX_PROCESS", "SLURM_", "OMPI_")):
            monkeypatch.delenv(name)

    def set_all(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_flags_win_over_the_environment(environment):
    assert find_place("a:1", 3, 2) == Place("a:1", 3, 2)
    environment(JAX_COORDINATOR_ADDRESS="b:2", JAX_NUM_PROCESSES="4", JAX_PROCESS_ID="3")
    assert find_place() == Place("b:2", 4, 3)
    assert find_place("a:1") == Place("a:1", 4, 3)
    assert find_place(process_id=0) == Place("b:2", 4, 0)
    assert find_place(num_processes=1) is None


def test_nothing_said_is_a_process_on_its_own(environment):
    assert find_place() is None


@pytest.mark.parametrize(
    ("variables", "arguments", "message"),
    [
        ({}, ("a:1", 2), r"also give --process_id \(JAX_PROCESS_ID\)"),
        ({}, (None, 2, 1), r"also give --coordinator_address"),
        ({}, ("a", 2, 1), "HOST:PORT"),
        ({}, ("a:1", 2, 2), "numbered from 0 to 1"),
        ({}, ("a:1", 0, 0), "num_processes must be at least 1, got 0"),
        ({}, ("a:65536", 2, 0), "with a port from 1 to 65535"),
        ({}, ("a:0", 2, 0), "with a port from 1 to 65535"),
        ({"JAX_NUM_PROCESSES": "two"}, (), "JAX_NUM_PROCESSES is 'two'"),
    ],
)
def test_what_does_not_fit_is_refused(environment, variables, arguments, message):
    environment(**variables)
    with pytest.raises(UserError, match=message):
        find_place(*arguments)


def test_slurm_is_found(environment):
    environment(**SLURM)
    place = find_place()
    assert place == Place("node07:61441", 4, 3, (1,), "slurm")
    assert find_place("a:1").coordinator_address == "a:1"


def test_one_task_per_node_has_all_devices(environment):
    environment(**SLURM, SLURM_STEP_TASKS_PER_NODE="1(x4)")
    assert find_place().local_device_ids is None


@pytest.mark.parametrize(
    "variables",
    [
        SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"},  # srun -n1
        SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},  # a step of a larger job
        {"SLURM_JOB_ID": "4097", "SLURM_NTASKS": "4", "SLURM_NODELIST": "node07"},  # salloc
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},  # a pod of its own
    ],
)
def test_one_process_of_a_cluster_is_on_its_own(environment, variables):
    environment(**variables)
    assert find_place() is None


def test_a_cluster_that_does_not_tell_is_a_message(environment):
    environment(**SLURM | {"SLURM_JOB_ID": "a"})
    with pytest.raises(UserError, match=r"\(slurm\).*--coordinator_address"):
        find_place()
