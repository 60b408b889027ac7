import gzip
import io
import json
import os
import socket
import subprocess
import sys
import time

import fsspec
import pytest

from t2t.data.sources import JsonLinesDataSource, TextLineDataSource
from t2t.data.sources.remote_files import fetched_files
from t2t.errors import UserError


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def lines(source, split="train"):
    return [example["text"] for example in source.examples(split)]


def test_a_remote_glob_is_read_in_the_order_of_names(memory):
    memory.pipe({"/b/part-2.txt": b"c\nd\n", "/b/part-1.txt": b"a\nb\n", "/b/other": b"x\n"})
    source = TextLineDataSource({"train": "memory://b/part-*.txt"})
    assert lines(source) == ["a", "b", "c", "d"]


def test_it_is_fetched_again_only_when_it_changes(memory, monkeypatch):
    memory.pipe("/b/a.txt", b"old\n")
    first = fetched_files("memory://b/a.txt", "File")
    fetched = []
    monkeypatch.setattr(memory, "open", lambda *args: fetched.append(args))
    assert fetched_files("memory://b/a.txt", "File") == first
    assert not fetched
    monkeypatch.undo()
    memory.pipe("/b/a.txt", b"new\n")
    (second,) = fetched_files("memory://b/a.txt", "File")
    assert second != first[0]
    assert second.read_text() == "new\n"


def test_copies_on_different_machines_have_one_fingerprint(memory, tmp_path, monkeypatch):
    memory.pipe("/b/large.txt", b"a line\n" * 200_000)  # beyond what is told by its content
    fingerprints = []
    for machine in ("one", "two"):
        monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / machine))
        source = TextLineDataSource({"train": "memory://b/large.txt"})
        fingerprints.append(source.fingerprint("train"))
        time.sleep(0.01)
    assert fingerprints[0] == fingerprints[1]


def test_a_kill_as_soon_as_a_copy_is_there_leaves_the_same_fingerprint(
    memory, tmp_path, monkeypatch
):
    memory.pipe("/b/large.txt", b"a line\n" * 200_000)
    source = TextLineDataSource({"train": "memory://b/large.txt"})
    expected = source.fingerprint("train")
    rename = os.replace

    def killed(*names):
        rename(*names)
        raise KeyboardInterrupt

    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "another"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        fetched_files("memory://b/large.txt", "File")
    assert TextLineDataSource({"train": "memory://b/large.txt"}).fingerprint("train") == expected


def test_nothing_is_left_of_a_copy_that_broke_off(memory, tmp_path, monkeypatch):
    memory.pipe("/b/a.txt", b"a whole file\n")
    monkeypatch.setattr(memory, "open", lambda *_: io.BytesIO(b"a wh"))
    with pytest.raises(UserError, match=r"File 'memory:///b/a.txt' broke off after 4 of 13 bytes"):
        fetched_files("memory://b/a.txt", "File")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def broken(*_):
    raise ConnectionError("reset by peer")


def test_an_error_of_the_connection_is_told(memory, monkeypatch):
    memory.pipe("/b/a.txt", b"x\n")
    monkeypatch.setattr(memory, "open", broken)
    with pytest.raises(UserError, match=r"a.txt' cannot be fetched to .*reset by peer"):
        fetched_files("memory://b/a.txt", "File")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("memory://b/trian.txt", "does not exist. Did you mean 'train.txt'?"),
        ("memory://b/*.jsonl", "'memory://b/*.jsonl' does not exist."),
        ("memory://b", "does not exist. It is a folder; name the files"),
        ("nowhere://b/a.txt", "files of 'nowhere://' cannot be read: Protocol not known"),
    ],
)
def test_what_is_not_there_is_told(memory, pattern, message):
    memory.pipe("/b/train.txt", b"x\n")
    with pytest.raises(UserError) as error:
        fetched_files(pattern, "File")
    assert message in str(error.value)


def test_a_missing_package_is_named(memory, monkeypatch):
    def url_to_fs(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    with pytest.raises(UserError, match=r"Install it with `pip install 't2t\[s3\]'`"):
        fetched_files("s3://b/a.txt", "File")


@pytest.fixture(scope="module")
def object_store():
    """The address of an S3 server of our own."""
    pytest.importorskip("s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
    server = subprocess.Popen([*command, "-p", str(port)], stderr=subprocess.DEVNULL)
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


def test_objects_of_s3_are_read(object_store, tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path))
    for name, value in {
        "AWS_ENDPOINT_URL": object_store,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    system = fsspec.filesystem("s3")
    system.mkdir("corpus")
    rows = [{"text": f"row {i}"} for i in range(300)]
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    system.pipe("corpus/rows/a.jsonl.gz", packed)
    source = JsonLinesDataSource({"train": "s3://corpus/rows/*.jsonl.gz"})
    assert list(source.examples("train")) == rows
    with pytest.raises(UserError, match=r"'s3://corpus/rows/a.json' does not exist. Did you mean"):
        fetched_files("s3://corpus/rows/a.json", "File")
