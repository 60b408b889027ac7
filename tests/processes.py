"""Real processes on this machine that work together, as several machines would."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax


class Job:
    """Processes of one job, each on `devices` simulated devices; a context manager that ends them.

    Attributes:
      processes: by their numbers.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        devices: int = 1,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ):
        """Starts them; JAX_PROCESS_ID and the like say which is which.

        Args:
          command: words after the interpreter, such as ("-m", "t2t.cli", "train", ...).
          count: of processes.
          devices: of each.
          folder: to work in; what they print is put there.
          environment: added to this one.
        """
        shared = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": str(devices),
            "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir or "",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.address = f"localhost:{free_port()}"
        self.processes: list[subprocess.Popen] = []
        self._outputs: list[tuple[Path, Path]] = []
        for number in range(count):
            place = {"JAX_NUM_PROCESSES": str(count), "JAX_PROCESS_ID": str(number)}
            if count > 1:
                place["JAX_COORDINATOR_ADDRESS"] = self.address
            name = f"{time.monotonic_ns()}-{number}"
            paths = folder / f"{name}.out", folder / f"{name}.err"
            self._outputs.append(paths)
            with paths[0].open("w") as output, paths[1].open("w") as errors:
                process = subprocess.Popen(
                    [sys.executable, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    cwd=folder,
                    env=shared | place,
                )
            self.processes.append(process)

    def __enter__(self) -> "Job":
        return self

    def __exit__(self, *_):
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()

    def wait(self, timeout: float = 300) -> list[int]:
        """Exit statuses of all; raises TimeoutExpired, so that nothing hangs."""
        until = time.monotonic() + timeout
        return [p.wait(max(until - time.monotonic(), 0.1)) for p in self.processes]

    def finish(self, timeout: float = 300) -> list[str]:
        """Waits for all to succeed; what each has printed."""
        codes = self.wait(timeout)
        assert not any(codes), "\n".join(map(self.errors, range(len(codes))))
        return [self.output(number) for number in range(len(codes))]

    def wait_for(self, text: str, process: int = 0, timeout: float = 300) -> None:
        """Until a process has printed `text`."""
        self.wait_until(lambda: text in self.output(process), process, timeout)

    def wait_until(
        self, condition: Callable[[], bool], process: int = 0, timeout: float = 300
    ) -> None:
        """Until it is so, which must be before a process ends."""
        until = time.monotonic() + timeout
        while not condition():
            assert self.processes[process].poll() is None, self.errors(process)
            assert time.monotonic() < until, self.errors(process)
            time.sleep(0.05)

    def output(self, process: int) -> str:
        """Standard output so far."""
        return self._outputs[process][0].read_text()

    def errors(self, process: int) -> str:
        """Standard error so far."""
        return self._outputs[process][1].read_text()


def run(command: Sequence[str], count: int, *, folder: Path, devices: int = 1) -> list[str]:
    """Runs a job to its end; what each process has printed."""
    with Job(command, count, devices=devices, folder=folder) as job:
        return job.finish()


def free_port() -> int:
    """A port that nobody listens at, just now."""
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]
