"""What several hosts read of an evaluation set, each its share, is what one reads of all."""

import contextlib

import numpy as np
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.share import Share

LENGTHS = {"inputs": 8, "targets": 8}


class _Asked(Exception):
    pass


class Hosts:
    """Stand-ins for hosts, one after the other, of which each gathers once."""

    def __init__(self, count):
        self.count = count

    def each(self, work):
        """`work(share)` of all; the results in order."""
        values = []

        def ask(own):
            values.append(own)
            raise _Asked

        for index in range(self.count):
            with contextlib.suppress(_Asked):
                work(Share(index, self.count, ask))
        return [work(Share(i, self.count, lambda _: np.stack(values))) for i in range(self.count)]


def drop_and_repeat(example):
    """None of every third example, two of every fifth, one of the others."""
    number = int(example["targets"][1:])
    return [] if number % 3 == 0 else [example] * (2 if number % 5 == 0 else 1)


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("num_examples", [None, 4, 70])
@pytest.mark.parametrize("preprocessors", [[], [drop_and_repeat]], ids=["plain", "several"])
def test_shares_are_the_whole(make_task, count, size, num_examples, preprocessors):
    task = make_task("a", size, split="validation", preprocessors=preprocessors)
    whole = EvaluationSet(task, "validation", LENGTHS, num_examples)

    def work(share):
        own = EvaluationSet(task, "validation", LENGTHS, num_examples, share=share)
        return own, own.numbers, own.examples, own.texts()

    found = Hosts(count).each(work)
    numbers, targets = found[0][1], [text["targets"] for text in whole.texts()]
    assert sorted(np.concatenate(numbers)) == list(range(len(whole)))
    assert len(whole) == len(whole.examples)
    for index, (own, theirs, examples, texts) in enumerate(found):
        assert len(own) == len(whole)
        for a, b in zip(theirs, numbers, strict=True):
            assert a.tolist() == b.tolist()
        expected = [whole.examples[n] for n in numbers[index]]
        assert len(examples) == len(expected)
        for a, b in zip(examples, expected, strict=True):
            assert a["targets"].tolist() == b["targets"].tolist()
        assert [t["targets"] for t in texts] == [targets[n] for n in numbers[index]]


def test_all_give_as_many_batches_of_their_rows(make_task):
    task = make_task("a", 5, split="validation")

    def work(share):
        return list(EvaluationSet(task, "validation", LENGTHS, share=share).batches(8))

    found = Hosts(4).each(work)
    assert [len(batches) for batches in found] == [1] * 4
    filled = [batches[0]["decoder_loss_weights"].any(1).tolist() for batches in found]
    assert filled == [[True, True], [True, False], [True, False], [True, False]]


def test_who_has_none_gives_empty_batches(make_task):
    task = make_task("a", 1, split="validation")
    found = Hosts(2).each(
        lambda share: list(EvaluationSet(task, "validation", LENGTHS, share=share).batches(2))
    )
    assert {name: x.shape for name, x in found[0][0].items()} == {
        name: x.shape for name, x in found[1][0].items()
    }
    assert not any(x.any() for x in found[1][0].values())


def test_each_reads_no_more_than_its_rows(make_task):
    read = []

    def noted(example):
        read.append(example["targets"])
        return example

    task = make_task("a", 400, split="validation", preprocessors=[noted])

    def work(share):
        read.clear()
        examples = EvaluationSet(task, "validation", LENGTHS, share=share).examples
        return len(examples), sorted(set(read))

    found = Hosts(4).each(work)
    assert [size for size, _ in found] == [100] * 4
    assert max(len(words) for _, words in found) <= 100 + 64  # all look at the first 64 rows
    assert len(set().union(*(words for _, words in found))) == 400
