"""A message where native code gives up: JAX aborts the process when it loses its coordinator."""

import contextlib
import ctypes
import os
import re
import signal
import sys
import textwrap
from collections.abc import Iterator

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)


def show_error(message: str, descriptor: int = 2) -> None:
    """Prints a message as the command line does, even if `sys.stderr` is in use."""
    with contextlib.suppress(OSError):
        os.write(descriptor, f"{formatted(message)}\n".encode())


def formatted(message: str) -> str:
    """`t2t: error: ...`, in lines; what stands in backticks, a command to copy, in one."""
    unbroken = re.sub("`[^`]+`", lambda command: command[0].replace(" ", "\0"), message)
    lines = textwrap.fill(
        f"t2t: error: {unbroken}", 100, break_long_words=False, break_on_hyphens=False
    )
    return lines.replace("\0", " ")


@contextlib.contextmanager
def message_on_abort(message: str, descriptor: int = 2) -> Iterator[None]:
    """Within, an abort prints the message and ends the process with status 1.

    A handler of Python's would not do: it runs in the main thread, after the native code returns,
    which after an abort it does not.
    """
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]

    def handle(_: int) -> None:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        show_error(message, descriptor)
        os._exit(1)

    handler = _Handler(handle)
    before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(signal.SIGABRT, before)
