"""Records shared out over jobs and processes, here threads that meet as processes do."""

import argparse
import contextlib
import gzip
import json
import threading

import jax
import pytest

from t2t import companions
from t2t.commands.work import Work
from t2t.commands.work_flags import add_work, inputs_of
from t2t.errors import UserError
from t2t.reporting import journal
from t2t.reporting.records import open_output


class Meeting:
    def __init__(self, count):
        self._barrier = threading.Barrier(count, timeout=60)

    def meet(self, name):
        self._barrier.wait()


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_work(parser, "lines")
    parser.add_argument("--beams", type=int)
    parser.add_argument("--step", type=int)
    parser.set_defaults(imports=[], format="auto")
    return parser.parse_args([str(word) for word in words])


@pytest.fixture
def source(tmp_path):
    """A file of eleven lines."""
    path = tmp_path / "in.txt"
    path.write_text("".join(f"record {i}\n" for i in range(11)))
    return path


def work_of(*words, window=2, monkeypatch=None, place=(0, 1)):
    if monkeypatch:
        monkeypatch.setattr(jax, "process_index", lambda: place[0])
        monkeypatch.setattr(jax, "process_count", lambda: place[1])
    args = parsed(*words)
    return Work(args, inputs_of(args), window)


def do(work, settings=(), stop=None, opened=open_output):
    """Numbers and texts, in capitals; ends by an error after `stop` records of a part."""
    asked = 0
    for part in work.parts(dict(settings)):
        with part.begun(opened) as (items, write):
            for n, item in enumerate(items):
                if n == stop:
                    raise UserError("stopped")
                write(f"{item.number} {item.record['inputs'].upper()}")
                asked += 1
    return asked


def lines(count=11):
    return "".join(f"{i} RECORD {i}\n" for i in range(count))


@pytest.fixture(autouse=True)
def always_note(monkeypatch):
    monkeypatch.setattr(journal, "SECONDS", 0.0)


@pytest.mark.parametrize("window", [1, 2, 4, 20])
def test_what_three_write_is_joined_in_the_order_of_the_records(
    monkeypatch, tmp_path, source, window
):
    meeting = Meeting(3)
    monkeypatch.setattr(companions, "current", lambda: meeting)
    words = ("--input", source, "--output", tmp_path / "out.txt", "--num_parts=2")
    each = [work_of(*words, window=window, monkeypatch=monkeypatch, place=(i, 3)) for i in range(3)]
    threads = [threading.Thread(target=do, args=(work,)) for work in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [f"out-0000{part}-of-00002.txt" for part in range(2)]
    assert "".join((tmp_path / name).read_text() for name in names) == lines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", *names]


@pytest.mark.parametrize(
    ("shards", "more"), [(1, []), (3, []), (2, ["--num_parts=5"]), (1, ["--num_parts=13"])]
)
def test_files_of_all_shards_are_the_whole_output(tmp_path, source, shards, more):
    words = ("--input", source, "--output", tmp_path / "out.txt", *more)
    for shard in reversed(range(shards)):
        do(work_of(*words, f"--shard={shard}/{shards}"))
    files = sorted(path for path in tmp_path.iterdir() if path != source)
    assert "".join(path.read_text() for path in files) == lines()
    count = int(more[0].split("=")[1]) if more else shards
    assert len(files) == count
    sizes = [path.read_text().count("\n") for path in files]
    assert max(sizes) - min(sizes) <= 3  # windows of two stay whole


@pytest.mark.parametrize("stop", [2, 3, 5])
def test_who_comes_after_a_stop_goes_on(tmp_path, source, stop):
    words = ("--input", source, "--output", tmp_path / "out.txt")
    with pytest.raises(UserError, match="stopped"):
        do(work_of(*words), stop=stop)
    assert not (tmp_path / "out.txt").exists()
    assert do(work_of(*words)) == 11 - stop // 2 * 2
    assert (tmp_path / "out.txt").read_text() == lines()
    assert len(list(tmp_path.iterdir())) == 2
    assert do(work_of(*words)) == 11  # nothing is left to go on from


@pytest.mark.parametrize(
    ("given", "output"), [("in.txt", "in.txt"), ("*.txt", "link.txt"), ("in-*", "in.txt")]
)
def test_what_is_read_is_not_replaced(tmp_path, source, given, output):
    parts = ["--num_parts=2"] if given == "in-*" else []
    (tmp_path / "link.txt").symlink_to(source)
    (tmp_path / "in-00001-of-00002.txt").write_text("1\n")
    with pytest.raises(UserError, match="would be replaced"):
        work_of("--input", tmp_path / given, "--output", tmp_path / output, *parts)


def test_an_end_while_the_output_is_written_costs_nothing(tmp_path, source):
    words = ("--input", source, "--output", tmp_path / "out.txt")

    @contextlib.contextmanager
    def full(path):
        with open(path, "w") as file:
            file.write("half a line")
        raise UserError("no space")
        yield

    with pytest.raises(UserError, match="no space"):
        do(work_of(*words), opened=full)
    assert not (tmp_path / "out.txt").exists()
    assert do(work_of(*words)) == 0
    assert (tmp_path / "out.txt").read_text() == lines()
    assert len(list(tmp_path.iterdir())) == 2


def test_processes_go_on_together(monkeypatch, tmp_path, source):
    meeting, places = Meeting(2), range(2)
    monkeypatch.setattr(companions, "current", lambda: meeting)
    words = ("--input", source, "--output", tmp_path / "out.txt")

    def job(index, count=2):
        return work_of(*words, monkeypatch=monkeypatch, place=(index, count))

    for index in places:
        with pytest.raises(UserError, match="stopped"):
            do(job(index), stop=3)
    with pytest.raises(UserError, match="there, the number of processes was 2, and now it is 3"):
        do(job(0, count=3))
    each, done = [job(index) for index in places], {}
    threads = [
        threading.Thread(target=lambda i: done.update({i: do(each[i])}), args=(index,))
        for index in places
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == {0: 6 - 2, 1: 5 - 2}
    assert (tmp_path / "out.txt").read_text() == lines()
    assert not list(tmp_path.glob("*.partial"))


def test_parts_that_are_finished_are_not_done_again(tmp_path, source):
    words = ("--input", source, "--output", tmp_path / "out.txt", "--num_parts=3")
    with pytest.raises(UserError, match="stopped"):
        do(work_of(*words), stop=3)  # parts have 2, 4 and 5 records
    assert [path.name for path in tmp_path.glob("out-*")] == ["out-00000-of-00003.txt"]
    assert work_of(*words).about() == 2 + 5
    assert do(work_of(*words)) == 2 + 5
    assert "".join(path.read_text() for path in sorted(tmp_path.glob("out-*"))) == lines()
    assert not list(tmp_path.glob("*.partial"))


def test_a_finished_part_is_made_again_if_it_is_gone_and_refused_if_records_changed(
    tmp_path, source
):
    words = ("--input", source, "--output", tmp_path / "out.txt", "--num_parts=3")
    with pytest.raises(UserError, match="stopped"):
        do(work_of(*words), stop=3)
    text = source.read_text()
    source.write_text(text.replace("record 0", "another"))
    with pytest.raises(UserError, match="the results of 2 records, but these are no longer those"):
        do(work_of(*words))
    source.write_text(text)
    (tmp_path / "out-00000-of-00003.txt").unlink()
    assert do(work_of(*words)) == 2 + 2 + 5
    assert "".join(path.read_text() for path in sorted(tmp_path.glob("out-*"))) == lines()


def test_another_command_is_refused_until_the_folder_is_deleted(tmp_path, source):
    words = ("--input", source, "--output", tmp_path / "out.txt")
    with pytest.raises(UserError, match="stopped"):
        do(work_of(*words), stop=3)
    with pytest.raises(
        UserError, match=r"out\.txt\.partial' has what another command began: there, -"
    ):
        do(work_of(*words, "--beams=3"))
    with pytest.raises(UserError, match="there, the step was left out, and now it is 3"):
        do(work_of(*words), {"the step": 3})
    assert do(work_of(*words, "--batch_size=2"), stop=99) == 9  # batches may be smaller
    with pytest.raises(UserError, match="stopped"):
        do(work_of(*words), {"the step": 3}, stop=3)
    assert do(work_of(*words, "--step=3"), {"the step": 3}) == 9  # the newest was that


def test_what_is_there_may_be_left(tmp_path, source):
    words = ("--input", source, "--output", tmp_path / "out.txt", "--num_parts=2", "--shard=0/2")
    assert not work_of(*words, "--skip_existing").is_done
    do(work_of(*words))
    assert work_of(*words, "--skip_existing").is_done
    assert not work_of(*words).is_done
    assert not work_of(*words[:-1], "--shard=1/2", "--skip_existing").is_done


def test_several_files_are_one_input(tmp_path, source):
    with gzip.open(tmp_path / "more.txt.gz", "wt") as file:
        file.write("record 11\nrecord 12")  # without an end of line
    words = ("--input", source, tmp_path / "more*.gz", "--output", tmp_path / "out.txt")
    assert do(work_of(*words[:-1], tmp_path / "out.txt.gz", "--num_parts=2")) == 13
    parts = [tmp_path / f"out-0000{part}-of-00002.txt.gz" for part in range(2)]
    assert "".join(gzip.decompress(part.read_bytes()).decode() for part in parts) == lines(13)
    assert do(work_of(*words, "--num_examples=5")) == 5
    assert (tmp_path / "out.txt").read_text() == lines(5)
    assert work_of(*words).about() == 13


def test_a_folder_that_several_do_not_share_is_told(monkeypatch, tmp_path, source):
    monkeypatch.setattr(companions, "current", lambda: Meeting(1))
    words = ("--input", source, "--output", tmp_path / "out.txt")
    work = work_of(*words, monkeypatch=monkeypatch, place=(0, 2))
    with pytest.raises(UserError, match="which another process has written: --output must be in a"):
        do(work)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output=no/out.txt",), "Cannot write 'no/out.txt': No such file"),
        (("--output=.",), r"Cannot write '\.': it is a folder"),
        (("--shard=2/2", "--output=x"), "--shard is '2/2'; it must be K/N with K from 0 to N - 1"),
        (("--shard=1", "--output=x"), "--shard is '1'; it must be K/N"),
        (("--shard=0/2",), "Shards and parts are files: name them by --output=FILE"),
        (("--shard=0/4", "--num_parts=3", "--output=x"), "--num_parts must be at least 4"),
        (("--num_examples=0",), "--num_examples must be at least 1"),
        (("--split=test",), "--split is of a task: add --task=NAME"),
        (("--task=spelling",), "Both --input and --task say what to read"),
        (("--input=none.txt",), "Cannot read 'none.txt': No such file"),
        (("--input=*.none",), r"Input '\*\.none' does not exist"),
        (("--input=.",), r"Cannot read '\.': it is a folder; name files"),
    ],
)
def test_what_cannot_be_is_refused(source, words, message):
    with pytest.raises(UserError, match=message):
        work_of("--input", source, *words)


def test_several_processes_need_files(monkeypatch, tmp_path, source):
    for words, message in [
        (("--input=-", "--output", tmp_path / "x"), "reach: --input=FILE"),
        (("--input", source), "reach: --output=FILE"),
    ]:
        with pytest.raises(UserError, match=f"2 processes share the records.*{message}"):
            work_of(*words, monkeypatch=monkeypatch, place=(0, 2))


def test_standard_input_cannot_be_counted(tmp_path):
    with pytest.raises(UserError, match="records are counted before they are read"):
        work_of("--input=-", "--num_parts=2", "--output", tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b'{"inputs": "a"}\n\n', "line 2 is empty, but JSON lines have a record each"),
        (b"\n", [""]),
        (b'\n{"inputs": "a"}\n', "line 1 is empty"),
        (b'{"inputs": "a"}\ntext\n', "line 1 looks like a JSON record, but '.*', line 2 does not"),
        (b'text\n{"inputs": "a"}\n', "line 2 looks like a JSON record, but '.*', line 1 does not"),
        (b"", []),
    ],
)
def test_the_first_lines_tell_the_format(tmp_path, content, found):
    (tmp_path / "in").write_bytes(content)
    context = contextlib.nullcontext()
    if isinstance(found, str):
        context = pytest.raises(UserError, match=found)
    with context:
        given = inputs_of(parsed("--input", tmp_path / "in"))
        assert [item.record["inputs"] for item in given] == found


def test_damaged_gzip_is_told(tmp_path):
    (tmp_path / "in.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match=r"in.gz': it is no gzip, or damaged"):
        list(inputs_of(parsed("--input", tmp_path / "in.gz")))


def test_records_of_a_task_have_its_fields():
    given = list(inputs_of(parsed("--task=spelling", "--split=validation")))
    assert [item.number for item in given] == list(range(len(given)))
    assert len(given) > 100
    assert all({"inputs", "targets"} <= item.record.keys() for item in given)
    json.dumps([item.record for item in given])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task=speling",), "Did you mean 'spelling'"),
        (("--task=spelling", "--split=tset"), "has no split 'tset', only"),
    ],
)
def test_wrong_tasks(words, message):
    with pytest.raises(UserError, match=message):
        inputs_of(parsed(*words))
