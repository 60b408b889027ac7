"""Runs blocks of commands in bash, `t2t` and tools inside this process.

Bash sees one folder of programs, all of them clients that send what they were called with here,
but for a few harmless ones of the system. So pipes, loops and quotes are bash's own, and a command
costs no import of JAX. A program that is neither is "command not found".
"""

import contextlib
import io
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

CLIENT = """#!{python} -ISs
import json, os, socket, sys
name = os.path.basename(sys.argv[0])
# Standard input is read first: what writes it may be waiting for its own answer.
call = [name, sys.argv[1:], os.getcwd(), dict(os.environ), sys.stdin.read()]
place = socket.socket(socket.AF_UNIX)
place.connect({address!r})
with place.makefile("rw") as file:
    file.write(json.dumps(call) + "\\n")
    file.flush()
    out, err, status = json.loads(file.readline())
sys.stderr.write(err)
try:
    print(out, end="", flush=True)
except BrokenPipeError:  # `t2t infer | head`
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.exit(status)
"""
HARMLESS = ("cat", "cut", "head", "ls", "mkdir", "sort", "tail", "true", "wc")
BASH = shutil.which("bash") or "bash"


@dataclass(frozen=True)
class Call:
    """A program as bash called it."""

    program: str
    words: list[str]
    folder: str
    environment: Mapping[str, str]
    stdin: str


Answer = Callable[[Call], int]
"""Does what the program would do, printing; returns the exit status."""


class Shell:
    """Bash in a folder, whose programs are answered by functions."""

    def __init__(self, folder: Path, programs: Mapping[str, Answer]):
        self.folder, self._programs = folder, programs
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Shell":
        short = self._stack.enter_context(tempfile.TemporaryDirectory())  # for a socket's address
        address = f"{short}/socket"
        self._listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        self._listener.bind(address)
        self._listener.listen()
        bin_folder = Path(short) / "bin"
        bin_folder.mkdir()
        for name in self._programs:
            client = bin_folder / name
            client.write_text(CLIENT.format(python=sys.executable, address=address))
            client.chmod(0o755)
        for name in HARMLESS:
            (bin_folder / name).symlink_to(shutil.which(name))
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        self._environment = {**os.environ, "PATH": str(bin_folder), "HOME": str(home)}
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()

    def run(self, script: str) -> tuple[int, str]:
        """The exit status of the script, and all that it printed."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [BASH, "-euo", "pipefail", "-c", script],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            while process.poll() is None:
                if select.select([self._listener], [], [], 0.02)[0]:
                    connection, _ = self._listener.accept()
                    with connection, connection.makefile("rw") as file:
                        file.write(json.dumps(self._answer(*json.loads(file.readline()))) + "\n")
            output.seek(0)
            return process.returncode, output.read()

    def _answer(self, *call) -> tuple[str, str, int]:
        """What the program prints to both of its outputs, and its exit status."""
        made = Call(*call)
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            contextlib.chdir(made.folder),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(made.stdin.encode()))),
            mock.patch.object(sys, "path", list(sys.path)),
            mock.patch.dict(os.environ, made.environment, clear=True),
        ):
            try:
                status = self._programs[made.program](made)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
            except Exception:
                traceback.print_exc()
                status = 70
        return tuple(file.buffer.getvalue().decode() for file in (out, err)) + (status,)
