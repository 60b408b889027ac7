"""Real processes that train, evaluate and predict together, and what happens when one ends.

One run is trained by one process, another by two, then four, then two, which are stopped and killed
on the way. Both meet a NaN and go back to a checkpoint because of it.
"""

import json
import re
import signal

import jax
import numpy as np
import pytest

from t2t.evaluation.result_files import read_results
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.checkpoints import Checkpoints
from tests.processes import Job, free_port

pytestmark = pytest.mark.timeout(900)  # several starts per test, on a busy machine

STEPS = 32
WENT_BACK = "Going back from step 6 to the checkpoint of step 4"
# Every process notes what it reads of the two splits. One example, of the sixth batch, gives NaN.
TASK = """
import dataclasses
import os
import gin
import jax.numpy as jnp
import t2t
from t2t.training.losses.language_modeling import Loss
def pairs(split):
    words = [f"{split[0]}{7919 * n}" for n in range(600 if split == "train" else 21)]
    return [{"w": "t12670!" if word == "t126704" else word} for word in words]
def noted(example):
    with open(os.environ.get("READS", os.devnull) + os.environ["JAX_PROCESS_ID"], "a") as file:
        file.write(example["w"] + "\\n")
    return example
@gin.configurable
@dataclasses.dataclass(frozen=True)
class TroubledLoss(Loss):
    def term(self, model, params, hidden, batch, mesh, draws=None):
        term = super().term(model, params, hidden, batch, mesh, draws)
        is_bad = jnp.any(batch["decoder_target_tokens"] == 3 + ord("!"))
        return term._replace(total=term.total * jnp.where(is_bad, jnp.nan, 1.0))
text = t2t.Feature(t2t.ByteVocabulary())
t2t.TaskRegistry.add("echo", source=t2t.FunctionDataSource(pairs, splits=["train", "validation"]),
    preprocessors=[noted, t2t.text_to_text("say {w}", "{w}")],
    output_features={"inputs": text, "targets": text}, metric_fns=[t2t.exact_match])
"""
MODEL = t5(
    vocab_size=384,
    d_model=32,
    d_ff=32,
    num_heads=4,
    head_dim=8,
    num_encoder_layers=1,
    num_decoder_layers=1,
    dropout_rate=0.1,
)
TRAIN = (
    *("train", "--gin_file=quickstart.gin", "--import=echo", "--heartbeat_timeout=30"),
    *("--gin.MIXTURE='echo'", "--gin.train.log_every=1", "--gin.train.batch_size=8"),
    *("--gin.CheckpointPolicy.every=4", "--gin.EvalPolicy.every=1000"),
    *("--gin.D_MODEL=32", "--gin.D_FF=32", "--gin.HEAD_DIM=8", "--gin.DROPOUT_RATE=0.1"),
    *("--gin.NUM_ENCODER_LAYERS=1", "--gin.NUM_DECODER_LAYERS=1"),
    *("--gin.EvalPolicy.batch_size=8", "--gin.cosine_schedule.warmup_steps=2"),
    *("--gin.EvalPolicy.max_decode_length=6", f"--gin.TRAIN_STEPS={STEPS}"),
    *("--gin.train.loss=@TroubledLoss()", "--gin.train.guard=@Guard()", "--gin.Guard.limit=1"),
)
OF_ONE = ("--model_dir=one", "--import=echo")
TEXTS = [f"say {n * n}" for n in range(70)]
# Commands of one process, one after the other: that it starts takes longer than most of them.
IN_TURN = """
import json
import os
import sys
import t2t.distributed
from t2t import cli
for words in json.load(open(sys.argv[1])):
    is_first = os.environ["JAX_PROCESS_ID"] == "0"
    words = [word.replace("IS_FIRST", str(int(is_first))) for word in words]
    if status := cli.main(words):
        sys.exit(status)
    t2t.distributed.join = lambda place, **_: None  # they have come together
"""
# Saves twice; from the second time on, process 1 cannot write as much as its share.
SAVES = """
import logging
import resource
import jax
import numpy as np
from t2t import companions
from t2t.distributed import find_place, join
from t2t.errors import UserError
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.partitioning import MeshShape, batch_sharding
from t2t.training.state import TrainState
logging.getLogger("absl").setLevel(logging.CRITICAL)
join(find_place(), heartbeat=30)
rows = np.random.default_rng(0).normal(size=(64, 1000))
sharding = batch_sharding(MeshShape().mesh())
params = {"rows": jax.make_array_from_callback(rows.shape, sharding, lambda part: rows[part])}
try:
    with Checkpoints("saves", CheckpointPolicy(on_failure="continue")) as checkpoints:
        for step in (1, 2):
            checkpoints.save(TrainState(np.int32(step), params, {}), {})
            checkpoints.wait()
            if jax.process_index():
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
except UserError as error:
    companions.current().fail(str(error))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    (folder / "echo.py").write_text(TASK)
    (folder / "inputs.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    records = [{"inputs": text, "candidates": [text[4:], f"t{len(text)}"]} for text in TEXTS]
    (folder / "scored.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def training(folder, name, count, *flags, **environment):
    words = ("-m", "t2t.cli", *TRAIN, f"--model_dir={name}", *flags)
    return Job(words, count, devices=4 // count, folder=folder, environment=environment)


def in_turn(folder, name, count, *commands):
    (folder / f"{name}.json").write_text(json.dumps(commands))
    return Job(("-c", IN_TURN, f"{name}.json"), count, folder=folder)


def uses(name):
    """What is done with the run of one process; outputs are called by `name`."""
    small = ("--batch_size=2", "--quiet")
    sampled = ("--samples=1", "--temperature=1", "--scores", "--max_decode_length=4")
    files = ("--input=inputs.txt", f"--output={name}.txt")
    yield ("infer", *OF_ONE, *small, *sampled, *files)
    files = ("--input=scored.jsonl", f"--output={name}.jsonl")
    yield ("score", *OF_ONE, *small, "--per_token", *files)
    yield ("embed", *OF_ONE, *small, "--input=inputs.txt", f"--output={name}.npy")
    yield ("eval", *OF_ONE, f"--output_dir=eval-{name}")


@pytest.fixture(scope="module")
def one(folder):
    """A run of one process with one device, and its uses; its folder, and what was said."""
    with in_turn(folder, "alone", 1, [*TRAIN, "--model_dir=one"], *uses("alone")) as job:
        (output,) = job.finish()
        return folder / "one", output, job.errors(0)


@pytest.fixture(scope="module")
def together(folder, one):
    """The same uses by two processes; then one of them fails. What was printed and said."""
    wrong = [*TRAIN, "--model_dir=unequal", "--gin.train.log_every=IS_FIRST"]
    with in_turn(folder, "together", 2, *uses("together"), wrong) as job:
        codes = job.wait()
        return job.output(0), codes, [job.errors(number) for number in range(2)]


@pytest.fixture(scope="module")
def stopped(folder):
    """Of two processes, one is asked to stop."""
    with training(folder, "run", 2, READS=str(folder / "of-two-")) as job:
        job.wait_for("step 1/")
        job.processes[1].send_signal(signal.SIGTERM)
        codes = job.wait()
        return codes, [job.errors(number) for number in range(2)]


@pytest.fixture(scope="module")
def killed(folder, stopped):
    """Four go on, two with the halves of the same rows; one is killed.

    Also gives which of them wrote parts of the newest checkpoint.
    """
    mesh = ("--gin.train.mesh=@MeshShape()", "--gin.MeshShape.tensor=2")
    before = newest(folder)
    with training(folder, "run", 4, *mesh, READS=str(folder / "of-four-")) as job:
        job.wait_until(lambda: newest(folder) > before)
        job.processes[2].send_signal(signal.SIGKILL)
        codes = job.wait(120)
        messages = [job.errors(number) for number in range(4)]
    parts = (folder / "run" / "checkpoints" / str(newest(folder))).glob("params/ocdbt.process_*")
    return codes, messages, {path.name for path in parts}


@pytest.fixture(scope="module")
def finished(folder, killed):
    """Two processes go on to the end."""
    with training(folder, "run", 2) as job:
        job.finish()
    return folder / "run"


def newest(folder):
    """Step of the run's newest checkpoint; what has a step's name is complete."""
    names = (path.name for path in (folder / "run" / "checkpoints").iterdir())
    return max(int(name) for name in names if name.isdecimal())


def final_params(path):
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        Model(MODEL).abstract_params,
    )
    with Checkpoints(path / "checkpoints") as checkpoints:
        params, step = checkpoints.restore_params(abstract)
    assert step == STEPS
    return params


def logged(path, prefixes):
    """By step and name."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {
        (line["step"], name): value
        for line in lines
        for name, value in line.items()
        if name.startswith(prefixes)
    }


def read(folder, name, count):
    """Training examples that each process has read, in order."""
    texts = [(folder / f"{name}-{number}").read_text() for number in range(count)]
    return [[word for word in text.split() if word[0] == "t"] for text in texts]


def test_one_process_goes_back_once(one):
    path, _, said = one
    assert WENT_BACK in said
    values = logged(path, "guard/")
    assert values[STEPS, "guard/rollbacks"] == values[STEPS, "guard/skipped"] == 1


def test_asked_to_stop_all_stop_after_the_same_step(stopped):
    codes, messages = stopped
    assert codes == [128 + signal.SIGTERM] * 2
    assert "Stopped by SIGTERM after step" in messages[0]
    assert "Stopped" not in messages[1]
    assert "Traceback" not in "".join(messages)


def test_each_process_reads_its_share(folder, stopped):
    words = [set(each) for each in read(folder, "of-two", 2)]
    # Some rows are looked at by all, to see what the task gives.
    assert max(map(len, words)) < 0.7 * len(set.union(*words))


def test_processes_that_hold_parts_of_the_same_rows_read_the_same(folder, killed):
    words = read(folder, "of-four", 4)
    most = min(map(len, words))
    assert most > 50
    starts = [each[:most] for each in words]
    assert starts[0] == starts[1] != starts[2] == starts[3]
    halves = set(words[0]), set(words[2])
    assert max(map(len, halves)) < 0.7 * len(set.union(*halves))


def test_checkpoints_are_written_by_all(killed):
    assert killed[2] == {f"ocdbt.process_{number}" for number in range(4)}


def test_one_killed_ends_all_with_one_message(killed):
    codes, messages, _ = killed
    assert codes[2] == -signal.SIGKILL
    assert [codes[i] for i in (0, 1, 3)] == [1, 1, 1]
    said = " ".join(messages[0].split())
    assert "t2t: error: Process 2 of 4 is lost" in said
    assert "Run the same command again" in said
    assert "t2t: error" not in messages[1] + messages[3]
    assert "Traceback" not in "".join(messages)


def test_several_processes_train_as_one_does(finished, one):
    reference, _, _ = one
    for a, b in zip(
        jax.tree.leaves(final_params(finished)),
        jax.tree.leaves(final_params(reference)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for prefixes in [("train/loss", "train/echo/loss", "train/grad_norm"), "eval/", "data/"]:
        found, expected = logged(finished, prefixes), logged(reference, prefixes)
        assert found.keys() == expected.keys()
        assert len(expected) >= (1 if prefixes == "eval/" else STEPS)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=str(name))


def test_they_go_back_and_leave_out_the_batches_that_one_does(finished, one, stopped, killed):
    assert logged(finished, "guard/") == logged(one[0], "guard/")
    assert WENT_BACK in stopped[1][0] + killed[1][0]


def test_the_coordinator_killed_ends_all(folder):
    code = (
        "import time\n"
        "from t2t.distributed import find_place, join\n"
        "join(find_place(), heartbeat=30)\n"
        "print('joined')\n"
        "time.sleep(200)\n"
    )
    with Job(("-c", code), 3, folder=folder) as job:
        for number in range(3):
            job.wait_for("joined", number)
        job.processes[0].send_signal(signal.SIGKILL)
        assert job.wait(120) == [-signal.SIGKILL, 1, 1]
        for number in (1, 2):
            said = " ".join(job.errors(number).split())
            assert f"t2t: error: Process {number} of 3 has lost process 0" in said
            assert job.address in said


def test_predictions_are_shared_out_and_joined_in_order(folder, together):
    written = (folder / "together.txt").read_text()
    assert written == (folder / "alone.txt").read_text()
    assert len(set(written.splitlines())) > 35
    assert not list(folder.glob("*.tmp"))


def test_scores_are_shared_out_and_joined_in_order(folder, together):
    written = (folder / "together.jsonl").read_text()
    assert written == (folder / "alone.jsonl").read_text()
    assert [json.loads(line)["inputs"] for line in written.splitlines()] == TEXTS


def test_vectors_are_shared_out_and_joined_in_order(folder, together):
    written = np.load(folder / "together.npy")
    np.testing.assert_array_equal(written, np.load(folder / "alone.npy"))
    assert written.shape == (len(TEXTS), MODEL.encoder.d_model)
    assert len(np.unique(written, axis=0)) == len(TEXTS)


def test_evaluation_is_shared_out_and_gives_the_metrics_of_one(folder, one, together):
    printed = [
        output[output.index("Results of step") :].splitlines() for output in (together[0], one[1])
    ]
    number = r"-?\d+\.\d+"
    texts = [[re.sub(number, "", line) for line in lines] for lines in printed]
    assert texts[0] == texts[1]
    values = [np.array(re.findall(number, "".join(lines)), float) for lines in printed]
    assert len(values[0]) > 3
    np.testing.assert_allclose(*values, atol=1.1e-3)  # they are rounded
    (alone,), (shared,) = (read_results(folder / f"eval-{name}") for name in ("alone", "together"))
    assert shared.step == alone.step == STEPS
    result, expected = (stored.results["echo"] for stored in (shared, alone))
    assert result.metrics == pytest.approx(expected.metrics, abs=2e-4)
    assert result.intervals.keys() == expected.intervals.keys() == expected.metrics.keys()
    assert len(alone.records("echo")) == 21
    for record, other in zip(shared.records("echo"), alone.records("echo"), strict=True):
        for name in ("score", "prediction_score"):
            assert record.pop(name) == pytest.approx(other.pop(name), abs=2e-4)
        assert record == other


def test_an_error_in_one_process_ends_all_with_one_message(together):
    _, codes, messages = together
    assert codes == [1, 1]
    said = " ".join(messages[0].split())
    assert "t2t: error: Process 1 of 2: train.log_every must be at least 1" in said
    assert "t2t: error" not in messages[1]
    assert "Traceback" not in "".join(messages)


def test_a_checkpoint_that_one_process_cannot_write_stops_all(folder):
    with Job(("-c", SAVES), 2, folder=folder) as job:
        assert job.wait(200) == [1, 1]  # long before the others' patience ends
        said = " ".join(job.errors(0).split())
        assert "t2t: error: Process 1 of 2: Saving a checkpoint" in said
        assert "File too large" in said or "Failed writing" in said
        assert "The checkpoint of step 1 is intact" in said
        assert "t2t: error" not in job.errors(1)
    assert [path.name for path in (folder / "saves").glob("[0-9]")] == ["1"]


def test_who_does_not_come_is_told(folder):
    words = ("-m", "t2t.cli", *TRAIN, "--model_dir=x")
    words = (*words, "--coordinator_timeout=2", "--num_processes=2")
    places = [
        (f"--process_id={number}", f"--coordinator_address=localhost:{free_port()}")
        for number in range(2)
    ]
    jobs = [Job((*words, *place), 1, folder=folder) for place in places]
    with jobs[0], jobs[1]:
        assert [job.wait(200) for job in jobs] == [[1], [1]]
        said = [" ".join(job.errors(0).split()) for job in jobs]
    assert "t2t: error: Process 0 of 2 has waited 2 seconds at localhost:" in said[0]
    assert "t2t: error: Process 1 of 2 could not reach the coordinator at localhost:" in said[1]
    assert not any("Traceback" in text or "stack trace" in text for text in said)
