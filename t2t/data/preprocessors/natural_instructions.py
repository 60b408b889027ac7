"""Prompts of Super-NaturalInstructions as Tk-Instruct is trained on (Wang et al. 2022).

"Super-NaturalInstructions: Generalization via Declarative Instructions on 1600+ NLP Tasks", arXiv
2204.07705.
"""

import dataclasses
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.features import Feature, SequenceLength
from t2t.data.preprocessors.apply import Preprocessor
from t2t.data.preprocessors.fields import field, text, texts
from t2t.data.sources import Example
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class Prompt:
    """What of a task's instructions stands before the input.

    Attributes:
      definition: whether the definition does.
      positive, negative: how many of its examples, at most.
      explanations: whether the examples say why.
      name: whether the name of the task does.
    """

    definition: bool = True
    positive: int = 2
    negative: int = 0
    explanations: bool = False
    name: bool = False


DEFINITION = Prompt(positive=0)
DEFINITION_AND_EXAMPLES = Prompt()
TK_INSTRUCT = (
    DEFINITION,
    Prompt(definition=False),
    DEFINITION_AND_EXAMPLES,
    Prompt(negative=2),
    Prompt(explanations=True),
)
"""The five that Tk-Instruct draws from where it is trained on all kinds of instructions."""


def natural_instructions(prompts: Prompt | Sequence[Prompt] = Prompt()) -> Preprocessor:
    """Instructions and an input; the target is one of the outputs, drawn.

    Of the examples, as many stand before the input as the length of the inputs has room for. All
    outputs are left in "references".

    Args:
      prompts: one, or several, of which one is drawn for each example and epoch.

    Returns:
      A preprocessor of examples with "input", "output" (a text or several), "definition", and, if
      asked for, "task_name", "positive_examples" and "negative_examples": lists of mappings with
      "input", "output" and perhaps "explanation".

    Raises:
      UserError: if there are no prompts.
    """
    choices = [prompts] if isinstance(prompts, Prompt) else list(prompts)
    if not choices:
        raise UserError("natural_instructions needs at least one Prompt.")

    def apply(
        example: Example,
        rng: np.random.Generator,
        output_features: Mapping[str, Feature],
        sequence_length: SequenceLength | None,
    ) -> Example:
        prompt = choices[int(rng.integers(len(choices)))] if len(choices) > 1 else choices[0]
        output = field(example, "output")
        references = [text(example, "output")] if _is_text(output) else texts(example, "output")
        if not references:
            raise UserError("the list 'output' is empty; leave such instances out.")
        return {
            **example,
            "inputs": _prompted(example, prompt, _room(output_features, sequence_length)),
            "targets": references[int(rng.integers(len(references)))],
            "references": references,
        }

    apply.__qualname__ = "natural_instructions"
    return apply


def _prompted(example: Example, prompt: Prompt, fits: Callable[[str], bool]) -> str:
    start = f"{text(example, 'task_name')}. " if prompt.name else ""
    if prompt.definition:
        start += _ended(f"Definition: {text(example, 'definition').strip()}") + "\n\n"
    end = "Now complete the following example -\n"
    end += _ended(f"Input: {text(example, 'input').strip()}") + "\nOutput: "
    for kind, most in (("Positive", prompt.positive), ("Negative", prompt.negative)):
        given = field(example, f"{kind.lower()}_examples") if most else ()
        for number, solved in enumerate(given[:most], 1):
            longer = start + _solved(f"{kind} Example {number}", solved, prompt.explanations)
            if not fits(longer + end):
                break
            start = longer
    return start + end


def _solved(title: str, solved: Mapping[str, Any], explained: bool) -> str:
    lines = [f" {title} -", _ended(f"Input: {text(solved, 'input').strip()}")]
    lines.append(_ended(f" Output: {text(solved, 'output').strip()}"))
    if explained and "explanation" in solved:
        lines.append(_ended(f" Explanation: {text(solved, 'explanation').strip()}"))
    return "\n".join(lines) + "\n\n"


def _room(
    features: Mapping[str, Feature], sequence_length: SequenceLength | None
) -> Callable[[str], bool]:
    length = (sequence_length or {}).get("inputs")
    feature = features.get("inputs")
    if length is None or feature is None:  # no length is known where a cache is made
        return lambda prompt: True
    encode, add_eos = feature.vocabulary.encode, feature.add_eos
    return lambda prompt: len(encode(prompt)) + add_eos <= length


def _ended(line: str) -> str:
    return line if line[-1] in string.punctuation else f"{line}."


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)
