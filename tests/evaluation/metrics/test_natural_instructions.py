"""Known answers of Tk-Instruct's measures; ROUGE itself is tested elsewhere."""

import functools

import pytest

from t2t.errors import UserError
from t2t.evaluation.metrics.natural_instructions import (
    instruction_exact_match,
    instruction_rouge,
    instruction_rouge_by_category,
    references,
)

CASES = [
    ("The cats sat.", ["the cat sat", "nothing"], "Title Generation"),
    ("b", ["a", "B!"], "Word Analogy"),
    ("a b", ["c"], "Word Analogy"),
]


def pairs(cases=CASES):
    examples = [{"references": r, "category": c} for _, r, c in cases]
    targets = [references("", example=e, is_target=True) for e in examples]
    predictions = [references(p, example=e) for (p, _, _), e in zip(cases, examples, strict=True)]
    return targets, predictions


def test_the_nearest_reference_counts():
    assert instruction_rouge(*pairs())["rougeL"] == pytest.approx(200 / 3)
    assert instruction_exact_match(*pairs())["exact_match"] == pytest.approx(100 / 3)
    assert instruction_rouge_by_category(*pairs()) == {
        "rougeL_for_title_generation": 100,
        "rougeL_for_word_analogy": 50,
    }


def test_articles_count_unlike_in_squad():
    assert instruction_exact_match(*pairs([("a dog", ["dog"], "")]))["exact_match"] == 0


def test_other_scripts():
    russian = pairs([("Привет, мир", ["привет мир"], "Вопросы")])
    anywhere = functools.partial(instruction_rouge, any_script=True)
    assert instruction_rouge(*russian)["rougeL"] == 0
    assert anywhere(*russian)["rougeL"] == 100
    by_category = instruction_rouge_by_category(*russian, any_script=True)
    assert by_category == {"rougeL_for_вопросы": 100}


def test_an_example_without_references_is_an_error():
    with pytest.raises(UserError, match="field 'references'"):
        references("x", example={}, is_target=True)
    assert instruction_rouge_by_category(*pairs([("a", ["a"], "")])) == {}
