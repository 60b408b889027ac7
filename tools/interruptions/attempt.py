"""One start of `t2t train`, watched from outside: how far it got, how it ended."""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 1800.0  # seconds for anything to happen, on a busy machine


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an attempt ended, and where it had begun; of several processes, the first."""

    process: int
    status: int
    seconds_to_start: float | None  # the first batch, if it was waited for
    seconds_to_end: float
    resumed_from: int
    batches: list[str]
    log: str


class Attempt:
    """A start of training in `folder / name`, on one process or several of this machine."""

    def __init__(
        self,
        folder: Path,
        name: str,
        bindings: list[str],
        devices: int = 1,
        processes: int = 1,
        optimizer: str = "adafactor",
    ):
        """`devices` is how many a process simulates, `optimizer` a gin file here."""
        records = folder / "records"
        records.mkdir(exist_ok=True)
        environment = os.environ | {
            "JAX_NUM_CPU_DEVICES": str(devices),
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "INTERRUPTIONS_RECORDS": str(records),
        }
        command = [
            *(sys.executable, "-m", "t2t.cli", "train", f"--model_dir={folder / name}"),
            *(f"--gin_file={HERE / file}.gin" for file in ("workload", optimizer)),
            *(f"--gin.{binding}" for binding in bindings),
        ]
        places = _places(processes)
        self._errors = [folder / f"{name}-{number}.stderr" for number in range(processes)]
        self._processes = []
        for place, errors in zip(places, self._errors, strict=True):
            with errors.with_suffix(".stdout").open("w") as output, errors.open("w") as said:
                process = subprocess.Popen(
                    [*command, *place],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=said,
                    cwd=HERE,  # for `import workload`
                    env=environment,
                    start_new_session=True,
                )
            self._processes.append(process)
        self._records = [records / str(process.pid) for process in self._processes]
        for record in self._records:
            record.unlink(missing_ok=True)  # of a process with the same number
        self._started = time.monotonic()
        self._seconds_to_start: float | None = None

    @property
    def resumed_from(self) -> int:
        """The step of the checkpoint that it went on from; 0 if it began."""
        said = self._errors[0].read_text()
        found = re.search(r"resuming from the checkpoint of step (\d+)", said)
        return int(found[1]) if found else 0

    @property
    def batches(self) -> list[str]:
        """A digest of each batch built so far by all, from step `resumed_from` + 1 on."""
        shares = [_whole_lines(record) for record in self._records]
        return ["".join(rows) for rows in zip(*shares, strict=False)]

    def wait(self, step: int, seconds: float | None = None) -> bool:
        """Waits until the batch of a step is built, or any, or so long; False if it ended."""
        deadline = time.monotonic() + PATIENCE
        while not (self.batches and self.resumed_from + len(self.batches) >= step):
            if self._processes[0].poll() is not None:
                return False
            if seconds is not None and time.monotonic() - self._started >= seconds:
                break
            if time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise TimeoutError(f"nothing happened in {PATIENCE:.0f} s; see {self._errors[0]}")
            time.sleep(0.005)
            if self.batches and self._seconds_to_start is None:
                self._seconds_to_start = time.monotonic() - self._started
        return True

    def end(self, kind: signal.Signals | None = None) -> Ending:
        """Sends a signal to all, if one is given, and waits for the end."""
        sent = time.monotonic()
        for process in self._processes:
            if kind is not None and process.poll() is None:
                # Ctrl-C goes to all processes in the foreground, with those that build batches.
                (os.killpg if kind == signal.SIGINT else os.kill)(process.pid, kind)
        try:
            statuses = [process.wait(PATIENCE) for process in self._processes]
        except BaseException:
            for process in self._processes:
                process.kill()
            raise
        log = self._errors[0].read_text()
        return Ending(
            process=self._processes[0].pid,
            status=statuses[0],
            seconds_to_start=self._seconds_to_start,
            seconds_to_end=time.monotonic() - sent,
            resumed_from=self.resumed_from,
            batches=self.batches,
            log=log,
        )


def _places(processes: int) -> list[list[str]]:
    """Flags that tell each process of several where the others are."""
    if processes == 1:
        return [[]]
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    common = [f"--coordinator_address=localhost:{port}", f"--num_processes={processes}"]
    return [[*common, f"--process_id={number}"] for number in range(processes)]


def _whole_lines(path: Path) -> list[str]:
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [line[:-1] for line in lines if line.endswith("\n")]
