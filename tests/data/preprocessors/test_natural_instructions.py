"""The prompts of Tk-Instruct, to the letter."""

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.preprocessors import Chain, Context
from t2t.data.preprocessors.natural_instructions import (
    DEFINITION,
    DEFINITION_AND_EXAMPLES,
    TK_INSTRUCT,
    Prompt,
    natural_instructions,
)
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

EXAMPLE = {
    "task_name": "task1_x",
    "definition": " Say what comes next ",
    "input": "one two",
    "output": ["three", "drei"],
    "positive_examples": [
        {"input": "a b", "output": "c", "explanation": "It is the alphabet"},
        {"input": "x y.", "output": "z!", "explanation": "As above."},
        {"input": "never", "output": "shown"},
    ],
    "negative_examples": [{"input": "a b", "output": "x", "explanation": "It is c."}],
}
END = "Now complete the following example -\nInput: one two.\nOutput: "
POSITIVE = (
    " Positive Example 1 -\nInput: a b.\n Output: c.\n\n"
    " Positive Example 2 -\nInput: x y.\n Output: z!\n\n"
)


def made(prompts, key=0, length=None, **changes):
    features = {"inputs": Feature(ByteVocabulary()), "targets": Feature(ByteVocabulary())}
    lengths = None if length is None else {"inputs": length, "targets": 8}
    context = Context(np.random.default_rng(key), features, lengths)
    [example] = Chain([natural_instructions(prompts)])({**EXAMPLE, **changes}, context)
    return example


@pytest.mark.parametrize(
    ("prompt", "inputs"),
    [
        (DEFINITION, f"Definition: Say what comes next.\n\n{END}"),
        (
            DEFINITION_AND_EXAMPLES,
            f"Definition: Say what comes next.\n\n{POSITIVE}{END}",
        ),
        (Prompt(definition=False), POSITIVE + END),
        (
            Prompt(positive=1, negative=1, explanations=True, name=True),
            "task1_x. Definition: Say what comes next.\n\n"
            " Positive Example 1 -\nInput: a b.\n Output: c.\n Explanation: It is the alphabet.\n\n"
            " Negative Example 1 -\nInput: a b.\n Output: x.\n Explanation: It is c.\n\n" + END,
        ),
    ],
)
def test_prompts_are_those_of_tk_instruct(prompt, inputs):
    assert made(prompt)["inputs"] == inputs


def test_one_of_the_outputs_is_drawn_and_all_are_kept():
    drawn = [made(DEFINITION, key) for key in range(20)]
    assert {e["targets"] for e in drawn} == {"three", "drei"}
    assert all(e["references"] == ["three", "drei"] for e in drawn)
    alone = made(DEFINITION, output="three")
    assert (alone["targets"], alone["references"]) == ("three", ["three"])


def test_one_of_several_prompts_is_drawn():
    inputs = {made(TK_INSTRUCT, key)["inputs"] for key in range(100)}
    assert len(inputs) == len(TK_INSTRUCT)


def test_examples_stand_there_as_far_as_there_is_room():
    whole = made(Prompt())["inputs"]
    first = f"Definition: Say what comes next.\n\n{POSITIVE[: len(POSITIVE) // 2 + 1]}"
    for length, count in [(len(whole) + 1, 2), (len(whole), 1), (len(first + END) - 20, 0)]:
        assert made(Prompt(), length=length)["inputs"].count("Positive Example") == count


def test_mistakes_are_named():
    with pytest.raises(UserError, match="list 'output' is empty"):
        made(DEFINITION, output=[])
    with pytest.raises(UserError, match="at least one Prompt"):
        natural_instructions([])
    with pytest.raises(UserError, match="'definition' must be text"):
        made(DEFINITION, definition=None)
