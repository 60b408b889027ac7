import dataclasses
import itertools
import json

import numpy as np
import pytest

from t2t.data.converters import EncDecFeatureConverter
from t2t.data.features import Feature
from t2t.data.mixtures import Mixture, mixing_rate_num_examples
from t2t.data.objectives import SpanCorruption
from t2t.data.pipeline import TrainPipeline
from t2t.data.positions import LOOK_AHEAD
from t2t.data.prefetching import prefetch
from t2t.data.sources import JsonLinesDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

LENGTHS = {"inputs": 32, "targets": 32}
decode = ByteVocabulary(extra_ids=100).decode


@pytest.fixture
def mixture(make_task):
    """One part "a", two "b" and five "web", which is under span corruption."""
    web = [{"targets": f"The {i}th document of the web. " * 3} for i in range(100)]
    parts = [(make_task("a", 250), 1), (make_task("b", 300), 2)]
    return Mixture("mix", [*parts, (make_task("web", web, objective=SpanCorruption()), 5)])


@pytest.fixture
def pipeline(mixture):
    return TrainPipeline(mixture, LENGTHS, batch_size=4, seed=3)


def take(pipeline, count, positions=None):
    """The next `count` batches, and the positions after them."""
    steps = list(itertools.islice(pipeline.batches(positions), count))
    return [batch for batch, _ in steps], steps[-1][1]


def assert_same(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name], err_msg=name)


def targets_of(batches):
    """The decoded targets of unpacked batches, in order."""
    return [decode(row) for batch in batches for row in batch["decoder_target_tokens"]]


def on_hosts(pipeline, count, steps, positions=None):
    """Batches and positions of `count` hosts, joined as they lie in the global batch."""
    hosts = [
        take(dataclasses.replace(pipeline, host_index=i, host_count=count), steps, positions)
        for i in range(count)
    ]
    batches = [
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for parts in zip(*(batches for batches, _ in hosts), strict=True)
    ]
    return batches, np.concatenate([after for _, after in hosts])


@pytest.mark.parametrize("pack", [True, False])
def test_batches_have_fixed_shapes_and_int32(pipeline, pack):
    pipeline = dataclasses.replace(pipeline, converter=EncDecFeatureConverter(pack=pack))
    for batch in take(pipeline, 5)[0]:
        assert {(array.shape, array.dtype.name) for array in batch.values()} == {((4, 32), "int32")}
        assert ("decoder_segment_ids" in batch) == pack


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_together_build_the_batches_of_one(pipeline, pack, hosts):
    pipeline = dataclasses.replace(pipeline, converter=EncDecFeatureConverter(pack=pack))
    expected, expected_positions = take(pipeline, 12)
    batches, positions = on_hosts(pipeline, hosts, 12)
    assert_same(batches, expected)
    np.testing.assert_array_equal(positions, expected_positions)


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("done", [1, 7])
def test_resuming_goes_on_exactly(pipeline, pack, done):
    pipeline = dataclasses.replace(pipeline, converter=EncDecFeatureConverter(pack=pack))
    expected, _ = take(pipeline, done + 5)
    _, positions = take(pipeline, done)
    resumed, _ = take(dataclasses.replace(pipeline), 5, positions.tolist())
    assert_same(resumed, expected[done:])


def test_resuming_on_another_number_of_hosts_goes_on_exactly(pipeline):
    expected, _ = take(pipeline, 9)
    _, positions = on_hosts(pipeline, 4, 4)
    resumed, _ = on_hosts(pipeline, 2, 5, positions)
    assert_same(resumed, expected[4:])


def test_what_was_consumed_is_counted_by_task(pipeline):
    batches, positions = take(pipeline, 6)
    consumed = pipeline.consumed(positions)
    examples = sum(batch["decoder_segment_ids"].max(axis=1).sum() for batch in batches)
    assert sum(counts["examples"] for counts in consumed.values()) == examples
    for task_id, name in enumerate(pipeline.task_names):
        tokens = sum(
            ((b["decoder_task_ids"] == task_id) & (b["decoder_segment_ids"] > 0)).sum()
            for b in batches
        )
        assert 0 < tokens < consumed[name]["tokens"]  # the latter are inputs and targets
    inputs = sum((b["encoder_segment_ids"] > 0).sum() for b in batches)
    targets = sum((b["decoder_segment_ids"] > 0).sum() for b in batches)
    assert sum(counts["tokens"] for counts in consumed.values()) == inputs + targets


def test_returned_positions_do_not_change_afterwards(pipeline):
    iterator = pipeline.batches()
    _, positions = next(iterator)
    before = positions.copy()
    next(iterator)
    np.testing.assert_array_equal(positions, before)


def test_given_positions_are_not_changed(pipeline):
    _, positions = take(pipeline, 2)
    before = positions.copy()
    take(pipeline, 3, positions)
    np.testing.assert_array_equal(positions, before)


def test_packed_rows_hold_whole_examples_of_their_streams(make_task):
    task = make_task("a", 240)
    packed, _ = take(TrainPipeline(task, LENGTHS, 2), 6)
    unpacked = TrainPipeline(task, LENGTHS, 2, converter=EncDecFeatureConverter(pack=False))
    streams = [targets_of(take(unpacked, 100)[0])[row::2] for row in range(2)]
    for row, stream in enumerate(streams):
        texts = []
        for batch in packed:
            tokens, segments = (
                batch["decoder_target_tokens"][row],
                batch["decoder_segment_ids"][row],
            )
            texts += [decode(tokens[segments == s]) for s in range(1, segments.max() + 1)]
            assert segments.max() >= 5  # of at most 5 bytes and an end each, in 32
        assert set(texts) <= set(stream[: len(texts) + LOOK_AHEAD])
        assert len(set(texts)) == len(texts)
        assert stream[0] in texts[:10]


def test_an_epoch_sees_every_example_once(make_task):
    task = make_task("a", 240)
    batches, _ = take(
        TrainPipeline(task, LENGTHS, 8, converter=EncDecFeatureConverter(pack=False)), 60
    )
    first, second = targets_of(batches[:30]), targets_of(batches[30:])
    everything = sorted(f"a{i}" for i in range(240))
    assert sorted(first) == sorted(second) == everything
    assert first != second
    assert first != [f"a{i}" for i in range(240)]


def test_order_follows_the_seed(make_task):
    task = make_task("a", 240)
    orders = [
        targets_of(
            take(
                TrainPipeline(
                    task, LENGTHS, 8, seed=seed, converter=EncDecFeatureConverter(pack=False)
                ),
                6,
            )[0]
        )
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_tasks_of_equal_data_are_not_read_in_step(make_task):
    examples = [{"inputs": "", "targets": str(i)} for i in range(200)]
    mixture = Mixture("m", [(make_task("a", examples), 1), (make_task("b", examples), 1)])
    batches, _ = take(
        TrainPipeline(mixture, LENGTHS, 2, converter=EncDecFeatureConverter(pack=False)), 20
    )
    by_task = {0: [], 1: []}
    for batch in batches:
        task_ids = batch["decoder_task_ids"][:, 0].tolist()
        for task_id, row in zip(task_ids, batch["decoder_target_tokens"], strict=True):
            by_task[task_id].append(decode(row))
    assert abs(len(by_task[0]) - len(by_task[1])) <= 2
    assert by_task[0] != by_task[1]


def test_random_preprocessors_draw_anew_in_every_epoch_and_for_every_seed(make_task):
    def shout(example, rng):
        return {"inputs": str(rng.integers(10**9)), "targets": example["targets"]}

    task = make_task("a", 120, preprocessors=(shout,))
    draws = []
    for seed in (0, 1):
        batches, _ = take(
            TrainPipeline(
                task, LENGTHS, 8, seed=seed, converter=EncDecFeatureConverter(pack=False)
            ),
            30,
        )
        draws += [decode(row) for b in batches for row in b["encoder_input_tokens"]]
    assert len(set(draws)) == len(draws) == 480


def test_a_segment_is_corrupted_otherwise_in_every_epoch(make_task):
    text = "".join(f"{i:04d}" for i in range(930))
    task = make_task("web", [{"targets": text}], objective=SpanCorruption())
    pipeline = TrainPipeline(task, LENGTHS, 8, converter=EncDecFeatureConverter(pack=False))
    epoch = len(pipeline.rows[0])
    inputs = [
        row.tobytes()
        for b in take(pipeline, 2 * epoch // 8)[0]
        for row in b["encoder_input_tokens"]
    ]
    assert len(set(inputs)) > 1.8 * epoch


def test_shares_of_the_tasks_approach_their_rates(mixture):
    pipeline = TrainPipeline(mixture, LENGTHS, 16, converter=EncDecFeatureConverter(pack=False))
    batches, _ = take(pipeline, 25)
    ids = np.concatenate([batch["decoder_task_ids"][:, 0] for batch in batches])
    shares = np.bincount(ids, minlength=3) / len(ids)
    np.testing.assert_allclose(shares, [1 / 8, 2 / 8, 5 / 8], atol=0.01)
    assert pipeline.task_names == ("a", "b", "web")


@pytest.mark.parametrize("pack", [True, False])
def test_task_ids_tell_the_task_of_every_target(make_task, pack):
    names = ["x", "y", "z"]
    mixture = Mixture("m", [(make_task(name, 200), rate) for rate, name in enumerate(names, 1)])
    pipeline = TrainPipeline(mixture, LENGTHS, 4, converter=EncDecFeatureConverter(pack=pack))
    seen = set()
    for batch in take(pipeline, 10)[0]:
        weights = batch["decoder_loss_weights"]
        segments = batch["decoder_segment_ids"] if pack else weights
        for tokens, ids, of_row in zip(
            batch["decoder_target_tokens"], batch["decoder_task_ids"], segments, strict=True
        ):
            for segment in range(1, of_row.max() + 1):
                [task_id] = set(ids[of_row == segment].tolist())
                assert decode(tokens[of_row == segment])[0] == pipeline.task_names[task_id]
                seen.add(task_id)
    assert seen == {0, 1, 2}


def test_a_batch_that_hosts_cannot_share_is_an_error(make_task):
    with pytest.raises(UserError, match="batch size 6 does not divide over 4 hosts"):
        TrainPipeline(make_task(), LENGTHS, 6, host_count=4)


def test_missing_split_names_the_task(make_task):
    with pytest.raises(UserError, match="Task 'a': There is no split 'train', only 'test'"):
        TrainPipeline(make_task("a", 3, split="test"), LENGTHS, 2).batches()


def test_another_split_is_read_when_asked_for(make_task):
    pipeline = TrainPipeline(
        make_task("a", 200, split="dev"),
        LENGTHS,
        2,
        split="dev",
        converter=EncDecFeatureConverter(pack=False),
    )
    assert all(text.startswith("a") for text in targets_of(take(pipeline, 3)[0]))


def test_a_bad_example_surfaces_through_prefetch(make_task):
    examples = [{"inputs": "a", "targets": "b" if i != 1 else None} for i in range(200)]
    fetched = prefetch(TrainPipeline(make_task("bad", examples), LENGTHS, 4).batches())
    with pytest.raises(
        UserError, match="Task 'bad': after preprocessing, 'targets' is NoneType, neither"
    ):
        for _ in range(200):
            next(fetched)


# Fingerprint


def two_tasks(make_task, sizes=(20, 30), rates=(1, 2), extra_ids=100, name="b", text="a"):
    feature = Feature(ByteVocabulary(extra_ids=extra_ids))
    features = {"inputs": feature, "targets": feature}
    first = [{"inputs": text, "targets": "x"}] * sizes[0]
    tasks = [
        make_task("a", first, output_features=features),
        make_task(name, sizes[1], output_features=features),
    ]
    return Mixture("m", list(zip(tasks, rates, strict=True)))


def fingerprint(make_task, mixture=None, **fields):
    fields = {"sequence_length": LENGTHS, "batch_size": 4} | fields
    return TrainPipeline(two_tasks(make_task, **(mixture or {})), **fields).fingerprint


def test_fingerprint_is_the_same_for_the_same_data_and_any_hosts(make_task):
    first = fingerprint(make_task)
    assert first == fingerprint(make_task)
    assert first == fingerprint(make_task, host_count=2, host_index=1)
    assert first == fingerprint(make_task, sequence_length=dict(reversed(LENGTHS.items())))
    assert first == fingerprint(make_task, mixture={"rates": (10, 20)})


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"sequence_length": {**LENGTHS, "targets": 16}},
        {"batch_size": 8},
        {"converter": EncDecFeatureConverter(pack=False)},
        {"mixture": {"rates": (1, 3)}},
        {"mixture": {"rates": (2, mixing_rate_num_examples)}},
        {"mixture": {"sizes": (21, 30)}},
        {"mixture": {"extra_ids": 99}},
        {"mixture": {"name": "c"}},
        {"mixture": {"text": "b"}},
    ],
)
def test_fingerprint_differs_when_the_batches_would(make_task, changed):
    assert fingerprint(make_task, **changed) != fingerprint(make_task)


def test_fingerprint_differs_with_the_objective(make_task):
    def of(mean_length):
        objective = SpanCorruption(0.15, mean_length)
        task = make_task("web", [{"targets": "text " * 100}], objective=objective)
        return TrainPipeline(task, LENGTHS, 4).fingerprint

    assert of(3.0) != of(2.9)


def test_skipped_records_are_left_out_and_counted(tmp_path, byte_features):
    path = tmp_path / "lines.jsonl"
    lines = [json.dumps({"inputs": "", "targets": str(i)}) for i in range(20)]
    path.write_text("\n".join([*lines[:7], "{broken", *lines[7:]]) + "\n")
    source = JsonLinesDataSource({"train": str(path)}, on_bad_record="skip")
    pipeline = TrainPipeline(
        Task("t", source, byte_features), LENGTHS, 3, converter=EncDecFeatureConverter(pack=False)
    )
    batches, positions = take(pipeline, 14)  # two epochs
    assert set(targets_of(batches)) == set(map(str, range(20)))
    assert pipeline.skipped == {"t": 1}
    assert pipeline.consumed(positions)["t"]["examples"] == 42
