"""Which process on which machine this is, so that others can find out whether it still runs."""

import dataclasses
import os
import socket
import uuid
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class ProcessIdentity:
    """A process, for messages and for `is_alive`.

    Attributes:
      host: name of the machine, for people.
      machine: one boot of one machine, and the namespace of its process numbers.
      pid: process number there.
      started: when the process started, in clock ticks since boot; "" if the system does not tell.
      job: of a scheduler, as in "Slurm job 17"; "" if there is none.
    """

    host: str
    machine: str
    pid: int
    started: str
    job: str

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """This process."""
        slurm = os.environ.get("SLURM_JOB_ID")
        return cls(
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            started=_started(os.getpid()),
            job=f"Slurm job {slurm}" if slurm else "",
        )

    def is_alive(self) -> bool | None:
        """Whether it still runs; None if that cannot be told from here.

        A process number that another process has by now is told by when that one started.
        """
        if self.machine != _machine():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # of another user
            pass
        started = _started(self.pid)
        if not (started and self.started):
            return None
        return started == self.started and _has_running_threads(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" + (f" ({self.job})" if self.job else "")


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _started(pid: int) -> str:
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return fields[19] if fields else ""


def _has_running_threads(pid: int) -> bool:
    """False for a zombie: killed, but not yet reaped by its parent."""
    states = [_stat(task / "stat")[:1] for task in Path(f"/proc/{pid}/task").glob("*")]
    return any(state not in ([], ["Z"], ["X"]) for state in states)


def _stat(path: Path) -> list[str]:
    """Fields of a process from its state on; the name before it may hold anything."""
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
