"""Manifests for Google Kubernetes Engine, held against the published schema of JobSet and of pods.

The schema is that of `kubeflow-trainer-api`, classes made of the OpenAPI definitions of JobSet and
Kubernetes: they check types and required fields, and drop fields that there are not.
"""

import copy
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "launch"
COMMAND = ["--", "t2t", "train", "--gin.MIXTURE='a'", '$(HOME) ${name}: ["]\n']
TPU = ["tpu", "--name=run", "--image=t2t:1", "--accelerator=tpu-v5p-slice", "--topology=4x4x8"]
GPU = ["gpu", "--name=run", "--image=t2t:1", "--accelerator=nvidia-h100-80gb"]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import gke_jobset

    return gke_jobset


@pytest.fixture
def make(tool, capsys):
    def make(*words):
        assert tool.main(words) == 0
        return yaml.safe_load(capsys.readouterr().out)

    return make


def keeps_to_the_schema(manifest):
    from kubeflow_trainer_api.models.jobset_v1alpha2_job_set import JobsetV1alpha2JobSet

    # Required fields: not missed by from_dict. Quantities: not read by model_validate.
    without_quantities = copy.deepcopy(manifest)
    del pods(without_quantities)["containers"][0]["resources"]
    JobsetV1alpha2JobSet.model_validate(without_quantities)
    return _contains(JobsetV1alpha2JobSet.from_dict(manifest).to_dict(), manifest)


def _contains(read, written):
    """Whether nothing was dropped in reading; defaults may have come."""
    if type(read) is not type(written) and isinstance(written, dict | list):
        return False
    if isinstance(written, dict):
        return all(_contains(read.get(key), part) for key, part in written.items())
    if isinstance(written, list):
        return len(read) == len(written) and all(map(_contains, read, written))
    return read == written


def pods(manifest):
    (job,) = manifest["spec"]["replicatedJobs"]
    return job["template"]["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    "words",
    [
        [*TPU],
        [*TPU, "--num_slices=2", "--spot", "--service_account=trainer", "--max_restarts=3"],
        [*GPU],
        [*GPU, "--num_nodes=4", "--spot"],
    ],
)
def test_manifests_keep_to_the_schema(make, words):
    assert keeps_to_the_schema(make(*words, *COMMAND))


def test_what_does_not_keep_to_the_schema_is_seen(make):
    manifest = make(*GPU, *COMMAND)
    pods(manifest)["containers"][0]["comand"] = ["t2t"]
    assert not keeps_to_the_schema(manifest)
    manifest = make(*GPU, *COMMAND)
    manifest["spec"]["replicatedJobs"][0]["replicas"] = "many"
    with pytest.raises(ValueError, match="replicas"):
        keeps_to_the_schema(manifest)
    manifest = make(*GPU, *COMMAND)
    del manifest["spec"]["replicatedJobs"][0]["name"]
    with pytest.raises(ValueError, match=r"name\n +Field required"):
        keeps_to_the_schema(manifest)


def test_slices_of_tpus(make):
    manifest = make(*TPU, "--num_slices=3", "--spot", *COMMAND)
    (job,) = manifest["spec"]["replicatedJobs"]
    assert job["replicas"] == 3
    spec = job["template"]["spec"]
    assert spec["parallelism"] == spec["completions"] == 4 * 4 * 8 // 4  # four chips a node
    assert pods(manifest)["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5p-slice",
        "cloud.google.com/gke-tpu-topology": "4x4x8",
        "cloud.google.com/gke-spot": "true",
    }
    assert [taint["key"] for taint in pods(manifest)["tolerations"]] == [
        "cloud.google.com/gke-spot"
    ]
    (container,) = pods(manifest)["containers"]
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert [variable["name"] for variable in container["env"]] == ["PYTHONUNBUFFERED"]
    (placement,) = manifest["metadata"]["annotations"].values()
    assert placement == "cloud.google.com/gke-nodepool"


def test_a_slice_of_one_chip_is_one_node(make):
    one = ["tpu", "--name=a", "--image=i", "--accelerator=tpu-v5-lite-device", "--topology=1x1"]
    manifest = make(*one, *COMMAND)
    assert manifest["spec"]["replicatedJobs"][0]["template"]["spec"]["parallelism"] == 1
    assert pods(manifest)["containers"][0]["resources"]["limits"] == {"google.com/tpu": 1}


def test_nodes_of_gpus_know_each_other(make):
    manifest = make(*GPU, "--num_nodes=4", "--gpus_per_node=2", *COMMAND)
    (job,) = manifest["spec"]["replicatedJobs"]
    assert (job["replicas"], job["template"]["spec"]["parallelism"]) == (1, 4)
    (container,) = pods(manifest)["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    env = {v["name"]: v.get("value") or v["valueFrom"] for v in container["env"]}
    # JobSet calls its pods <JobSet>-<job>-<number of job>-<number of pod>.<JobSet>
    assert env["JAX_COORDINATOR_ADDRESS"] == f"run-{job['name']}-0-0.run:12345"
    assert container["ports"] == [{"containerPort": 12345}]
    assert env["JAX_NUM_PROCESSES"] == "4"
    field = env["JAX_PROCESS_ID"]["fieldRef"]["fieldPath"]
    assert field == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    assert pods(manifest)["tolerations"] == []


def test_the_command_arrives_as_it_was_written(make):
    (container,) = pods(make(*TPU, *COMMAND))["containers"]
    words = [word.replace("$$(", "$(") for word in container["command"]]  # as Kubernetes reads it
    assert words == COMMAND[1:]
    assert "$$(HOME)" in container["command"][-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*GPU], "no command: write it after --"),
        ([*GPU, "--name=Run_1", *COMMAND], "--name=Run_1: at most 40 small letters"),
        ([*GPU, "--name=" + "a" * 41, *COMMAND], "at most 40"),
        ([*TPU, "--topology=4*4", *COMMAND], "--topology=4*4 must be numbers of chips"),
        ([*TPU, "--chips_per_node=3", *COMMAND], "3 chips per node do not divide the 128"),
    ],
)
def test_mistakes_are_one_line(tool, capsys, words, message):
    assert tool.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gke_jobset.py: error: ")
    assert message in err
