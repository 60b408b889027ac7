"""Stands in for gcloud: records its calls, and plays a TPU whose workers are folders.

In the folder $FAKE_GCLOUD: `calls.jsonl` gets every call's words, `state` is the queued resource's
state (no such file: there is no resource), `states` are those that come, one per question, and
`worker0`, `worker1` are home folders, in which the commands of ssh really run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_GCLOUD"])


def main(words):
    with (FOLDER / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    verb = words[3]
    return globals()[f"_{verb}"](words)


def _describe(words):
    if (FOLDER / "broken").exists():
        print("ERROR: (gcloud) You do not currently have an active account.", file=sys.stderr)
        return 1
    states = FOLDER / "states"
    coming = states.read_text().split() if states.exists() else []
    if coming and (FOLDER / "state").exists():
        (FOLDER / "state").write_text(coming[0])
        states.write_text(" ".join(coming[1:]))
    if not (FOLDER / "state").exists():
        print("ERROR: (gcloud) NOT_FOUND: Resource was not found", file=sys.stderr)
        return 1
    print((FOLDER / "state").read_text())
    return 0


def _create(words):
    (FOLDER / "state").write_text("WAITING_FOR_RESOURCES")
    return 0


def _delete(words):
    (FOLDER / "state").unlink()
    return 0


def _scp(words):
    return 0


def _ssh(words):
    (script,) = [word.removeprefix("--command=") for word in words if word.startswith("--command=")]
    processes = []
    for home in sorted(FOLDER.glob("worker*")):
        if "uv pip install" in script:
            (home / "t2t-venv" / "bin").mkdir(parents=True, exist_ok=True)
            t2t = home / "t2t-venv" / "bin" / "t2t"
            t2t.write_text((FOLDER / "t2t").read_text())
            t2t.chmod(0o755)
        else:
            environment = {**os.environ, "HOME": str(home), "WORKER": home.name}
            processes.append(subprocess.Popen(["bash", "-c", script], env=environment, cwd=home))
    statuses = [process.wait() for process in processes]
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
