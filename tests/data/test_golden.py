"""What SeqIO and the t5 library return, case by case; see `tests/golden/README.md`."""

import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from t2t.data.converters import EncDecFeatureConverter, make_autoregressive_inputs
from t2t.data.features import Feature, append_eos_after_trim
from t2t.data.mixtures import Mixture, mixing_rate_num_examples, mixing_rates
from t2t.data.objectives import SpanCorruption, noise
from t2t.data.objectives.lengths import random_spans_helper
from t2t.data.pipeline import TrainPipeline
from t2t.data.preprocessors import rekey
from t2t.data.sources import InMemoryDataSource, TextLineDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary, SentencePieceVocabulary

GOLDEN = Path(__file__).parents[1] / "golden"
MODEL = GOLDEN / "sentencepiece_32k.model"
CASES = {
    f"{case['area']}/{case['case']}": case
    for case in json.loads((GOLDEN / "seqio_t5_cases.json").read_text(encoding="utf-8"))
}
SKIPPED = {
    "vocab_sentencepiece/extra_ids_encode": "its model of 26 pieces is not at hand",
    "vocab_sentencepiece/extra_ids_decode": "its model of 26 pieces is not at hand",
    "random_spans_noise_mask_invariants/random_roll_keeps_count": "there is no random_roll",
    "mixing_rate_num_examples/cached_stats_win": "there is no cache of preprocessed examples",
    "task_get_dataset/example_level_sharding": "hosts share the rows of a batch, not the examples",
}
OTHER_WORDS = {  # messages that are TensorFlow's
    "random_spans_noise_mask_invariants/L10_d0.99_m3.0": "fewer non-noise tokens",
}
NOT_COMPARED = {"decode_tf", "encode_tf", "note"}  # TensorFlow's variants, and remarks
ADAPTERS = {}


def adapter(area):
    def register(function):
        ADAPTERS[area] = function
        return function

    return register


def byte_features(extra_ids=100):
    feature = Feature(ByteVocabulary(extra_ids=extra_ids))
    return {"inputs": feature, "targets": feature}


def task_of_size(name, size):
    return Task(name, InMemoryDataSource({"train": range(int(size))}), byte_features())


@adapter("vocab_byte")
def adapt_vocab_byte(given, params, _):
    if not params:
        small, middle, large = (ByteVocabulary(extra_ids=n) for n in (0, 100, 125))
        return {
            "vocab_size_0": small.vocab_size,
            "vocab_size_100": middle.vocab_size,
            "vocab_size_125": large.vocab_size,
            "pad": middle.pad_id,
            "eos": middle.eos_id,
            "unk": middle.unk_id,
            "bos": middle.bos_id,
            "extra_ids": middle.extra_ids,
        }
    vocabulary = ByteVocabulary(**params)
    if isinstance(given, str):
        return vocabulary.encode(given)
    return {"decode": vocabulary.decode(given)}


@adapter("vocab_sentencepiece")
def adapt_vocab_sentencepiece(given, params, expected):
    vocabulary = SentencePieceVocabulary(MODEL, **params)
    if isinstance(given, str):
        ids = vocabulary.encode(given)
        return {"encode": ids, "roundtrip": vocabulary.decode(ids)}
    if "ids" in expected:
        return {"ids": expected["ids"], "decoded": vocabulary.decode(expected["ids"])}
    facts = {
        "base": vocabulary.base_size,
        "size": vocabulary.vocab_size,
        "pad": vocabulary.pad_id,
        "eos": vocabulary.eos_id,
        "unk": vocabulary.unk_id,
        "bos": -1 if vocabulary.bos_id is None else vocabulary.bos_id,
    }
    return facts | {f"extra_id_{k}": vocabulary.encode(f"<extra_id_{k}>")[0] for k in (0, 1, 99)}


@adapter("random_spans_helper")
def adapt_random_spans_helper(given, params, _):
    params = {name: value for name, value in params.items() if name != "returns"}
    return list(random_spans_helper(**given, **params))


@adapter("random_spans_noise_mask_invariants")
def adapt_random_spans_noise_mask_invariants(given, params, _):
    rows = params.get("batch_size", 12)
    mask = noise.random_spans_noise_mask(np.arange(rows, dtype=np.uint64), **given)
    if "batch_size" in params:
        return {"shape": list(mask.shape), "noise_tokens_per_row": mask.sum(axis=1).tolist()}
    if given["length"] == 1:
        return mask[0].tolist()
    facts = {
        (len(row), sum(row), sum(b > a for a, b in itertools.pairwise(row)), row[0], row[-1])
        for row in mask.tolist()
    }
    [same_for_all] = facts
    names = ["length", "num_noise_tokens", "num_noise_spans", "first_is_noise", "last_is_noise"]
    return dict(zip(names, same_for_all, strict=True))


@adapter("chain_span_corruption")
def adapt_chain_span_corruption(given, params, _):
    feature = Feature(SentencePieceVocabulary(MODEL))
    features = {"inputs": feature, "targets": feature}
    objective = SpanCorruption(merge_documents=params.get("merge_examples_to_reduce_padding", True))
    documents = [np.arange(n, dtype=np.int32) % 1000 + 10 for n in given["doc_token_counts"]]
    segments = objective.segments(documents, features, params["sequence_length"])
    examples = objective(list(segments), np.arange(len(segments), dtype=np.uint64), features)
    *full, last = examples

    def sentinels(tokens):
        return [int(t) for t in tokens if t >= 32000]

    def distinct(values):
        return sorted(set(values))

    return {
        "n_examples": len(examples),
        "inputs_lengths_full": distinct(len(e["inputs"]) for e in full),
        "targets_lengths_full": distinct(len(e["targets"]) for e in full),
        "last_inputs_len": len(last["inputs"]),
        "last_targets_len": len(last["targets"]),
        "ends_with_eos": all(e[name][-1] == 1 for e in examples for name in e),
        "n_sentinels_in_inputs_full": distinct(len(sentinels(e["inputs"])) for e in full),
        "n_sentinels_in_targets_full": distinct(len(sentinels(e["targets"])) for e in full),
        "first_sentinel_inputs": distinct(sentinels(e["inputs"])[0] for e in examples),
        "targets_first_token": distinct(int(e["targets"][0]) for e in examples),
        "tokens_covered": sum(1 < t < 32000 for e in examples for name in e for t in e[name]),
    }


def _replace_noise(function_name, tokens, mask, vocab_size):
    replaced, [count] = getattr(noise, function_name)(
        np.array([tokens], np.int32), np.array([mask], bool), vocab_size
    )
    return replaced[0, :count].tolist()


@adapter("token_noise_fn")
def adapt_token_noise_fn(given, params, _):
    return _replace_noise(params["fn"], given["tokens"], given["noise_mask"], params["vocab_size"])


@adapter("span_corruption_walkthrough")
def adapt_span_corruption_walkthrough(given, params, _):
    arguments = given["tokens"], given["noise_mask"], params["vocab_size"]
    return {
        "inputs": _replace_noise("noise_span_to_unique_sentinel", *arguments),
        "targets": _replace_noise("nonnoise_span_to_unique_sentinel", *arguments),
    }


@adapter("fc_encdec")
def adapt_fc_encdec(given, params, _):
    options = {
        name: params[name] for name in ("pack", "bos_id", "apply_length_check") if name in params
    }
    passthrough = params.get("passthrough", ()) if given else ("extra",)
    converter = EncDecFeatureConverter(passthrough_features=tuple(passthrough), **options)
    examples = [{name: np.array(x) for name, x in example.items()} for example in given]
    batch = converter(examples, params["task_feature_lengths"])
    rows = len(batch["encoder_input_tokens"])
    return [{name: array[row].tolist() for name, array in batch.items()} for row in range(rows)]


@adapter("make_autoregressive_inputs")
def adapt_make_autoregressive_inputs(given, params, _):
    segments = None if given["sequence_id"] is None else np.array(given["sequence_id"])
    return make_autoregressive_inputs(np.array(given["targets"]), segments, **params).tolist()


@adapter("trim_and_pack_dataset")
def adapt_trim_and_pack_dataset(given, params, _):
    examples = [
        {name: np.trim_zeros(example[name], "b") for name in ("inputs", "targets")}
        for example in given
    ]
    batch = EncDecFeatureConverter(pack=True)(examples, params["feature_lengths"])
    names = {
        "inputs": "encoder_input_tokens",
        "inputs_positions": "encoder_positions",
        "inputs_segment_ids": "encoder_segment_ids",
        "targets": "decoder_target_tokens",
        "targets_positions": "decoder_positions",
        "targets_segment_ids": "decoder_segment_ids",
    }
    return [
        {name: batch[ours][row].tolist() for name, ours in names.items()}
        for row in range(len(batch["encoder_positions"]))
    ]


@adapter("mixing_rate_num_examples")
def adapt_mixing_rate_num_examples(given, params, _):
    return mixing_rate_num_examples(task_of_size("t", given["num_input_examples"]), **params)


@adapter("glue_mixing")
def adapt_glue_mixing(given, params, _):
    tasks = [task_of_size(name, size) for name, size in given.items()]
    mixture = Mixture(
        "glue", [(task, lambda task: mixing_rate_num_examples(task, **params)) for task in tasks]
    )
    return {
        "rates": {task.name: mixture.get_rate(task) for task in tasks},
        "probabilities": mixing_rates(mixture),
    }


@adapter("mixture_nested_rates")
def adapt_mixture_nested_rates(given, params, _):
    made = {name: task_of_size(name, 1) for name in ("task1", "task2", "task3")}
    for name, entries in given.items():
        pairs = [e if isinstance(e, list) else (e, params["default_rate"]) for e in entries]
        made[name] = Mixture(name, [(made[part], rate) for part, rate in pairs])
    outer = made[name]
    return {t.name: outer.get_rate(t) for t in outer.tasks} | {"total_rate": outer.total_rate}


@adapter("mixture_errors")
def adapt_mixture_errors(*_):
    features = byte_features() | {"more": Feature(ByteVocabulary())}
    other = Task("other", InMemoryDataSource({"train": []}), features)
    return Mixture("my", [(task_of_size("t", 1), 1), (other, 1)])


@adapter("seqio_rekey")
def adapt_seqio_rekey(given, params, _):
    return [rekey(params["key_map"])(given)]


@adapter("seqio_append_eos_after_trim")
def adapt_seqio_append_eos_after_trim(given, params, _):
    tokens = np.array(given["targets"], np.int32)
    feature = Feature(ByteVocabulary())
    return [{"targets": append_eos_after_trim(tokens, feature, params["sequence_length"]).tolist()}]


@adapter("text_line_source")
def adapt_text_line_source(given, params, _):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        path.write_text(given["file"].replace("\\n", "\n"))
        lines = TextLineDataSource({"train": str(path)}, **params).examples("train")
        return [line["text"] for line in lines]


@adapter("task_get_dataset")
def adapt_task_get_dataset(given, params, _):
    if "sequence_length" in params:
        features = {
            "inputs": Feature(ByteVocabulary(), add_eos=False),
            "targets": Feature(ByteVocabulary()),
        }
        keep = rekey({"inputs": None, "targets": "targets"})
        task = Task("t", InMemoryDataSource({"train": [given]}), features, (keep,))
        rows = task.rows("train", params["sequence_length"])
        [tokens] = rows.tokens([0], np.zeros(1, np.uint64))
        text = rows.text(0, key=0)
        return [
            {name: tokens[name].tolist() for name in tokens}
            | {f"{name}_pretokenized": text[name] for name in tokens}
        ]
    examples = [{"inputs": "", "targets": str(i)} for i in range(given["examples"])]
    task = Task("t", InMemoryDataSource({"train": examples}), byte_features())

    def order(seed):
        pipeline = TrainPipeline(task, {"inputs": 4, "targets": 4}, 4, seed=seed, pack=False)
        batches = itertools.islice(pipeline.batches(), given["examples"] // 4)
        return [row.tobytes() for batch, _ in batches for row in batch["decoder_target_tokens"]]

    return {
        "same_seed_same_order": order(0) == order(0),
        "different_seed_different_order": order(0) != order(1),
        "same_multiset": sorted(order(0)) == sorted(order(1)),
    }


@pytest.mark.parametrize("name", [name for name in CASES if name not in SKIPPED])
def test_case(name):
    case = CASES[name]
    expected = case["expected"]
    arguments = case["input"], case["params"], expected
    if isinstance(expected, dict) and "raises" in expected:
        with pytest.raises(ValueError) as error:
            ADAPTERS[case["area"]](*arguments)
        assert OTHER_WORDS.get(name, expected["message"]) in str(error.value)
        return
    if isinstance(expected, dict):
        expected = {key: value for key, value in expected.items() if key not in NOT_COMPARED}
    actual = ADAPTERS[case["area"]](*arguments)
    if case["area"] == "glue_mixing":
        expected = {key: pytest.approx(value) for key, value in expected.items()}
    assert actual == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_every_case_is_run_or_listed_as_skipped():
    assert set(SKIPPED) | set(OTHER_WORDS) <= set(CASES)
    assert {case["area"] for case in CASES.values()} == set(ADAPTERS)
