"""The live page: made anew when the runs have something new, for a browser on this machine."""

import contextlib
import hashlib
import http.server
import threading
import time
from collections.abc import Sequence

from t2t.errors import UserError
from t2t.paths import is_remote
from t2t.reporting.run_report.page import page
from t2t.reporting.run_report.runs import RunReader, names_of

HOST = "127.0.0.1"
_LOOK_EVERY = 1.0  # seconds
_LOOK_EVERY_REMOTE = 20.0


class LivePage:
    """A page and its version, as of at most a moment ago."""

    def __init__(self, readers: Sequence[RunReader]):
        self._readers = readers
        self._names = names_of([reader.path for reader in readers])
        remote = any(is_remote(reader.path) for reader in readers)
        self._every = _LOOK_EVERY_REMOTE if remote else _LOOK_EVERY
        self._looked = -self._every
        self._lock = threading.Lock()
        self.version, self.text = "", ""
        self.look()

    def look(self) -> None:
        """Reads what is new, unless that was done just now."""
        with self._lock:
            if time.monotonic() - self._looked < self._every:
                return
            signature = repr([reader.signature() for reader in self._readers])
            version = hashlib.sha256(signature.encode()).hexdigest()[:16]
            if version != self.version:
                runs = [
                    reader.read(name) for reader, name in zip(self._readers, self._names,
                                                              strict=True)
                ]  # fmt: skip
                self.text, self.version = page(runs, version), version
            self._looked = time.monotonic()


class Server(http.server.ThreadingHTTPServer):
    """Serves a live page to this machine alone."""

    daemon_threads = True

    def __init__(self, live: LivePage, port: int):
        """Port 0 is any that is free; raises UserError if the port is taken."""
        self.live = live
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"The page cannot be served on port {port}: {reason}. Give another, --port=8010, "
                f"or --port=0 for any that is free."
            ) from error

    @property
    def address(self) -> str:
        """To open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request, client_address) -> None:
        """Browsers may go away in the middle; nothing of that is worth a traceback."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        live = self.server.live
        if self.path not in ("/", "/version"):
            self.send_error(404)
            return
        with contextlib.suppress(OSError):  # of a folder that is being replaced: as of before
            live.look()
        is_page = self.path == "/"
        body = (live.text if is_page else live.version).encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Type", f"text/{'html' if is_page else 'plain'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of requests."""
