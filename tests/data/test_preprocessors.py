import functools
import re

import pytest

from t2t.data.preprocessors import apply_preprocessors, rekey, text_to_text
from t2t.data.randomness import generator
from t2t.errors import UserError

EXAMPLE = {"wrong": "teh", "right": "the"}


@pytest.mark.parametrize("nothing", [None, ""])
def test_rekey_renames_drops_and_fills(nothing):
    renamed = rekey({"inputs": nothing, "targets": "right"})(EXAMPLE)
    assert renamed == {"inputs": "", "targets": "the"}


def test_rekey_keeps_values_that_are_no_strings():
    assert rekey({"n": "count"})({"count": 3}) == {"n": 3}


def test_text_to_text_fills_templates_and_keeps_fields():
    filled = text_to_text("correct: {wrong}", "{right}!")(EXAMPLE)
    assert filled == {**EXAMPLE, "inputs": "correct: teh", "targets": "the!"}


def test_text_to_text_leaves_its_argument_alone():
    example = dict(EXAMPLE)
    text_to_text("{wrong}", "{right}")(example)
    assert example == EXAMPLE


@pytest.mark.parametrize(
    "preprocessor",
    [rekey({"targets": "wrog"}), text_to_text("{wrog}", ""), text_to_text("", "{wrog}")],
    ids=["rekey", "inputs_format", "targets_format"],
)
def test_missing_field_is_named_with_the_others_and_the_nearest(preprocessor):
    expected = r"field 'wrog'.* only 'wrong', 'right'. Did you mean 'wrong'\?"
    with pytest.raises(UserError, match=expected):
        preprocessor(EXAMPLE)


@pytest.mark.parametrize("template", ["{}", "{wrong", "{wrong.id}", "{wrong[id]}"])
def test_template_with_another_mistake_is_named(template):
    with pytest.raises(UserError, match=re.escape(template)):
        text_to_text(template, "")(EXAMPLE)


def test_chain_runs_in_order():
    chain = (lambda e: {"x": e["x"] + 1}, lambda e: {"x": e["x"] * 10})
    assert apply_preprocessors(chain, {"x": 1}, generator(0)) == {"x": 20}


def test_empty_chain_changes_nothing():
    assert apply_preprocessors((), EXAMPLE, generator(0)) == EXAMPLE


def draw(example, rng):
    return {**example, "draw": int(rng.integers(2**60))}


def test_rng_is_given_to_those_that_ask_and_follows_the_key():
    chain = (lambda e: {**e, "plain": True}, draw)
    first = apply_preprocessors(chain, EXAMPLE, generator(1))
    assert first == apply_preprocessors(chain, EXAMPLE, generator(1))
    assert first["plain"]
    assert first["draw"] != apply_preprocessors(chain, EXAMPLE, generator(2))["draw"]


def test_two_preprocessors_draw_from_one_stream():
    again = apply_preprocessors((draw, lambda e: {"first": e["draw"]}, draw), {}, generator(1))
    assert again["draw"] != again["first"]


def test_partial_functions_may_ask_for_rng():
    def noisy(example, scale, rng):
        return {"x": scale * rng.random()}

    chain = (functools.partial(noisy, scale=0.0),)
    assert apply_preprocessors(chain, {}, generator(0)) == {"x": 0.0}


def forgets_to_return(example):
    example["targets"] = "x"


def test_preprocessor_that_returns_nothing_is_named():
    with pytest.raises(UserError, match="forgets_to_return returned NoneType, not a dict"):
        apply_preprocessors((forgets_to_return,), {}, generator(0))
