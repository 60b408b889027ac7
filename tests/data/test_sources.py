import re

import pytest

from t2t.data.sources import FunctionDataSource, InMemoryDataSource, TextLineDataSource
from t2t.data.sources.packages import package_file
from t2t.errors import UserError


@pytest.fixture
def lines_of(tmp_path):
    """Writes the contents to files and reads them all as one split."""

    def read(*contents, pattern="*.txt", **options):
        for i, content in enumerate(contents):
            (tmp_path / f"part{i}.txt").write_bytes(content)
        source = TextLineDataSource({"train": str(tmp_path / pattern)}, **options)
        return source.examples("train")

    return read


def texts(examples):
    return [examples[i]["text"] for i in range(len(examples))]


def test_memory_gives_its_lists_by_split():
    examples = [{"inputs": "a", "targets": "b"}]
    source = InMemoryDataSource({"train": examples, "test": []})
    assert source.splits == ("train", "test")
    assert source.examples("train") is examples


def test_function_is_called_once_per_split_and_only_when_needed():
    calls = []

    def make(split):
        calls.append(split)
        return [{"text": split}]

    source = FunctionDataSource(make, splits=["train", "validation"])
    assert source.splits == ("train", "validation")
    assert calls == []
    assert source.examples("train") is source.examples("train")
    assert source.examples("validation") == [{"text": "validation"}]
    assert calls == ["train", "validation"]


@pytest.mark.parametrize(
    "source",
    [
        InMemoryDataSource({"train": [], "validation": []}),
        FunctionDataSource(lambda split: [], splits=["train", "validation"]),
        TextLineDataSource({"train": "missing", "validation": "missing"}),
    ],
    ids=lambda source: type(source).__name__,
)
def test_unknown_split_is_answered_with_the_known_and_the_nearest(source):
    expected = "no split 'valdation', only 'train', 'validation'. Did you mean 'validation'?"
    with pytest.raises(UserError, match=re.escape(expected)):
        source.examples("valdation")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"one\r\ntwo\r", ["one", "two"]),
        (b"\n", [""]),
        (b"\n\na\n\n", ["", "", "a", ""]),
        (b"a\rb\n", ["a\rb"]),
        ("é \u2028 🤗\n日本".encode(), ["é \u2028 🤗", "日本"]),
        (b"x", ["x"]),
    ],
)
def test_lines_end_at_newlines_only(lines_of, content, expected):
    assert texts(lines_of(content)) == expected


def test_lines_are_read_in_any_order(lines_of):
    lines = lines_of(b"".join(b"line %d\n" % i for i in range(1000)))
    assert [lines[i]["text"] for i in (999, 0, 512, 999)] == [
        "line 999",
        "line 0",
        "line 512",
        "line 999",
    ]


def test_files_of_a_glob_follow_each_other_by_name(lines_of):
    lines = lines_of(b"a\nb\n", b"c", b"d\ne\n")
    assert texts(lines) == ["a", "b", "c", "d", "e"]
    assert list(lines) == [{"text": text} for text in "abcde"]


def test_several_patterns_keep_their_order(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}\n")
    source = TextLineDataSource({"train": [str(tmp_path / "b"), str(tmp_path / "a")]})
    assert texts(source.examples("train")) == ["b", "a"]


@pytest.mark.parametrize("index", [3, 100, -1])
def test_index_out_of_range_is_an_index_error(lines_of, index):
    lines = lines_of(b"a\nb\n", b"c\n")
    assert lines[2] == {"text": "c"}
    with pytest.raises(IndexError):
        lines[index]


def test_header_lines_of_every_file_are_skipped(lines_of):
    lines = lines_of(b"id\tx\n1\n2\n", b"id\tx\n3\n", skip_header_lines=1)
    assert texts(lines) == ["1", "2", "3"]


def test_a_file_of_headers_only_is_an_error(lines_of):
    with pytest.raises(UserError, match=r"part0\.txt' has no lines after 2 headers"):
        lines_of(b"a\nb\n", skip_header_lines=2)


def test_missing_file_is_named_with_the_nearest_name(tmp_path):
    (tmp_path / "speeches.txt").write_text("x\n")
    path = tmp_path / "speaches.txt"
    with pytest.raises(
        UserError, match=r"does not exist.* Did you mean 'speeches\.txt'\?"
    ) as error:
        TextLineDataSource({"train": str(path)}).examples("train")
    assert str(path) in str(error.value)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        TextLineDataSource({"train": str(tmp_path)}).examples("train")


def test_missing_folder_is_named(tmp_path):
    path = tmp_path / "none" / "file.txt"
    with pytest.raises(UserError, match=re.escape(f"'{path}' does not exist")):
        TextLineDataSource({"train": str(path)}).examples("train")


def test_glob_without_match_is_named(tmp_path):
    with pytest.raises(UserError, match=re.escape(f"'{tmp_path}/*.tsv' does not exist")):
        TextLineDataSource({"train": f"{tmp_path}/*.tsv"}).examples("train")


def test_files_are_opened_when_first_needed_and_once(tmp_path):
    path = tmp_path / "later.txt"
    source = TextLineDataSource({"train": str(path)})
    path.write_text("there\n")
    assert source.examples("train") is source.examples("train")


def test_empty_file_is_named(lines_of):
    with pytest.raises(UserError, match=r"part1\.txt' is empty"):
        lines_of(b"a\n", b"")


@pytest.mark.parametrize(
    ("before", "line", "byte"), [(0, b"caf\xe9 au lait", 4), (2, b"\xff", 1), (9000, b"ok\xc3", 3)]
)
def test_file_that_is_not_utf8_is_named_with_line_and_byte(lines_of, before, line, byte):
    content = "füllen\n".encode() * before + line + b"\nend\n"
    expected = rf"part0\.txt', line {before + 1} is not UTF-8 \(.*, byte {byte} of the line\)"
    with pytest.raises(UserError, match=expected) as error:
        lines_of(content)
    assert "iconv" in str(error.value)


def test_header_lines_count_in_line_numbers(lines_of):
    with pytest.raises(UserError, match="line 3 is not UTF-8"):
        lines_of(b"head\na\n\xff\n", skip_header_lines=1)


def test_a_line_of_ten_megabytes_is_named_with_the_limit(lines_of):
    with pytest.raises(UserError, match=r"part0\.txt', line 2 has 10,000,000 bytes") as error:
        lines_of(b"short\n" + b"x" * 10_000_000 + b"\nshort\n")
    assert "1,048,576" in str(error.value)
    assert "max_line_bytes" in str(error.value)


def test_a_long_line_is_read_where_the_limit_allows_it(lines_of):
    lines = lines_of(b"a\n" + b"x" * 10_000_000, max_line_bytes=10_000_000)
    assert len(lines[1]["text"]) == 10_000_000


def test_package_file_finds_data_inside_an_installed_package():
    assert package_file("pytest", "py.typed", extra="demo").is_file()


def test_package_that_is_not_installed_names_the_extra():
    with pytest.raises(
        UserError, match=r"'no_such_package', which is not installed.*'t2t\[demo\]'"
    ):
        package_file("no_such_package", "data.txt", extra="demo")


def test_package_without_the_file_names_both():
    with pytest.raises(UserError, match=r"Package 'pytest' at .* has no 'data\.txt'.*t2t\[demo\]"):
        package_file("pytest", "data.txt", extra="demo")
