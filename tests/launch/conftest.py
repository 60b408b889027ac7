"""A Slurm of one machine, in a temporary folder, for tests."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "squeue")

# As documented for one machine, with files and ports of its own.
CONFIGURATION = """
ClusterName=t2t
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=p Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm():
    """Starts the daemons, which are no others' business; yields a function that runs a command."""
    if os.geteuid() or any(shutil.which(name) is None for name in COMMANDS):
        pytest.skip("needs root and Slurm: apt-get install slurm-wlm munge")
    host = socket.gethostname().split(".")[0]
    # Paths of sockets must be short, and are not below pytest's folders.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        for part in ("controller", "node"):
            (folder / part).mkdir()
        configuration = folder / "slurm.conf"
        text = CONFIGURATION.format(host=host, folder=folder, ports=free_ports(2))
        configuration.write_text(text)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        environment = {**os.environ, "SLURM_CONF": str(configuration)}

        def run(*words, cwd=None):
            done = subprocess.run(
                words, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
            return done.stdout.strip()

        daemons = [
            ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket"]
            + [f"--{part}-file={folder}/munge.{part}" for part in ("key", "pid", "log", "seed")],
            ["slurmctld", "-D", "-f", str(configuration)],
            ["slurmd", "-D", "-f", str(configuration), "-N", host],
        ]
        ready = [
            lambda: (folder / "munge.socket").exists(),
            lambda: "UP" in run("scontrol", "ping"),
            lambda: run("sinfo", "--noheader", "--format=%T") == "idle",
        ]
        processes = []
        try:
            for words, up in zip(daemons, ready, strict=True):
                log = folder / f"{words[0]}.log"
                with log.open("w") as out:
                    process = subprocess.Popen(words, env=environment, stdout=out, stderr=out)
                processes.append(process)
                until(up, log)
            yield run
            run("scancel", "--user=root")
            until(lambda: not run("squeue", "--noheader"), folder / "slurmctld.log")
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(timeout=60)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def until(up, log, seconds=100):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(AssertionError):  # a command that does not work yet
            if up():
                return
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
