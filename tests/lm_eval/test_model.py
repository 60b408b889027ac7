"""The harness asks models of ours: local tasks, no network."""

import functools
import json
import types

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from t2t.cli import main
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.trained import load_trained
from tests.commands.imported import MODELS, VOCABULARY, make
from tests.interop.t5_models import random_params
from tests.lm_eval.tasks_of_harness import write

pytest.importorskip("lm_eval", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # of the harness and what it imports

PAIRS = [
    ("ab", "x"),
    ("ab", "yz"),
    ("thirty letters of text", "and more"),
    ("a ", "b"),
    ("", "c"),
    ("ab", "x"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Where the models are."""
    folder = tmp_path_factory.mktemp("models")
    return {name: make(name, folder) for name in MODELS}


@pytest.fixture(scope="module")
def models(folders):
    """Each as the harness has it."""
    from t2t.lm_eval.model import T2TLM

    return {name: T2TLM(folders[name], batch_size=4, max_length=12) for name in MODELS}


def requests(*arguments):
    return [types.SimpleNamespace(args=args) for args in arguments]


def whole_logits(name, context, said):
    """`[said, vocab]`, from all tokens at once and without batches."""
    module = Model(MODELS[name]).bind(random_params(MODELS[name]))

    def array(ids):
        return np.array([ids], np.int32)

    if name == "t5":
        read = {
            "encoder_input_tokens": array(context),
            "encoder_segment_ids": array(context) * 0 + 1,
        }
        batch = {**read, "decoder_input_tokens": array([0, *said[:-1]])}
        batch["decoder_segment_ids"] = batch["decoder_input_tokens"] * 0 + 1
        return np.asarray(module.logits(module.decode(module.encode(read), batch))[0])
    batch = {"decoder_input_tokens": array([*context, *said][:-1])}
    batch["decoder_segment_ids"] = batch["decoder_input_tokens"] * 0 + 1
    return np.asarray(module.logits(module.hidden(batch))[0])[-len(said) :]


def independent(name, context, said):
    """Log-likelihood and whether it is greedy."""
    logits = whole_logits(name, context, said)
    chosen = np.take_along_axis(log_softmax(logits, axis=1), np.array(said)[:, None], axis=1)
    return chosen.sum(), logits.argmax(axis=1).tolist() == list(said)


@pytest.mark.parametrize("name", MODELS)
def test_log_likelihoods_are_those_of_the_model(name, models):
    ids = VOCABULARY.encode
    answers = models[name].loglikelihood(requests(*PAIRS), disable_tqdm=True)
    for (context, said), (value, greedy) in zip(PAIRS, answers, strict=True):
        said = ids(f" {said}" if context == "a " else said)
        read = ids(context.rstrip())
        read = [*read, 1][-12:] if name == "t5" else [0, *read][-(13 - len(said)) :]
        expected, likeliest = independent(name, read, said)
        assert value == pytest.approx(expected, rel=1e-4)
        assert greedy == likeliest
    assert answers[0] == answers[-1]


@pytest.mark.parametrize("name", MODELS)
def test_they_are_those_of_the_scorer(name, models, folders):
    pairs = [pair for pair in PAIRS if pair[0] == "ab"]
    found = models[name].loglikelihood(requests(*pairs), disable_tqdm=True)
    records = [{"inputs": context, "targets": said} for context, said in pairs]
    for answer, scored in zip(
        found, load_trained(folders[name]).scorer().score(records), strict=True
    ):
        kept = len(scored.tokens) - (name == "t5")  # but for the end of sequence
        assert answer[0] == pytest.approx(scored.log_probs[:kept].sum(), rel=1e-5)
        assert answer[1] == scored.greedy[:kept].all()


@pytest.mark.parametrize("name", MODELS)
def test_a_long_text_is_read_by_windows(name, models):
    text = "thirty tokens of text, or so."
    tokens = VOCABULARY.encode(text) + ([1] if name == "t5" else [])
    start, expected = 1 if name == "t5" else 0, 0.0
    first = [([start], tokens[:12])]
    if name == "t5":  # an encoder reads what the decoder does not say
        windows = [*first, (tokens[11:12], tokens[12:24]), (tokens[17:24], tokens[24:])]
    else:
        windows = [*first, (tokens[11:12], tokens[12:24]), (tokens[16:24], tokens[24:])]
    windows[2] = (tokens[len(tokens) - 13 : 24], tokens[24:])
    for context, said in windows:
        expected += independent(name, context, said)[0]
    (found,) = models[name].loglikelihood_rolling(requests((text,)), disable_tqdm=True)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_generated_is_greedy_and_ends_before_a_stop(name, models):
    model, asked = models[name], {"max_gen_toks": 5, "until": []}
    (text,) = model.generate_until(requests(("ab", asked)), disable_tqdm=True)
    if "\ufffd" not in text:
        ((_, greedy),) = model.loglikelihood(requests(("ab", text)), disable_tqdm=True)
        assert greedy
    stop = text[len(text) // 2 :][:2]
    cut, again = model.generate_until(
        requests(("ab", {**asked, "until": [stop]}), ("ab", asked)), disable_tqdm=True
    )
    assert (cut, again) == (text[: text.index(stop)], text)
    sampled = {"max_gen_toks": 5, "do_sample": True, "temperature": 2.0}
    drawn = model.generate_until(requests(*[("ab", sampled)] * 3), disable_tqdm=True)
    assert len(set(drawn)) > 1
    assert drawn == model.generate_until(requests(*[("ab", sampled)] * 3), disable_tqdm=True)


def test_the_command_evaluates_tasks_of_a_folder(folders, tmp_path, monkeypatch, capsys):
    from lm_eval.tasks import TaskManager

    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    monkeypatch.chdir(tmp_path)
    # Not the thousands of tasks that the harness has of its own.
    index = functools.partialmethod(TaskManager.__init__, include_defaults=False)
    monkeypatch.setattr(TaskManager, "__init__", index)
    files = write(tmp_path / "tasks", repeats=2)
    words = ["lm_eval", "--model_dir", folders["t5"], "--batch_size=4", f"--include_path={files}"]
    cached = ["--use_cache=cache/answers", "--output_path=out", "--log_samples"]
    assert main([*words, "--tasks=t2t_choice,t2t_rolling,t2t_until", *cached]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("acc_norm", "word_perplexity", "exact_match"))
    (results,) = tmp_path.glob("out/**/results*.json")
    written = json.loads(results.read_text())
    assert written["config"]["model_step"] == 0
    assert written["config"]["model_num_parameters"] > 0
    assert len(list(tmp_path.glob("out/**/samples_*.jsonl"))) == 3
    monkeypatch.setattr("t2t.lm_eval.model.T2TLM.generate_until", None)
    assert main([*words, "--tasks=t2t_until", "--use_cache=cache/answers"]) == 0
    assert main([*words, "--tasks=t2t_chioce"]) == 1
    assert "lm-evaluation-harness: Tasks not found: t2t_chioce" in capsys.readouterr().err


def test_mistakes_are_named(folders, capsys):
    from t2t.lm_eval.model import T2TLM

    assert main(["lm_eval", "--model_dir=x"]) == 1
    assert "Name tasks of the harness" in " ".join(capsys.readouterr().err.split())
    for arguments, message in [
        ({"model_dri": "x"}, "takes no 'model_dri'. Did you mean 'model_dir'"),
        ({}, "Name the folder of the run"),
        ({"model_dir": "nowhere"}, "'nowhere' is not the folder"),
        ({"model_dir": folders["t5"], "batch_size": 0}, "batch_size must be at least 1"),
    ]:
        with pytest.raises(UserError, match=message):
            T2TLM(**arguments)
