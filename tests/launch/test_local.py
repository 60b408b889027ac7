"""The launcher on one machine, with real processes: output, environment, signals, ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "launch"

# Ends on SIGTERM as `t2t train` does, process 1 a little later than process 0.
TRAINER = """
import os, signal, sys, time
def stop(*_):
    time.sleep(0.2 + 0.5 * int(os.environ["JAX_PROCESS_ID"]))
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def local(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import local

    return local


def launch(*words, **environment):
    return subprocess.Popen(
        [sys.executable, str(FOLDER / "local.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
    )


def python(program, *flags, processes=2):
    """Launches a Python program."""
    return launch(f"--num_processes={processes}", *flags, "--", sys.executable, "-c", program)


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_every_process_is_told_who_it_is_and_lines_tell_who_wrote_them():
    program = """
import json, os, sys
print(json.dumps({k: v for k, v in os.environ.items() if k.startswith("JAX_")}))
print("to stderr", file=sys.stderr)
print("no end of line", end="")
"""
    status, out, err = finish(python(program, "--devices_per_process=4", processes=3))
    assert status == 0
    said = {int(n): json.loads(line) for n, line in re.findall(r"^\[(\d)\] (\{.*)$", out, re.M)}
    assert sorted(said) == [0, 1, 2]
    addresses = {variables["JAX_COORDINATOR_ADDRESS"] for variables in said.values()}
    assert len(addresses) == 1
    assert re.fullmatch(r"127\.0\.0\.1:\d+", addresses.pop())
    for index, variables in said.items():
        assert variables["JAX_NUM_PROCESSES"] == "3"
        assert variables["JAX_PROCESS_ID"] == str(index)
        assert variables["JAX_NUM_CPU_DEVICES"] == "4"
    assert sorted(err.splitlines()) == [f"[{n}] to stderr" for n in range(3)]
    assert sorted(out.splitlines())[::2] == [f"[{n}] no end of line" for n in range(3)]


def test_when_one_fails_the_others_are_ended_and_its_status_is_returned():
    program = """
import os, signal, sys, time
if os.environ["JAX_PROCESS_ID"] == "1":
    sys.exit(7)
if os.environ["JAX_PROCESS_ID"] == "2":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(60)
"""
    started = time.monotonic()
    status, _, err = finish(python(program, "--grace=0.5", processes=3))
    assert status == 7
    assert time.monotonic() - started < 50
    assert err.splitlines() == [
        "local.py: process 1 ended with status 7",
        "local.py: SIGTERM to process 0, 2",
        "local.py: SIGKILL to process 2",
    ]


def test_death_by_a_signal_is_a_status_as_in_a_shell():
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert finish(python(kill, processes=1))[0] == 128 + 9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_reaches_all_and_nobody_is_hurried(number):
    """Process 1 takes longer than --grace, but nothing has failed."""
    process = python(TRAINER, "--grace=0.1")
    for _ in range(2):
        assert process.stdout.readline().endswith("ready\n")
    process.send_signal(number)
    status, out, err = finish(process)
    assert status == 143
    assert sorted(out.splitlines()) == ["[0] saved", "[1] saved"]
    assert err == ""


def test_a_request_to_stop_reaches_a_process_that_is_being_started(local, monkeypatch, capfd):
    start = subprocess.Popen

    def start_and_be_told(*args, **options):
        process = start(*args, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(local.subprocess, "Popen", start_and_be_told)
    program = "import time; time.sleep(20); print('was not told')"
    processes = local.Processes([sys.executable, "-c", program], [os.environ] * 2)
    assert processes.run(grace=30) == 143
    assert capfd.readouterr().out == ""


def test_ctrl_c_is_seen_once():
    program = """
import signal, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
end = time.monotonic() + 1
while time.monotonic() < end:
    time.sleep(0.05)
print("seen", len(seen), flush=True)
"""
    process = python(program)
    for _ in range(2):
        assert process.stdout.readline().endswith("ready\n")
    process.send_signal(signal.SIGINT)
    status, out, _ = finish(process)
    assert status == 0
    assert sorted(out.splitlines()) == ["[0] seen 1", "[1] seen 1"]


def test_processes_go_on_when_nobody_reads(tmp_path):
    program = f"""
import os, pathlib
for n in range(20000):
    print("line", n)
pathlib.Path({str(tmp_path)!r}, os.environ["JAX_PROCESS_ID"]).touch()
"""
    process = python(program)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_gpus_are_shared_out(local):
    shares = local.process_variables(2, None, ["4", "5", "6", "7"], 1234)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["4,5", "6,7"]
    shares = local.process_variables(2, 1, ["4", "5", "6", "7"], 1234)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["4", "5"]
    assert "JAX_NUM_CPU_DEVICES" not in shares[0]


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, ["2", "3"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "2,3", "JAX_PLATFORMS": "cpu"}, []),
        ({"CUDA_VISIBLE_DEVICES": "2", "JAX_PLATFORMS": "cuda,cpu"}, ["2"]),
    ],
)
def test_gpus_are_those_that_jax_would_see(local, environment, gpus):
    assert local.visible_gpus(environment) == gpus


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--num_processes=2"], "no command: write it after --"),
        (["--num_processes=2", "--", "nonesuch"], "no command 'nonesuch'"),
        (["--num_processes=0", "--", "env"], "must be at least 1"),
        (["--num_processes=2", "--devices_per_process=0", "--", "env"], "must be at least 1"),
        (["--num_processes=2", "--devices_per_process=2", "--", "env"], "need 4, but 3 are here"),
    ],
)
def test_mistakes_are_one_line(local, capsys, monkeypatch, words, message):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert local.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("local.py: error: ")
    assert message in line
