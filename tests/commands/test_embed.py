"""`t2t embed`, from imported models to files of vectors."""

import json
import re

import jax
import numpy as np
import pytest

from t2t.cli import main
from t2t.data.features import Feature
from t2t.decoding.embedder import Embedder
from t2t.models.definition import Model
from tests.commands.imported import MODELS, VOCABULARY, make
from tests.interop.t5_models import random_params

TEXTS = ["one", "a longer text than that", "", "two"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Where the models are."""
    folder = tmp_path_factory.mktemp("models")
    return {name: make(name, folder) for name in MODELS}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with texts, and the tests' own cache of compiled programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    (tmp_path / "in.txt").write_text("\n".join(TEXTS) + "\n")
    return tmp_path


def expected(name, pooling="mean", normalize=False):
    """By an embedder that did not go through a folder."""
    feature = Feature(VOCABULARY, add_eos=name == "t5")
    config = MODELS[name]
    embedder = Embedder(Model(config), random_params(config), feature, pooling, normalize)
    return [vectors for _, vectors in embedder.embed(TEXTS)]


def embed(folder, output, *flags):
    words = ["--input", "in.txt", "--output", output, *flags]
    return main(["embed", "--model_dir", folder, *words])


@pytest.mark.parametrize("name", MODELS)
def test_one_vector_per_text_in_a_file_of_numpy(name, folders, place):
    assert embed(folders[name], "out.npy", "--batch_size=2", "--normalize") == 0
    vectors = np.load("out.npy")
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, 8))
    np.testing.assert_allclose(vectors, expected(name, normalize=True), atol=1e-5)
    assert np.load("out.npy", mmap_mode="r").flags.aligned
    assert sorted(path.name for path in place.iterdir()) == ["in.txt", "out.npy"]


def test_vectors_as_json_lines(folders, capsys):
    assert embed(folders["t5"], "-", "--pooling=last") == 0
    printed = capsys.readouterr()
    assert re.search(
        r"4 records in .* records/s, .* read tokens/s \(besides .* for 1 shapes\)", printed.err
    )
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["inputs"] for line in lines] == TEXTS
    np.testing.assert_allclose(
        [line["embedding"] for line in lines], expected("t5", "last"), atol=1e-5
    )


def test_vectors_of_tokens(folders, place):
    assert embed(folders["t5"], "out.npz", "--pooling=tokens") == 0
    written = np.load("out.npz")
    for i, vectors in enumerate(expected("t5", "tokens")):
        part = slice(written["offsets"][i], written["offsets"][i + 1])
        np.testing.assert_allclose(written["vectors"][part], vectors, atol=1e-5)
        assert VOCABULARY.decode(written["tokens"][part]) == TEXTS[i]
    (place / "in.txt").write_text('{"inputs": "two", "id": 5}\n')
    assert embed(folders["t5"], "out.jsonl", "--pooling=tokens") == 0
    line = json.loads((place / "out.jsonl").read_text())
    assert (line["id"], line["tokens"]) == (5, ["t", "w", "o", "</s>"])
    np.testing.assert_allclose(line["embeddings"], expected("t5", "tokens")[3], atol=1e-5)


def test_shards_of_vectors_are_those_of_the_whole(folders, place):
    for output, flags in [("out.npy", ()), ("out.npz", ("--pooling=tokens",))]:
        assert embed(folders["t5"], output, *flags) == 0
        whole, name = np.load(output), output.replace("out", "out-0000{}-of-00002")
        for shard in range(2):
            assert embed(folders["t5"], output, *flags, f"--shard={shard}/2") == 0
        parts = [np.load(name.format(shard)) for shard in range(2)]
        if flags:
            whole, parts = whole["vectors"], [part["vectors"] for part in parts]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    assert not list(place.glob("*.partial"))


def test_no_texts_make_an_empty_file(folders, place, capsys):
    (place / "in.txt").write_text("")
    capsys.readouterr()
    assert embed(folders["t5"], "out.npy", "--quiet") == 0
    assert "records" not in capsys.readouterr().err
    assert np.load("out.npy").shape == (0, 8)
    assert embed(folders["t5"], "out.npz", "--pooling=tokens") == 0
    assert np.load("out.npz")["offsets"].tolist() == [0]


@pytest.mark.parametrize(
    ("output", "flags", "message"),
    [
        ("out.txt", [], "Embeddings are written as .npy, .npz or .jsonl, but not as 'out.txt'"),
        ("out.npy", ["--pooling=tokens"], "but pooling 'tokens' has one per token"),
        ("out.npz", [], "'out.npz' is for pooling 'tokens'"),
        ("none/out.npy", [], "Cannot write 'none/out.npy': No such file"),
        ("out.npy", ["--max_input_length=3"], "Record 1 has inputs of 4 tokens"),
        ("out.npy", ["--max_input_length=1"], "max_input_length is 1, but 1 special tokens"),
        ("out.npy", ["--batch_size=0"], "batch_size must be at least 1"),
        ("out.npy", ["--format=jsonl"], "'in.txt', line 1 is not JSON"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(output, flags, message, folders, place, capsys):
    assert embed(folders["t5"], output, *flags) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in place.iterdir()] == ["in.txt"]
