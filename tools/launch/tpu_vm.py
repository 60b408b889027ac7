"""Trains on TPU VMs of Google Cloud, through queued resources; starts again after preemption.

    python tools/launch/tpu_vm.py run --name=NAME --zone=us-west4-a --spot \\
        --accelerator_type=v5litepod-16 --runtime_version=v2-alpha-tpuv5-lite \\
        -- t2t train --gin_file=FILE --model_dir=gs://BUCKET/FOLDER
    python tools/launch/tpu_vm.py stop --name=NAME --zone=us-west4-a
    python tools/launch/tpu_vm.py delete --name=NAME --zone=us-west4-a

`run` asks for the TPU if there is none of that name, waits for it, installs t2t on all workers,
runs the command on all and shows what they write; after a preemption, it does so again. Ctrl-C or
a lost connection ends `run`, not the training, and the same `run` again follows it. `stop` asks for
a checkpoint and an end. Nothing is deleted, and everything is billed, until `delete`.

Nothing but Python and gcloud is needed here. --dry_run prints the commands of gcloud, runs none.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WAITING = {"CREATING", "ACCEPTED", "PROVISIONING", "WAITING_FOR_RESOURCES"}
LEAVING = {"SUSPENDING", "DELETING"}
LOST = 255  # ssh's status

# Ubuntu 22.04, which most runtimes are, has an older Python than t2t needs: uv brings one.
INSTALL = """
set -e
PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --user uv
uv="python3 -m uv"
$uv venv --quiet --clear --python 3.12 ~/t2t-venv
$uv pip install --quiet --python ~/t2t-venv/bin/python --constraint ~/constraints.txt \
  "t2t[tpu] @ file://$HOME/{wheel}"
"""

# The command outlives the connection, in a process group of its own; its status ends in a file.
FOLLOW = """
cd
if kill -0 "$(cat t2t.pid 2>/dev/null)" 2>/dev/null; then
  echo "already running; its output follows"
else
  rm -f t2t.status
  export PATH="$HOME/t2t-venv/bin:$PATH" PYTHONUNBUFFERED=1
  setsid nohup bash -c {supervised} >t2t.log 2>&1 </dev/null &
  echo $! >t2t.pid
fi
tail --lines=+1 --sleep-interval=0.2 --pid="$(cat t2t.pid)" -F t2t.log
exit "$(cat t2t.status || echo 1)"
"""

STOP = """
cd
if ! kill -TERM -- "-$(cat t2t.pid 2>/dev/null)" 2>/dev/null; then
  echo "nothing is running"
fi
"""


class Failure(Exception):
    """A message for the user, on one line."""


class QueuedResource:
    """TPU slices that come and go together."""

    def __init__(self, name: str, zone: str, project: str | None, dry_run: bool):
        self._name, self._dry_run = name, dry_run
        self._where = [f"--zone={zone}", *([f"--project={project}"] if project else [])]

    def state(self) -> str | None:
        """ACTIVE, WAITING_FOR_RESOURCES and so on; None if there is none of this name."""
        words = [*self._words("describe", self._name), "--format=value(state.state)"]
        if self._dry_run:
            print(shlex.join(words))
            return None
        found = subprocess.run(words, capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
        if "NOT_FOUND" in found.stderr:
            return None
        raise Failure(f"{shlex.join(words)}: {found.stderr.strip()}")

    def create(self, args: argparse.Namespace) -> None:
        """Asks for it; returns before it is there."""
        slices = [f"--node-id={self._name}"]
        if args.num_slices > 1:
            slices = [f"--node-count={args.num_slices}", f"--node-prefix={self._name}"]
        self._checked(
            *("create", self._name, *slices),
            f"--accelerator-type={args.accelerator_type}",
            f"--runtime-version={args.runtime_version}",
            *(["--spot"] if args.spot else []),
            *(args.create_flag or []),
        )

    def delete(self) -> None:
        """Gives it back, and what is on it."""
        self._checked("delete", self._name, "--force", "--quiet")

    def copy(self, files: Sequence[Path]) -> None:
        """To the home folders of all workers."""
        flags = ("--recurse", "--node=all", "--worker=all", "--batch-size=all")
        self._checked("scp", *map(str, files), f"{self._name}:", *flags)

    def ssh(self, script: str) -> int:
        """Runs it on all workers at once; returns a status that is not 0, if there is one."""
        # Without --batch-size, workers after the 64th would begin when the first have ended.
        flags = ("--node=all", "--worker=all", "--batch-size=all", f"--command={script.strip()}")
        # A worker that is gone would be waited for for hours.
        alive = "--ssh-flag=-oServerAliveInterval=30"
        return self._call(self._words("ssh", self._name, *flags, alive))

    def _checked(self, verb: str, *words: str) -> None:
        status = self._call(self._words(verb, *words))
        if status:
            raise Failure(f"gcloud could not {verb} {self._name} (status {status}): see above")

    def _call(self, words: Sequence[str]) -> int:
        if self._dry_run:
            print(shlex.join(words))
            return 0
        _say(" ".join([*words[3:5], self._name]))
        return subprocess.run(words, stdin=subprocess.DEVNULL).returncode

    def _words(self, verb: str, *words: str) -> list[str]:
        return ["gcloud", "compute", "tpus", "queued-resources", verb, *words, *self._where]


def run(resource: QueuedResource, args: argparse.Namespace) -> int:
    """Runs the command to its end, over as many TPUs as it takes; returns its status."""
    files, wheel = _files(args)
    supervised = f"trap : TERM; {shlex.join(args.command)}; echo $? >t2t.status"
    follow = FOLLOW.format(supervised=shlex.quote(supervised))
    for restart in range(args.max_restarts + 1):
        if restart:
            _say(f"restart {restart} of at most {args.max_restarts}")
        if _acquire(resource, args):
            resource.copy(files)
            if resource.ssh(INSTALL.format(wheel=wheel)):
                raise Failure("t2t could not be installed on all workers: see above")
        status = resource.ssh(follow)
        if args.dry_run or status == 0:
            return status
        # A preemption also ends processes, and its name is known only a while later.
        state = _settled(resource, args.poll_seconds)
        if state == "ACTIVE" and status != LOST:
            _say(f"the command ended with status {status}; the TPU is there still, and billed")
            return status
        _say(f"the TPU is {state or 'gone'}" if state != "ACTIVE" else "the connection was lost")
    raise Failure(f"given up after {args.max_restarts} restarts")


def _acquire(resource: QueuedResource, args: argparse.Namespace) -> bool:
    """Waits for TPUs that are there; returns whether they are new."""
    state, new = resource.state(), False
    while state != "ACTIVE":
        if state in WAITING or state in LEAVING:
            time.sleep(args.poll_seconds)
        else:
            if state is not None:  # SUSPENDED or FAILED: a name can be used again once deleted
                resource.delete()
            resource.create(args)
            new = True
        before, state = state, "ACTIVE" if args.dry_run else resource.state()
        if state != before:
            _say(f"{args.name} is {state}")
    # One that waited since an earlier `run` has nothing installed either.
    return new or resource.ssh("test -x ~/t2t-venv/bin/t2t") != 0


def _settled(resource: QueuedResource, poll_seconds: float) -> str | None:
    for _ in range(4):
        time.sleep(poll_seconds)
        state = resource.state()
        if state != "ACTIVE":
            break
    return state


def _files(args: argparse.Namespace) -> tuple[list[Path], str]:
    """What goes to the workers, and the name of the wheel in it."""
    wheel = args.wheel or max(
        REPOSITORY.glob("dist/t2t-*.whl"), key=lambda path: path.stat().st_mtime, default=None
    )
    if wheel is None:
        raise Failure(f"no wheel; make one: pip wheel --no-deps -w {REPOSITORY}/dist {REPOSITORY}")
    files = [wheel, REPOSITORY / "constraints.txt", *args.copy]
    for path in files:
        if not path.exists():
            raise Failure(f"no such file: '{path}'")
    return files, wheel.name


def _say(message: str) -> None:
    print(f"tpu_vm.py: {message}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    resource = QueuedResource(args.name, args.zone, args.project, args.dry_run)
    try:
        if not args.dry_run and shutil.which("gcloud") is None:
            raise Failure("no command 'gcloud': install the Google Cloud CLI")
        if args.verb == "stop":
            return resource.ssh(STOP)
        if args.verb == "delete":
            resource.delete()
            return 0
        args.command = args.command[1:] if args.command[:1] == ["--"] else args.command
        if not args.command:
            raise Failure("no command: write it after --, as in: -- t2t train --gin_file=FILE")
        return run(resource, args)
    except Failure as failure:
        _say(f"error: {failure}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; what runs on the TPU goes on: `run` follows it again, `stop` ends it")
        return 128 + 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tpu_vm.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run|stop|delete")
    for verb in ("run", "stop", "delete"):
        command = verbs.add_parser(verb, allow_abbrev=False)
        command.add_argument("--name", required=True, help="of the queued resource")
        command.add_argument("--zone", required=True)
        command.add_argument("--project", help="(default: gcloud's)")
        command.add_argument("--dry_run", action="store_true", help="print commands, run none")
        if verb == "run":
            _add_run(command)
    return parser


def _add_run(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--accelerator_type", required=True, help="such as v5litepod-16")
    add("--runtime_version", required=True, help="such as v2-alpha-tpuv5-lite")
    add("--spot", action="store_true", help="cheaper, and taken away at any time")
    add("--num_slices", type=_positive, default=1, metavar="N", help="of that type (default: 1)")
    add("--create_flag", action="append", metavar="FLAG", help=
        "for `gcloud … create`, such as --create_flag=--network=NAME; repeatable")  # fmt: skip
    add("--wheel", type=Path, metavar="FILE", help="of t2t (default: the newest in dist/)")
    add("--copy", type=Path, action="append", default=[], metavar="PATH", help=
        "file or folder to copy to the workers' home folders, where the command runs; repeatable",
    )  # fmt: skip
    add("--max_restarts", type=_positive, default=100, metavar="N", help="(default: 100)")
    add("--poll_seconds", type=float, default=30, metavar="SECONDS", help=
        "between questions for the state of the TPU (default: 30)")  # fmt: skip
    add("command", nargs=argparse.REMAINDER, help="what to run on every worker, after --")


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
