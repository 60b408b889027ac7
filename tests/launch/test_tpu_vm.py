"""TPU VMs: which commands of gcloud are run, and what those for the workers do there."""

import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "launch" / "tpu_vm.py"
FAKE = Path(__file__).with_name("fake_gcloud.py")
RUN = ["run", "--name=pod", "--zone=z", "--accelerator_type=v5litepod-8", "--runtime_version=v2"]
STUB = '#!/usr/bin/env bash\nprintf "%s:" "$WORKER" "$@"; echo\n'
REAL_GCLOUD = shutil.which("gcloud")


@pytest.fixture
def cloud(tmp_path):
    """A folder that the fake gcloud works in; no TPU there yet, one soon after it is asked for."""
    folder = tmp_path / "cloud"
    for name in ("worker0", "worker1", "bin"):
        (folder / name).mkdir(parents=True)
    gcloud = folder / "bin" / "gcloud"
    gcloud.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S -E {FAKE} "$@"\n')
    gcloud.chmod(0o755)
    (folder / "t2t").write_text(STUB)
    (folder / "states").write_text("PROVISIONING ACTIVE")
    (folder / "t2t-0.1.0-py3-none-any.whl").touch()
    return folder


# What a shell starts in the background ignores SIGINT, as does all that it starts in turn.
HEEDS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def launch(cloud, *words):
    path = f"{cloud / 'bin'}{os.pathsep}{os.environ['PATH']}"
    flags = []
    if words[0] == "run":
        wheel = cloud / "t2t-0.1.0-py3-none-any.whl"
        flags = [f"--wheel={wheel}", "--poll_seconds=0.05"]
    verb, *rest = words
    return subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, sys.executable, str(TOOL), verb, *flags, *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PATH": path, "FAKE_GCLOUD": str(cloud)},
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def calls(cloud):
    """Verb and other words of each call so far."""
    lines = (cloud / "calls.jsonl").read_text().splitlines()
    return [(words[3], words[4:]) for words in map(json.loads, lines)]


def verbs(cloud):
    return [verb for verb, _ in calls(cloud)]


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_from_nothing_to_the_end_of_a_command_on_all_workers(cloud):
    words = ["t2t", "train", "--gin.MIXTURE='a b'", 'say "$HOME" `ls`']
    flags = ["--spot", "--num_slices=2", "--project=p", "--create_flag=--network=n"]
    status, out, err = finish(launch(cloud, *RUN, *flags, "--", *words))
    assert status == 0, err
    for worker in ("worker0", "worker1"):
        assert f"{worker}:train:--gin.MIXTURE='a b':say \"$HOME\" `ls`:" in out
    recorded = calls(cloud)
    assert [verb for verb, _ in recorded] == [
        *("describe", "create", "describe", "describe", "scp", "ssh", "ssh"),
    ]
    for _, rest in recorded:
        assert {"--zone=z", "--project=p"} <= set(rest)
    assert recorded[1][1][:-2] == [
        *("pod", "--node-count=2", "--node-prefix=pod", "--accelerator-type=v5litepod-8"),
        *("--runtime-version=v2", "--spot", "--network=n"),
    ]
    for verb, rest in recorded[-3:]:
        assert {"--node=all", "--worker=all", "--batch-size=all"} <= set(rest), verb
    assert err.splitlines() == [
        "tpu_vm.py: queued-resources create pod",
        "tpu_vm.py: pod is PROVISIONING",
        "tpu_vm.py: pod is ACTIVE",
        "tpu_vm.py: queued-resources scp pod",
        *["tpu_vm.py: queued-resources ssh pod"] * 2,
    ]


def test_after_a_preemption_it_asks_again_and_goes_on(cloud):
    """The first command ends as a process does whose machine shuts down."""
    (cloud / "t2t").write_text(
        f"#!/usr/bin/env bash\ncd {cloud}; if [ $WORKER = worker1 ]; then exit 0; fi\n"
        "if [ ! -e again ]; then touch again; echo SUSPENDING SUSPENDED > states; exit 143; fi\n"
        "echo finished\n"
    )
    (cloud / "states").write_text("ACTIVE")
    process = launch(cloud, *RUN, "--", "t2t", "train")
    until((cloud / "again").exists)
    until(lambda: verbs(cloud).count("create") == 2)
    (cloud / "states").write_text("ACTIVE")
    status, out, err = finish(process)
    assert status == 0
    assert "finished" in out
    assert "restart 1 of at most 100" in err
    order = [verb for verb in verbs(cloud) if verb != "describe"]
    once = ["create", "scp", "ssh", "ssh"]
    assert order == [*once, "delete", *once]


def test_a_failing_command_is_not_repeated(cloud):
    (cloud / "t2t").write_text("#!/usr/bin/env bash\nexit 5\n")
    status, _, err = finish(launch(cloud, *RUN, "--", "t2t", "train"))
    assert status == 5
    assert "ended with status 5; the TPU is there still, and billed" in err
    assert verbs(cloud).count("ssh") == 2
    assert "delete" not in verbs(cloud)


def test_restarts_end(cloud):
    (cloud / "t2t").write_text("#!/usr/bin/env bash\nexit 255\n")
    status, _, err = finish(launch(cloud, *RUN, "--max_restarts=1", "--", "t2t", "train"))
    assert status == 1
    assert err.splitlines()[-1] == "tpu_vm.py: error: given up after 1 restarts"
    assert verbs(cloud).count("create") == 1  # it was the connection


LONG = """#!/usr/bin/env bash
trap 'echo saved; touch ~/saved; exit 143' TERM
touch ~/begun
echo "begun as $$"
for _ in $(seq 600); do sleep 0.1; done
"""


def test_stop_ends_the_command_and_ctrl_c_does_not(cloud):
    (cloud / "t2t").write_text(LONG)
    first = launch(cloud, *RUN, "--", "t2t", "train")
    workers = [cloud / "worker0", cloud / "worker1"]
    until(lambda: all((worker / "begun").exists() for worker in workers))
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does
    status, _, err = finish(first)
    assert status == 130
    assert "goes on: `run` follows it again" in err

    second = launch(cloud, *RUN, "--", "t2t", "train")
    until(lambda: verbs(cloud)[-1] == "ssh" and "setsid" in str(calls(cloud)[-1]))
    status, _, err = finish(launch(cloud, "stop", "--name=pod", "--zone=z"))
    assert status == 0
    status, out, err = finish(second)
    assert status == 143
    assert out.count("begun as") == 2  # one process on each worker, not two
    assert out.count("already running; its output follows") == 2
    assert out.count("saved") == 2
    assert [(worker / "t2t.status").read_text() for worker in workers] == ["143\n"] * 2
    assert all((worker / "saved").exists() for worker in workers)

    _, out, _ = finish(launch(cloud, "stop", "--name=pod", "--zone=z"))
    assert out.splitlines() == ["nothing is running"] * 2
    assert finish(launch(cloud, "delete", "--name=pod", "--zone=z"))[0] == 0
    assert calls(cloud)[-1] == ("delete", ["pod", "--force", "--quiet", "--zone=z"])


def test_a_dry_run_calls_nothing(cloud):
    status, out, _ = finish(launch(cloud, *RUN, "--dry_run", "--", "t2t", "train"))
    assert status == 0
    assert not (cloud / "calls.jsonl").exists()
    printed = [words[4] for words in gcloud_commands(out)]
    assert printed == ["describe", "create", "scp", "ssh", "ssh"]


def gcloud_commands(out):
    """Words of the commands that were printed; a command may have several lines."""
    words = shlex.split(out)
    starts = [n for n, word in enumerate(words) if word == "gcloud"] + [len(words)]
    return [words[a:b] for a, b in itertools.pairwise(starts)]


@pytest.mark.skipif(REAL_GCLOUD is None, reason="needs the Google Cloud CLI: google-cloud-cli")
def test_the_real_gcloud_knows_every_flag(cloud, tmp_path):
    """It parses the commands, without network or account."""
    one = [*RUN, "--spot", "--dry_run", "--", "t2t", "train"]
    several = [*RUN, "--num_slices=2", "--project=p", "--dry_run", "--", "t2t", "train"]
    delete = ["delete", "--name=pod", "--zone=z", "--dry_run"]
    commands = [
        shlex.join(words)
        for flags in (one, several, delete)
        for words in gcloud_commands(finish(launch(cloud, *flags))[1])
    ]
    assert len(commands) == 11
    numbered = [{"command_string": c, "id": str(n)} for n, c in enumerate(commands)]
    (tmp_path / "commands").write_text(json.dumps(numbered))
    checked = subprocess.run(
        [REAL_GCLOUD, "meta", "lint-gcloud-commands", f"--commands-file={tmp_path / 'commands'}"],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path / "config")},
    )
    results = json.loads(checked.stdout)
    assert len(results) == len(commands)
    assert [r.get("error_message") for r in results if not r["success"]] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*RUN], "no command: write it after --"),
        ([*RUN, "--wheel=nonesuch.whl", "--", "t2t"], "no such file: 'nonesuch.whl'"),
        ([*RUN, "--copy=my.gin", "--", "t2t"], "no such file: 'my.gin'"),
    ],
)
def test_mistakes_are_one_line(cloud, words, message):
    status, _, err = finish(launch(cloud, *words))
    assert status == 1
    assert err.startswith(f"tpu_vm.py: error: {message}")
    assert not (cloud / "calls.jsonl").exists()


def test_what_gcloud_refuses_is_told(cloud):
    (cloud / "broken").touch()
    status, _, err = finish(launch(cloud, *RUN, "--", "t2t", "train"))
    assert status == 1
    assert "You do not currently have an active account" in err
    assert verbs(cloud) == ["describe"]
