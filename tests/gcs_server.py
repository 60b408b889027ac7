"""Google Cloud Storage as gcsfs and TensorStore see it, in this process: as much as runs need.

https://cloud.google.com/storage/docs/json_api
"""

import contextlib
import email
import email.policy
import itertools
import json
import re
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

_WHEN = "2026-01-01T00:00:00.000Z"


class Stored(NamedTuple):
    content: bytes
    generation: int


class Store:
    """Objects by name; every bucket is there, and all are one."""

    def __init__(self):
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, tuple[str, bytearray, str]] = {}
        self.generations = itertools.count(1000)
        self.lock = threading.RLock()

    def put(self, name: str, content: bytes) -> Stored:
        self.objects[name] = Stored(bytes(content), next(self.generations))
        return self.objects[name]


class Refused(Exception):
    """With the status to answer."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def do_DELETE(self):
        self._answer("DELETE")

    def do_PATCH(self):
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        body = self._body()
        with self.store.lock:
            try:
                status, headers, content = self._handle(method, self.path, body)
            except Refused as refused:
                status, headers, content = refused.args[0], {}, b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(content)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _handle(self, method: str, target: str, body: bytes):
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.startswith("/batch/"):
            return self._batch(body)
        path = re.sub(r"^/(upload|download|resumable/upload)(?=/)", "", url.path)
        if url.path.startswith(("/upload", "/resumable")):
            return self._upload(method, query, body)
        _, _, _, _, *parts = (unquote(part) for part in path.split("/"))  # /storage/v1/b/BUCKET...
        match [method, *parts[1:]]:
            case ["GET"]:
                return _json({"kind": "storage#bucket", "name": parts[0], "id": parts[0]})
            case ["GET", "o"]:
                return self._list(query)
            case ["GET", "o", name]:
                return self._get(name, query, media="alt" in query)
            case ["PATCH", "o", name]:
                return _json(_facts(name, self._found(name, query)))
            case ["DELETE", "o", name]:
                self._found(name, query)
                del self.store.objects[name]
                return HTTPStatus.NO_CONTENT, {}, b""
            case ["POST", "o", name, ("copyTo" | "rewriteTo" | "moveTo") as how, *_]:
                stored = self.store.put(parts[-1], self._found(name, {}).content)
                if how == "moveTo":
                    del self.store.objects[name]
                facts = _facts(parts[-1], stored)
                return _json({"done": True, "resource": facts} if how == "rewriteTo" else facts)
        raise Refused(HTTPStatus.NOT_IMPLEMENTED)

    def _found(self, name: str, query: dict[str, str]) -> Stored:
        stored = self.store.objects.get(name)
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != (stored.generation if stored else 0):
            raise Refused(HTTPStatus.PRECONDITION_FAILED)
        if stored is None:
            raise Refused(HTTPStatus.NOT_FOUND)
        if query.get("ifGenerationNotMatch") == str(stored.generation):
            raise Refused(HTTPStatus.NOT_MODIFIED)
        return stored

    def _get(self, name: str, query: dict[str, str], media: bool):
        stored = self._found(name, query)
        if not media:
            return _json(_facts(name, stored))
        content, size = stored.content, len(stored.content)
        headers = {"x-goog-generation": stored.generation, "ETag": f'"{stored.generation}"'}
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not span:
            return HTTPStatus.OK, headers, content
        start = int(span[1]) if span[1] else size - int(span[2])
        stop = min(int(span[2]) + 1, size) if span[1] and span[2] else size
        if start >= size:
            raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return HTTPStatus.PARTIAL_CONTENT, headers, content[start:stop]

    def _list(self, query: dict[str, str]):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        items, prefixes = [], set()
        for name, stored in sorted(self.store.objects.items()):
            after = name >= query.get("startOffset", "")
            before = "endOffset" not in query or name < query["endOffset"]
            if not (name.startswith(prefix) and after and before):
                continue
            rest = name.removeprefix(prefix)
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(_facts(name, stored))
        return _json({"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)})

    def _upload(self, method: str, query: dict[str, str], body: bytes):
        store, condition = self.store, query.get("ifGenerationMatch")
        if "upload_id" in query:
            name, received, condition = store.uploads[query["upload_id"]]
            received += body
            if self.headers.get("Content-Range", "/1").endswith("/*"):
                last = {"Range": f"bytes=0-{len(received) - 1}"}
                return HTTPStatus.PERMANENT_REDIRECT, last, b""
            content = received
        elif query["uploadType"] == "resumable":
            name = query.get("name") or json.loads(body)["name"]
            number = str(next(store.generations))
            store.uploads[number] = name, bytearray(), condition
            host = f"http://{self.headers['Host']}{urlsplit(self.path).path}"
            return HTTPStatus.OK, {"Location": f"{host}?upload_id={number}"}, b""
        elif query["uploadType"] == "multipart":
            head, content = _parts(self.headers["Content-Type"], body)
            name = json.loads(head)["name"]
        else:
            name, content = query["name"], body
        if condition is not None:
            there = store.objects.get(name)
            if int(condition) != (there.generation if there else 0):
                raise Refused(HTTPStatus.PRECONDITION_FAILED)
        return _json(_facts(name, store.put(name, content)))

    def _batch(self, body: bytes):
        answers = []
        for part in _parts(self.headers["Content-Type"], body):
            method, target, *_ = part.decode().split()
            try:
                status, _, content = self._handle(method, target, b"")
            except Refused as refused:
                status, content = refused.args[0], b""
            answers.append(
                b"--x\r\nContent-Type: application/http\r\n\r\n"
                + f"HTTP/1.1 {status.value} {status.phrase}\r\n\r\n".encode()
                + content
                + b"\r\n"
            )
        kind = {"Content-Type": "multipart/mixed; boundary=x"}
        return HTTPStatus.OK, kind, b"".join(answers) + b"--x--"


def _json(value):
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _facts(name: str, stored: Stored) -> dict[str, str]:
    return {
        "kind": "storage#object",
        "name": name,
        "bucket": "bucket",
        "size": str(len(stored.content)),
        "generation": str(stored.generation),
        "metageneration": "1",
        "etag": str(stored.generation),
        "timeCreated": _WHEN,
        "updated": _WHEN,
    }


def _parts(content_type: str, body: bytes) -> list[bytes]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    return [part.get_payload(decode=True) for part in message.iter_parts()]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that are killed break their connections: no error of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """The address of a server that ends with the block."""
    handler = type("Handler", (Handler,), {"store": Store()})
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def environment(address: str) -> dict[str, str]:
    """Variables by which gcsfs and TensorStore go there."""
    return {
        "STORAGE_EMULATOR_HOST": address,
        "TENSORSTORE_GCS_HTTP_URL": address,
        "GOOGLE_AUTH_TOKEN_FOR_TESTING": "any",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        "FSSPEC_GS_TOKEN": "anon",
        "FSSPEC_GCS_TOKEN": "anon",
    }
