"""Runs one command as several JAX processes on this machine, as a cluster would.

    python tools/launch/local.py --num_processes 2 -- t2t train --gin_file=quickstart.gin

Every line of output begins with the number of its process. SIGTERM, SIGINT (Ctrl-C) and SIGHUP go
to all processes; `t2t train` then saves a checkpoint and stops. If a process fails, the others are
ended a little later, and its exit status is returned. Nothing but Python is needed here.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

FORWARDED = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGHUP: signal.SIGTERM,  # the terminal is gone: what SIGHUP itself ends saves nothing
}


class Failure(Exception):
    """A message for the user, on one line."""


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    try:
        if not words:
            raise Failure("no command: write it after --, as in: -- t2t train --gin_file=FILE")
        each = args.devices_per_process
        if args.num_processes < 1 or (each is not None and each < 1):
            raise Failure("--num_processes and --devices_per_process must be at least 1")
        if shutil.which(words[0]) is None:
            raise Failure(f"no command '{words[0]}' here; is its environment activated?")
        gpus = visible_gpus(os.environ)
        environments = [
            os.environ | variables
            for variables in process_variables(args.num_processes, each, gpus, free_port())
        ]
    except Failure as failure:
        print(f"local.py: error: {failure}", file=sys.stderr)
        return 2
    return Processes(words, environments).run(args.grace)


def process_variables(
    num_processes: int, devices_per_process: int | None, gpus: Sequence[str], port: int
) -> list[dict[str, str]]:
    """What each process finds in its environment, beside what is here.

    Args:
      num_processes: how many there will be.
      devices_per_process: of each; None for an equal share of the GPUs, and for what
        JAX_NUM_CPU_DEVICES says, or 1, on CPUs.
      gpus: names of the GPUs to share out; empty for CPUs.
      port: where process 0 will listen.

    Raises:
      Failure: if there are too few GPUs.
    """
    each = devices_per_process
    if gpus:
        each = each or len(gpus) // num_processes
        if not each or each * num_processes > len(gpus):
            raise Failure(
                f"{num_processes} processes with {each or 1} GPU(s) each need "
                f"{num_processes * (each or 1)}, but {len(gpus)} are here; "
                f"JAX_PLATFORMS=cpu runs on CPUs"
            )
    environments = []
    for index in range(num_processes):
        variables = {
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
            "JAX_NUM_PROCESSES": str(num_processes),
            "JAX_PROCESS_ID": str(index),
            "PYTHONUNBUFFERED": "1",  # or lines come late, and in blocks
        }
        if gpus:
            assert each is not None
            own = gpus[index * each : (index + 1) * each]
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        elif each:
            variables["JAX_NUM_CPU_DEVICES"] = str(each)
        environments.append(variables)
    return environments


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Names of GPUs for CUDA_VISIBLE_DEVICES; none if there are none or JAX is to leave them."""
    if environment.get("JAX_PLATFORMS", "cuda").split(",")[0] not in ("cuda", "gpu"):
        return []
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name]
    try:
        query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        found = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return found.stdout.split()


def free_port() -> int:
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Processes:
    """The same command, once for each environment."""

    def __init__(self, words: Sequence[str], environments: Sequence[Mapping[str, str]]):
        self._words, self._environments = words, environments
        self._running: dict[int, subprocess.Popen] = {}
        self._asked: set[int] = set()  # signals that were passed on

    def run(self, grace: float) -> int:
        """Waits for all; returns 0, or the exit status of the first that failed.

        Args:
          grace: seconds between a failure, SIGTERM to the processes left, and SIGKILL to these.
        """
        previous = {number: signal.signal(number, self._forward) for number in FORWARDED}
        try:
            copies = self._start()
            status = self._wait(grace)
            for copy in copies:
                copy.join(timeout=grace)  # a grandchild could hold the pipe open
            return status
        finally:
            self._send(signal.SIGKILL)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start(self) -> list[threading.Thread]:
        copies = []
        for index, environment in enumerate(self._environments):
            if self._asked:  # to end, before all had started
                break
            # In a session of its own, Ctrl-C reaches a process once: through this one.
            process = subprocess.Popen(
                self._words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running[index] = process
            for number in list(self._asked):  # while it was being started
                process.send_signal(number)
            for source, sink in (
                (process.stdout, sys.stdout.buffer),
                (process.stderr, sys.stderr.buffer),
            ):
                copy = threading.Thread(target=_copy, args=(source, sink, index), daemon=True)
                copy.start()
                copies.append(copy)
        return copies

    def _wait(self, grace: float) -> int:
        status, failed_at = 0, 0.0
        sent: list[signal.Signals] = []
        while self._running:
            for index, process in list(self._running.items()):
                if process.poll() is None:
                    continue
                del self._running[index]
                code = process.returncode if process.returncode >= 0 else 128 - process.returncode
                asked = code - 128 in self._asked  # it did as told, and so will the others
                if code and not failed_at and not asked:
                    status, failed_at = code, time.monotonic()
                    print(f"local.py: process {index} ended with status {code}", file=sys.stderr)
                status = status or code
            waited = time.monotonic() - failed_at if failed_at and self._running else 0.0
            for number in (signal.SIGTERM, signal.SIGKILL):
                if waited > grace * (len(sent) + 1) and number not in sent:
                    sent.append(number)
                    names = ", ".join(map(str, self._running))
                    print(f"local.py: {number.name} to process {names}", file=sys.stderr)
                    self._send(number)
            time.sleep(0.05)
        return status

    def _forward(self, number: int, _) -> None:
        passed = FORWARDED[signal.Signals(number)]
        self._asked.add(passed)
        self._send(passed)

    def _send(self, number: int) -> None:
        for process in list(self._running.values()):
            # To the group: a data worker whose parent is killed would live on.
            if number == signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)


def _copy(source: BinaryIO, sink: BinaryIO, index: int) -> None:
    with source:
        for line in source:
            try:
                sink.write(b"[%d] %s" % (index, line if line.endswith(b"\n") else line + b"\n"))
                sink.flush()
            except BrokenPipeError:  # nobody reads any more, as after `| head`; all go on
                os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local.py",
        usage="local.py --num_processes N [--devices_per_process K] [--grace SECONDS] -- COMMAND",
        description="Run a command as several JAX processes on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--num_processes", type=int, required=True, metavar="N", help=
        "how many; each takes the devices that the others have not")  # fmt: skip
    parser.add_argument("--devices_per_process", type=int, metavar="K", help=
        "GPUs of each process (default: an equal share), or simulated CPU devices")  # fmt: skip
    parser.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help=
        "from a failure to SIGTERM for the other processes, and from that to SIGKILL "
        "(default: %(default)g)")  # fmt: skip
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
