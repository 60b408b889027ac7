"""`t2t score`, from imported models to JSON lines."""

import json
import re

import jax
import numpy as np
import pytest

from t2t.cli import main
from t2t.data.features import Feature
from t2t.decoding.scorer import Scorer
from t2t.models.definition import Model
from tests.commands.imported import MODELS, VOCABULARY, make
from tests.interop.t5_models import random_params


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Where the models are."""
    folder = tmp_path_factory.mktemp("models")
    return {name: make(name, folder) for name in MODELS}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in, and the tests' own cache of compiled programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    return tmp_path


def score(folder, records, *flags):
    """The records that come back."""
    with open("in.jsonl", "w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    words = ["--input", "in.jsonl", "--output", "out.jsonl", *flags]
    assert main(["score", "--model_dir", folder, *words]) == 0
    with open("out.jsonl") as file:
        return [json.loads(line) for line in file]


def directly(name):
    """A scorer that did not go through a folder."""
    config, feature = MODELS[name], Feature(VOCABULARY, add_eos=name == "t5")
    names = ("targets",) if name == "llama" else ("inputs", "targets")
    return Scorer(Model(config), random_params(config), dict.fromkeys(names, feature))


def test_pairs_and_candidates_of_an_encoder_decoder(folders, capsys):
    records = [
        {"inputs": "ab", "targets": "longer than the others", "id": 7},
        {"inputs": "ab", "candidates": ["x", "yz"], "targets": "x"},
        {"inputs": "a", "targets": "b"},
    ]
    first, ranked, last = score(folders["t5"], records, "--per_token")
    assert re.search(
        r"3 records in .* records/s, .* scored tokens/s \(besides .* for 2 shapes\)",
        capsys.readouterr().err,
    )
    expected = list(directly("t5").score([records[0], records[2]]))
    assert first["id"] == 7
    assert (first["tokens"], last["tokens"]) == (23, 2)
    np.testing.assert_allclose([first["score"], last["score"]], [x.score() for x in expected], 1e-5)
    assert [token for token, _ in last["per_token"]] == ["b", "</s>"]
    np.testing.assert_allclose([x for _, x in last["per_token"]], expected[1].log_probs, atol=1e-5)
    (ranking,) = directly("t5").rank(records[1:2])
    np.testing.assert_allclose(ranked["scores"], ranking.scores, rtol=1e-5)
    assert ranked["best"] == ranking.best
    assert [len(tokens) for tokens in ranked["per_token"]] == [2, 3]


def test_a_language_model_scores_texts_without_an_end(folders, capsys):
    records = [{"targets": "abc"}, {"inputs": "a", "targets": "bc"}]
    whole, rest = score(folders["llama"], records, "--normalize", "--quiet")
    assert "records" not in capsys.readouterr().err
    (expected,) = directly("llama").score(records[:1])
    np.testing.assert_allclose(whole["score"], expected.log_probs.mean(), rtol=1e-5)
    np.testing.assert_allclose(rest["score"], expected.log_probs[1:].mean(), rtol=1e-5)
    assert "per_token" not in whole


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "'in.jsonl', line 2 is not JSON"),
        (" ", "'in.jsonl', line 2 is empty"),
        ("[]", "'in.jsonl', line 2 holds a list, not an object"),
        (r'{"targets": "b", "id": "\ud83d"}', "line 2 has an escape that is half of a surrogate"),
        ('{"inputs": "a"}', "'in.jsonl', line 2 has neither 'targets' (a text to score) nor"),
        ('{"inputs": "a", "candidate": ["b"]}', "Did you mean 'candidates'?"),
        ('{"inputs": "a", "candidates": []}', "'in.jsonl', line 2: 'candidates' is empty"),
        ('{"inputs": "a", "candidates": ["b", "b"]}', "line 2: the candidate 'b' is there twice"),
        ('{"inputs": "a", "candidates": ["b", null]}', "line 2: the candidate None is no string"),
        ('{"targets": "b"}', "line 2 has no 'inputs', which this model's encoder reads"),
    ],
)
def test_wrong_lines_are_named_and_nothing_is_written(line, message, folders, place, capsys):
    (place / "in.jsonl").write_text('{"inputs": "a", "targets": "b"}\n' + line + "\n")
    words = ["--input", "in.jsonl", "--output", "out.jsonl"]
    assert main(["score", "--model_dir", folders["t5"], *words]) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in place.iterdir()] == ["in.jsonl"]


def test_wrong_flags(folders, capsys):
    assert main(["score", "--model_dir", folders["t5"], "--input", "none"]) == 1
    assert "Cannot read 'none'" in capsys.readouterr().err
    assert main(["score", "--model_dir", folders["t5"], "--gin.X=1"]) == 1
    assert "take gin bindings" in " ".join(capsys.readouterr().err.split())
