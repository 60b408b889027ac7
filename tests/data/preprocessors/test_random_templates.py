import collections

import numpy as np
import pytest

from t2t.data.preprocessors import Chain, Context, random_template
from t2t.errors import UserError

TEMPLATES = [("{text} Sentiment?", "{label}"), ("Is '{text}' good or bad?", "It is {label}.")]
EXAMPLE = {"text": "I like it.", "label": "good"}


def made(templates, key):
    context = Context(np.random.default_rng(key), {})
    [example] = Chain([random_template(templates)])(EXAMPLE, context)
    return example


def test_each_template_is_as_likely_and_fills_both_sides():
    drawn = [made(TEMPLATES, key) for key in range(200)]
    pairs = collections.Counter((e["inputs"], e["targets"], e["template"]) for e in drawn)
    assert set(pairs) == {
        ("I like it. Sentiment?", "good", 0),
        ("Is 'I like it.' good or bad?", "It is good.", 1),
    }
    assert min(pairs.values()) > 70
    assert all(e["label"] == "good" for e in drawn)


def test_the_draw_follows_from_the_key_alone():
    assert [made(TEMPLATES, 3) for _ in range(3)] == [made(TEMPLATES, 3)] * 3


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ([], "at least one pair"),
        (["{text}"], r"a pair of texts \(inputs, targets\), not \('{text}',\)"),
        ([("a", "b", "c")], "a pair of texts"),
    ],
)
def test_what_is_no_pair_is_refused_where_it_is_written(templates, message):
    with pytest.raises(UserError, match=message):
        random_template(templates)


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"random_template, failed .* no field 'txt'.*mean 'text'"):
        made([("{txt}", "")], 0)
