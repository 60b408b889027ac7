"""Training a SentencePiece model: T5's ids, a round trip through t2t, and mistakes in one line."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import t2t
from t2t.errors import UserError

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "train_sentencepiece.py"
SIZE = 300


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    import train_sentencepiece

    return train_sentencepiece


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two thousand lines of made-up words: enough pieces to choose 300 from."""
    rng = random.Random(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(800)]
    lines = [" ".join(rng.choices(words, k=10)).capitalize() + "." for _ in range(2000)]
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_model_from_files_is_one_that_t2t_reads(tool, corpus, tmp_path, capsys, model_type):
    output = tmp_path / "spm.model"
    flags = [f"--input={corpus}", f"--vocab_size={SIZE}", f"--model_type={model_type}"]
    assert tool.main([*flags, f"--output={output}"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["spm.model"]

    vocabulary = t2t.SentencePieceVocabulary(str(output), extra_ids=100)
    assert vocabulary.vocab_size == SIZE + 100
    text = corpus.read_text(encoding="utf-8").splitlines()[7]
    ids = vocabulary.encode(text)
    assert len(ids) < len(text)
    assert min(ids) > vocabulary.unk_id
    assert vocabulary.decode(ids) == text
    assert vocabulary.encode("<extra_id_0>") == [SIZE + 99]
    assert vocabulary.sentinel_name(SIZE) == "<extra_id_99>"

    printed = capsys.readouterr().out
    assert "300 pieces" in printed
    assert "--gin.VOCAB_SIZE=512" in printed  # 400 ids, up to a multiple of 128


@pytest.mark.parametrize("byte_fallback", [False, True])
def test_byte_fallback_leaves_nothing_unknown(tool, corpus, tmp_path, byte_fallback):
    output = tmp_path / "spm.model"
    flags = [f"--input={corpus}", "--vocab_size=400", f"--output={output}"]
    assert tool.main(flags + ["--byte_fallback"] * byte_fallback) == 0
    vocabulary = t2t.SentencePieceVocabulary(str(output))
    ids = vocabulary.encode("ba 猫")
    assert (vocabulary.unk_id in ids) != byte_fallback
    assert (vocabulary.decode(ids) == "ba 猫") == byte_fallback


@pytest.mark.parametrize("keep_whitespace", [False, True])
def test_whitespace_is_kept_if_asked(tool, corpus, tmp_path, keep_whitespace):
    output = tmp_path / "spm.model"
    flags = [f"--input={corpus}", "--vocab_size=300", f"--output={output}"]
    assert tool.main(flags + ["--keep_whitespace"] * keep_whitespace) == 0
    vocabulary = t2t.SentencePieceVocabulary(str(output))
    text = "ba ba\n\tba  ba\n"
    kept = vocabulary.decode(vocabulary.encode(text))
    assert kept == (text if keep_whitespace else "ba ba ba ba")
    assert vocabulary.unk_id not in vocabulary.encode(text)


def test_a_task_gives_its_inputs_and_targets(tool, monkeypatch):
    from t2t.data.registry import TaskRegistry

    feature = t2t.Feature(t2t.ByteVocabulary())
    task = TaskRegistry.add(
        "train_sentencepiece_test",
        source=t2t.InMemoryDataSource({"train": [{"q": "one\ntwo", "a": "three"}]}),
        preprocessors=[t2t.rekey({"inputs": "q", "targets": "a"})],
        output_features={"inputs": feature, "targets": feature},
    )
    try:
        assert list(tool._task_lines(task.name, "train")) == ["one", "two", "three"]
    finally:
        TaskRegistry.remove(task.name)


def test_a_module_with_tasks_is_imported_from_here(tool, corpus, tmp_path, monkeypatch):
    from t2t.data.registry import TaskRegistry

    (tmp_path / "sp_tasks.py").write_text(
        "import t2t\nbytes = t2t.Feature(t2t.ByteVocabulary())\n"
        f"t2t.TaskRegistry.add('sp_task', t2t.TextLineDataSource({{'train': {str(corpus)!r}}}),"
        " [t2t.rekey({'targets': 'text'})], output_features={'targets': bytes})\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    words = ["--task=sp_task", "--import=sp_tasks", f"--vocab_size={SIZE}", "--output=sp.model"]
    try:
        assert tool.main(words) == 0
    finally:
        TaskRegistry.remove("sp_task")
    assert (tmp_path / "sp.model").exists()


def test_an_error_in_the_text_is_raised_as_it_is(tool):
    def lines():
        yield "hello"
        raise UserError("line 2 is bad")

    with pytest.raises(UserError, match=r"^line 2 is bad$"):
        tool.train(lines(), SIZE)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input={folder}/two.txt"], "Text file '{folder}/two.txt' does not exist."),
        (["--input={folder}/few.txt"], "Please set it to a value <= "),
        (["--input={folder}/few.txt", "--vocab_size=4"], "smaller than required_chars"),
        (["--input={folder}/blank.txt"], "nothing but empty lines"),
        (["--input={folder}/latin.txt"], "line 2 is not UTF-8"),
        (["--input={folder}/few.txt", "--character_coverage=3"], "must be 0.98 to 1"),
        (["--input={folder}/few.txt", "--output={folder}/no/a.model"], "there is no folder"),
        (["--input={folder}/few.txt", "--output={folder}"], "is a folder"),
        (["--task=spellling"], "Did you mean 'spelling'"),
        (["--task=mine", "--import=no_module"], "--import=no_module: No module named 'no_module'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(tool, tmp_path, capsys, flags, message):
    (tmp_path / "few.txt").write_text("hello world\nhello there\n")
    (tmp_path / "blank.txt").write_text("\n\n")
    (tmp_path / "latin.txt").write_bytes(b"fine\ncaf\xe9\n")
    before = sorted(tmp_path.iterdir())
    defaults = [f"--output={tmp_path}/spm.model", f"--vocab_size={SIZE}"]
    flags = [flag.format(folder=tmp_path) for flag in flags]
    assert tool.main([*defaults, *flags]) == 1
    error = capsys.readouterr().err
    assert message.format(folder=tmp_path) in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_runs_as_a_script_from_anywhere(tmp_path):
    process = subprocess.run(
        [sys.executable, str(SCRIPT), f"--input={tmp_path}/none.txt", "--output=spm.model"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.startswith("train_sentencepiece: error: ")
    assert "Traceback" not in process.stderr


def test_symbols_are_one_token_each_and_only_at_the_start_of_a_word(tool, corpus, tmp_path):
    sizes = {}
    for normalizer in ("identity", "nmt_nfkc"):
        output = tmp_path / f"{normalizer}.model"
        flags = [f"--input={corpus}", f"--vocab_size={SIZE}", f"--normalizer={normalizer}"]
        flags += ["--symbols", "[MASK]", "[CLS]", "--control_symbols", "<s>", f"--output={output}"]
        assert tool.main(flags) == 0
        sizes[normalizer] = output.stat().st_size
    assert sizes["nmt_nfkc"] - sizes["identity"] > 200_000
    vocabulary = t2t.SentencePieceVocabulary(str(output), mask_token="\u2581[MASK]")
    assert vocabulary.encode("[MASK]") == [vocabulary.mask_id]
    assert vocabulary.encode(" a [MASK]")[-1] == vocabulary.mask_id
    assert vocabulary.mask_id not in vocabulary.encode("a[MASK]")
    start = vocabulary.token_id("<s>")
    assert start not in vocabulary.encode("<s>")
    assert vocabulary.decode([start]) == ""
