import itertools
import re

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import SpanCorruption
from t2t.data.objectives.lengths import noise_counts, random_spans_helper
from t2t.data.objectives.noise import (
    noise_span_to_unique_sentinel,
    nonnoise_span_to_unique_sentinel,
    random_spans_noise_mask,
)
from t2t.data.objectives.segments import TokenSegments
from t2t.data.randomness import random_bits
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

T5 = (0.15, 3.0)
SETTINGS = [T5, (0.15, 8.0), (0.3, 1.0), (0.5, 3.0), (0.5, 32.0), (0.05, 1.0)]
EXTRA_IDS = 300
FEATURE = Feature(ByteVocabulary(extra_ids=EXTRA_IDS))
FEATURES = {"inputs": FEATURE, "targets": FEATURE}
BASE_SIZE, VOCAB_SIZE = FEATURE.vocabulary.base_size, FEATURE.vocabulary.vocab_size


def keys(count, offset=0):
    return random_bits(np.array([offset], np.uint64), count)[0]


def text_tokens(length, seed=0):
    return np.random.default_rng(seed).integers(3, BASE_SIZE, length).astype(np.int32)


def documents(*lengths):
    return [text_tokens(length, seed) for seed, length in enumerate(lengths)]


def split_at_sentinels(tokens):
    """The sentinels in `tokens`, and the runs of others before, between and behind them."""
    places = np.flatnonzero(tokens >= BASE_SIZE)
    runs = [run[run < BASE_SIZE].tolist() for run in np.split(tokens, places)]
    return tokens[places].tolist(), runs


def reconstruct(example):
    """The original tokens: what follows each sentinel in the targets takes its place."""
    sentinels, kept = split_at_sentinels(example["inputs"][:-1])
    same_sentinels, (before, *dropped) = split_at_sentinels(example["targets"][:-1])
    first, *rest = kept
    assert same_sentinels == sentinels
    assert before == []
    return first + [t for noise, run in zip(dropped, rest, strict=True) for t in noise + run]


# Lengths


def test_512_inputs_at_t5_settings_come_from_568_tokens_with_114_targets():
    assert random_spans_helper(512, *T5) == (568, 114)


@pytest.mark.parametrize("setting", SETTINGS)
def test_one_more_token_would_not_fit(setting):
    density, mean = setting
    for inputs_length in range(64, 600, 7):
        tokens, targets = random_spans_helper(inputs_length, density, mean)
        noise = round((tokens + 1) * density)
        more_inputs = tokens + 1 - noise + round(noise / mean) + 1
        assert more_inputs > inputs_length or (density == 0.5 and targets == inputs_length)


def test_counts_are_at_least_one_and_leave_a_token():
    assert noise_counts(2, 0.01, 3.0) == (1, 1)
    assert noise_counts(10, 0.99, 3.0) == (9, 3)


# Noise masks


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("length", [4, 17, 114, 568])
def test_every_row_has_the_exact_noise_and_spans_and_ends_in_noise(setting, length):
    mask = random_spans_noise_mask(keys(50), length, *setting)
    noise, spans = noise_counts(length, *setting)
    assert mask.shape == (50, length)
    assert mask.dtype == bool
    assert (mask.sum(1) == noise).all()
    assert ((mask[:, 1:] & ~mask[:, :-1]).sum(1) == spans).all()
    assert not mask[:, 0].any()
    assert mask[:, -1].all()


@pytest.mark.parametrize("length", [0, 1])
def test_sequences_too_short_for_noise_have_none(length):
    assert random_spans_noise_mask(keys(3), length, *T5).tolist() == [[False] * length] * 3


def test_mask_of_a_row_depends_on_its_key_alone():
    together = random_spans_noise_mask(keys(8), 200, *T5)
    for row, key in enumerate(keys(8)):
        alone = random_spans_noise_mask(np.array([key]), 200, *T5)
        np.testing.assert_array_equal(alone[0], together[row])
    assert len({row.tobytes() for row in together}) == 8


def test_as_many_spans_as_tokens_between_them_is_the_limit():
    assert random_spans_noise_mask(keys(1), 4, 0.5, 1.0).tolist() == [[False, True] * 2]
    with pytest.raises(ValueError, match=r"3 tokens .* 0\.5 .*\(1\) than noise spans \(2\)"):
        random_spans_noise_mask(keys(1), 3, 0.5, 1.0)


def test_every_pair_of_partitions_is_equally_likely():
    # 12 tokens, half of them noise in 3 spans: C(5, 2) ways to cut the noise, as many the rest.
    draws = 20_000
    masks = random_spans_noise_mask(keys(draws), 12, 0.5, 2.0)
    _, counts = np.unique(masks, axis=0, return_counts=True)
    assert len(counts) == 100
    expected = draws / 100
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    assert chi_squared < 160  # 99 degrees of freedom: exceeded once in 10,000


# What replaces noise


def test_the_sentence_of_the_t5_paper():
    words = ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week", "."]
    tokens = np.array([range(len(words))], np.int32)
    mask = np.array([[word in ("for", "inviting", "last") for word in words]])
    names = [*words, "<Z>", "<Y>", "<X>"]
    inputs, n_inputs = noise_span_to_unique_sentinel(tokens, mask, len(names))
    targets, n_targets = nonnoise_span_to_unique_sentinel(tokens, mask, len(names))
    assert " ".join(names[i] for i in inputs[0, : n_inputs[0]]) == (
        "Thank you <X> me to your party <Y> week ."
    )
    assert " ".join(names[i] for i in targets[0, : n_targets[0]]) == (
        "<X> for inviting <Y> last <Z>"
    )


def test_rows_of_different_counts_are_padded_behind():
    tokens = np.array([[5, 6, 7, 8], [5, 6, 7, 8]], np.int32)
    mask = np.array([[0, 1, 1, 1], [0, 1, 0, 1]], bool)
    replaced, counts = noise_span_to_unique_sentinel(tokens, mask, 100)
    assert replaced.tolist() == [[5, 99, 0, 0], [5, 99, 7, 98]]
    assert counts.tolist() == [2, 4]


# Span corruption


@pytest.mark.parametrize("setting", SETTINGS)
def test_inputs_and_targets_together_hold_the_original(setting):
    lengths = np.random.default_rng(1).integers(2, 600, 150)
    rows = documents(*lengths)
    for row, example in zip(rows, SpanCorruption(*setting)(rows, keys(150), FEATURES), strict=True):
        assert reconstruct(example) == row.tolist()


@pytest.mark.parametrize("setting", SETTINGS)
def test_noise_density_spans_and_sentinels_are_exact(setting):
    lengths = np.random.default_rng(2).integers(2, 600, 100)
    rows = documents(*lengths)
    examples = SpanCorruption(*setting)(rows, keys(100), FEATURES)
    for length, example in zip(lengths.tolist(), examples, strict=True):
        noise, spans = noise_counts(length, *setting)
        assert len(example["inputs"]) == length - noise + spans + 1
        assert len(example["targets"]) == noise + spans + 1
        for tokens in example.values():
            assert tokens.dtype == np.int32
            assert tokens[-1] == 1
            sentinels, _ = split_at_sentinels(tokens)
            assert sentinels == list(range(VOCAB_SIZE - 1, VOCAB_SIZE - 1 - spans, -1))


def test_corruption_of_a_row_does_not_depend_on_its_neighbours():
    rows, row_keys = documents(100, 37, 100, 568, 2, 37), keys(6)
    together = SpanCorruption()(rows, row_keys, FEATURES)
    backwards = SpanCorruption()(rows[::-1], row_keys[::-1], FEATURES)[::-1]
    for i in range(6):
        alone = SpanCorruption()(rows[i : i + 1], row_keys[i : i + 1], FEATURES)[0]
        for name in ("inputs", "targets"):
            np.testing.assert_array_equal(together[i][name], alone[name])
            np.testing.assert_array_equal(together[i][name], backwards[i][name])


def test_other_key_other_corruption():
    rows = documents(568) * 2
    first, second = SpanCorruption()(rows, keys(2), FEATURES)
    assert first["inputs"].tolist() != second["inputs"].tolist()
    assert reconstruct(first) == reconstruct(second)


def test_without_add_eos_there_is_no_end_of_sequence():
    bare = Feature(FEATURE.vocabulary, add_eos=False)
    row = documents(50)
    with_eos = SpanCorruption()(row, keys(1), FEATURES)[0]
    without = SpanCorruption()(row, keys(1), {"inputs": bare, "targets": FEATURE})[0]
    assert without["inputs"].tolist() == with_eos["inputs"][:-1].tolist()
    assert without["targets"].tolist() == with_eos["targets"].tolist()


def test_t5_segments_fill_inputs_of_512_and_targets_of_114():
    objective = SpanCorruption()
    segments = objective.segments(documents(5680), FEATURES, {"inputs": 512, "targets": 114})
    assert [len(segment) for segment in segments] == [568] * 10
    for example in objective(list(segments), keys(10), FEATURES):
        assert (len(example["inputs"]), len(example["targets"])) == (512, 114)


@pytest.mark.parametrize("setting", [T5, (0.15, 8.0), (0.5, 3.0)])
@pytest.mark.parametrize("merge_documents", [True, False])
def test_no_segment_exceeds_the_lengths_and_no_token_is_lost(setting, merge_documents):
    objective = SpanCorruption(*setting, merge_documents=merge_documents)
    texts = documents(900, 2, 350, 17)
    lengths = {"inputs": 128, "targets": random_spans_helper(128, *setting)[1]}
    segments = objective.segments(texts, FEATURES, lengths)
    examples = objective(list(segments), keys(len(segments)), FEATURES)
    for name, length in lengths.items():
        assert max(len(example[name]) for example in examples) == length
    assert [t for e in examples for t in reconstruct(e)] == np.concatenate(texts).tolist()


def test_room_reserved_for_packing_shortens_the_segments():
    lengths = {"inputs": 512, "targets": 114}
    objective = SpanCorruption(reserved_for_packing=256)
    segments = objective.segments(documents(5000), FEATURES, lengths)
    assert len(segments[0]) == random_spans_helper(256, *T5)[0] == 284


def test_targets_too_short_is_an_error_with_both_lengths():
    with pytest.raises(UserError, match=r"\(114\) is greater than .* \(113\)"):
        SpanCorruption().segments(documents(600), FEATURES, {"inputs": 512, "targets": 113})


@pytest.mark.parametrize("inputs_length", [172, 316])
def test_targets_as_long_as_the_message_demands_suffice(inputs_length):
    objective = SpanCorruption()
    with pytest.raises(UserError, match="targets length") as error:
        objective.segments(documents(2000), FEATURES, {"inputs": inputs_length, "targets": 1})
    demanded = int(re.search(r"\((\d+)\) is greater", str(error.value))[1])
    lengths = {"inputs": inputs_length, "targets": demanded}
    segments = objective.segments(documents(2000), FEATURES, lengths)
    examples = objective(list(segments), keys(len(segments)), FEATURES)
    assert max(len(example["targets"]) for example in examples) <= demanded


def test_short_inputs_with_long_spans_are_not_exceeded():
    objective = SpanCorruption(0.15, 8.0)
    segments = objective.segments(documents(500), FEATURES, {"inputs": 24, "targets": 24})
    examples = objective(list(segments), keys(len(segments)), FEATURES)
    assert max(len(example["inputs"]) for example in examples) <= 24


def test_more_spans_than_extra_ids_is_an_error_with_both_numbers():
    few = Feature(ByteVocabulary(extra_ids=27))
    with pytest.raises(UserError, match=r"568 tokens makes 28 spans.* only 27 extra_ids"):
        SpanCorruption().segments(
            documents(600), {"inputs": few, "targets": few}, {"inputs": 512, "targets": 114}
        )


def test_a_vocabulary_without_extra_ids_is_an_error():
    none = Feature(ByteVocabulary())
    with pytest.raises(UserError, match="needs a vocabulary with extra_ids"):
        SpanCorruption().segments(
            documents(600), {"inputs": none, "targets": none}, {"inputs": 512, "targets": 114}
        )


@pytest.mark.parametrize("setting", [(0.0, 3.0), (1.0, 3.0), (-0.1, 3.0), (0.15, 0.5)])
def test_impossible_settings_are_refused(setting):
    with pytest.raises(UserError, match=re.escape(f"got {setting[0]} and {setting[1]}.")):
        SpanCorruption(*setting)


# Segments


def test_merged_documents_run_into_each_other():
    segments = TokenSegments(documents(5, 4), 3, merge_documents=True)
    assert [len(s) for s in segments] == [3, 3, 3]
    stream = np.concatenate(documents(5, 4)).tolist()
    assert list(itertools.chain.from_iterable(segments)) == stream


def test_separate_documents_keep_their_ends():
    segments = TokenSegments(documents(5, 4, 0, 3), 3, merge_documents=False)
    assert [len(s) for s in segments] == [3, 2, 3, 3]  # the end of one token is dropped


@pytest.mark.parametrize("largest", [2**16 - 1, 2**16, 250_000])
def test_ids_of_every_size_survive(largest):
    tokens = np.array([3, largest, 4], np.int32)
    segment = TokenSegments([tokens], 3, merge_documents=True)[0]
    assert segment.dtype == np.int32
    assert segment.tolist() == tokens.tolist()


def test_segments_are_read_in_any_order():
    segments = TokenSegments([np.arange(100, dtype=np.int32)], 10, merge_documents=True)
    assert segments[7].tolist() == list(range(70, 80))
    assert segments[0].tolist() == list(range(10))
    with pytest.raises(IndexError):
        segments[10]


@pytest.mark.parametrize("merge_documents", [True, False])
def test_empty_documents_give_no_segment(merge_documents):
    empty = np.zeros(0, np.int32)
    assert len(TokenSegments([empty, empty], 10, merge_documents=merge_documents)) == 0
