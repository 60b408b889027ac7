"""On what a run was trained: a line for each time that it was started."""

import json
import platform
import socket
import sys
import time

import jax

from t2t import __version__
from t2t.paths import is_remote
from t2t.training.run_directory import RunDirectory


def record_start(run: RunDirectory, step: int) -> None:
    """Appends when, from which step, and on what training starts to `starts.jsonl`.

    Args:
      run: its folder.
      step: of the checkpoint that it goes on from; 0 for a fresh start.
    """
    line = json.dumps({"time": round(time.time(), 3), "step": step, **_surroundings()}) + "\n"
    if is_remote(run.path):  # where nothing can be appended
        before = run.starts.read_text(encoding="utf-8") if run.starts.exists() else ""
        run.starts.write_text(before + line, encoding="utf-8")
        return
    with run.starts.open("a", encoding="utf-8") as file:
        file.write(line)


def _surroundings() -> dict[str, str | int]:
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "jax": jax.__version__,
        "t2t": __version__,
    }
