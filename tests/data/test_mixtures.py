import functools
import re

import pytest

from t2t.data.features import Feature
from t2t.data.mixtures import Mixture, leaf_tasks, mixing_rate_num_examples, mixing_rates
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError


@pytest.fixture
def abc(make_task):
    return [make_task(name, 10 * (i + 1)) for i, name in enumerate("abc")]


def test_shares_are_rates_over_their_sum(abc):
    a, b, c = abc
    mixture = Mixture("m", [(a, 1), (b, 2.0), (c, 5)])
    assert mixture.tasks == (a, b, c)
    assert mixture.total_rate == 8
    assert mixing_rates(mixture) == {"a": 0.125, "b": 0.25, "c": 0.625}


def test_a_task_is_the_whole_of_itself(abc):
    assert mixing_rates(abc[0]) == {"a": 1.0}
    assert leaf_tasks(abc[0]) == (abc[0],)


def test_a_mixture_inside_another_shares_out_its_rate(abc):
    a, b, c = abc
    inner = Mixture("inner", [(a, 0.5), (b, 3.5)])
    outer = Mixture("outer", [(inner, 1), (a, 1), (c, 1)])
    assert outer.tasks == leaf_tasks(outer) == (a, b, c)
    assert outer.get_rate(a) == 1.125
    assert outer.get_rate(b) == 0.875
    assert mixing_rates(outer) == pytest.approx({"a": 1.125 / 3, "b": 0.875 / 3, "c": 1 / 3})


def test_mixtures_nest_more_than_once(abc):
    a, b, c = abc
    inner = Mixture("inner", [(a, 1), (b, 3)])
    middle = Mixture("middle", [(inner, 1), (c, 1)])
    outer = Mixture("outer", [(middle, 8), (a, 8)])
    assert mixing_rates(outer) == pytest.approx({"a": 9 / 16, "b": 3 / 16, "c": 4 / 16})


def test_a_task_given_twice_gets_both_rates(abc):
    a, b, _ = abc
    assert mixing_rates(Mixture("m", [(a, 1), (b, 2), (a, 1)])) == {"a": 0.5, "b": 0.5}


def test_a_task_that_is_not_in_the_mixture_has_no_rate(abc):
    assert Mixture("m", [(abc[0], 1)]).get_rate(abc[1]) == 0


def test_rates_may_be_functions_of_the_task(abc):
    a, b, c = abc
    maximum = functools.partial(mixing_rate_num_examples, maximum=20)
    mixture = Mixture("m", [(a, maximum), (b, maximum), (c, maximum)])
    assert mixing_rates(mixture) == {"a": 0.2, "b": 0.4, "c": 0.4}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 100),
        ({"maximum": 50}, 50),
        ({"temperature": 2}, 10),
        ({"scale": 0.25, "temperature": 2}, 5),
        ({"scale": 4, "maximum": 25, "temperature": 2}, 5),
    ],
)
def test_examples_proportional_rate(make_task, arguments, expected):
    assert mixing_rate_num_examples(make_task("t", 100), **arguments) == pytest.approx(expected)


def test_examples_are_counted_in_the_named_split(make_task):
    assert mixing_rate_num_examples(make_task("t", 30, split="test"), split="test") == 30


@pytest.mark.parametrize("rate", [-1, float("nan")])
def test_a_negative_rate_names_mixture_and_task(abc, rate):
    a, b, _ = abc
    with pytest.raises(UserError, match=f"Mixture 'm' gives 'b' the rate {rate}; .* 0 .* or more"):
        Mixture("m", [(a, 1), (b, rate)])


def test_a_negative_rate_function_names_mixture_and_task(abc):
    mixture = Mixture("m", [(abc[0], 1), (abc[1], lambda task: -task.num_input_examples())])
    with pytest.raises(UserError, match="Mixture 'm': the rate function of 'b' gave -20"):
        mixing_rates(mixture)


def test_a_task_of_rate_zero_is_not_drawn_from(abc):
    a, b, c = abc
    mixture = Mixture("m", [(a, 1), (b, 0), (Mixture("none", [(c, 0)]), 3)])
    assert mixture.tasks == (a, b, c)
    assert mixing_rates(mixture) == {"a": 1.0}


def test_nothing_to_draw_from_is_an_error(abc):
    with pytest.raises(UserError, match="Mixture 'm' has no task with a rate above 0"):
        mixing_rates(Mixture("m", [(abc[0], 0)]))


def test_tasks_without_the_split_are_left_out_with_a_warning(make_task, caplog):
    mixture = Mixture("m", [(make_task("a"), 1), (make_task("b", split="test"), 3)])
    assert mixing_rates(mixture, "train") == {"a": 1.0}
    assert "mixture 'm' is drawn without b, which have no split 'train'" in caplog.text
    with pytest.raises(UserError, match=r"and a split 'dev'; its tasks have .*'test', 'train'"):
        mixing_rates(mixture, "dev")


def test_a_rate_function_for_a_mixture_names_both(abc):
    inner = Mixture("inner", [(abc[0], 1)])
    with pytest.raises(UserError, match="Mixture 'outer': the rate of 'inner' must be a number"):
        mixing_rates(Mixture("outer", [(inner, mixing_rate_num_examples)]))


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(UserError, match="Mixture 'm' has no tasks"):
        Mixture("m", [])


def test_different_output_features_are_listed_by_task(make_task, byte_features):
    more = make_task("more", 1, output_features={**byte_features, "extra": byte_features["inputs"]})
    expected = "t: ['inputs', 'targets']; more: ['extra', 'inputs', 'targets']"
    with pytest.raises(UserError, match=re.escape(expected)) as error:
        Mixture("m", [(make_task("t", 1), 1), (more, 1)])
    assert "'m'" in str(error.value)


def test_different_vocabularies_are_listed_by_task(make_task, byte_features):
    targets = Feature(ByteVocabulary(extra_ids=7))
    other = make_task("other", 1, output_features={**byte_features, "targets": targets})
    expected = "'targets': t: ByteVocabulary(bytes+100); other: ByteVocabulary(bytes+7)"
    with pytest.raises(UserError, match=re.escape(expected)):
        Mixture("m", [(make_task("t", 1), 1), (other, 1)])


def test_a_mixture_has_the_features_of_its_tasks(abc):
    mixture = Mixture("m", [(task, 1) for task in abc])
    assert mixture.output_features == abc[0].output_features


def test_functions_of_nested_mixtures_are_called_a_bounded_number_of_times(make_task):
    calls = []

    def rate(task):
        calls.append(task.name)
        return float(len(calls) % 3 + 1)

    tasks = [make_task(f"t{i}") for i in range(50)]
    inner = Mixture("inner", [(task, rate) for task in tasks])
    assert sum(mixing_rates(Mixture("outer", [(Mixture("middle", [(inner, 2)]), 1)])).values()) == (
        pytest.approx(1)
    )
    assert max(map(calls.count, set(calls))) <= 2


@pytest.mark.parametrize("rate", ["1", None])
def test_a_rate_that_is_no_number_is_named(make_task, rate):
    with pytest.raises(UserError, match=f"gives 'a' the rate {rate!r}; rates must be"):
        Mixture("m", [(make_task("a"), rate)])


def test_a_task_without_the_split_is_only_evaluated(registries, make_task):
    task = make_task("m.only_test", 30, split="test")
    assert mixing_rate_num_examples(task) == 0
    assert mixing_rate_num_examples(task, split="test") == 30
