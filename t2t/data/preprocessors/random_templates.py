"""One of several templates, drawn anew for each example and epoch, as FLAN has ten a data set."""

from collections.abc import Sequence

import numpy as np

from t2t.data.preprocessors.apply import Preprocessor
from t2t.data.preprocessors.templates import fill
from t2t.data.sources import Example
from t2t.errors import UserError


def random_template(templates: Sequence[tuple[str, str]]) -> Preprocessor:
    """Fills one of several pairs of templates, each as likely; keeps all fields.

    Wei et al., "Finetuned Language Models Are Zero-Shot Learners", arXiv 2109.01652, section 2.1.
    Which one is the new field "template", its number. Evaluation draws, too, the same every time.

    Args:
      templates: such as `[("Translate: {en}", "{de}"), ("What is {en} in German?", "{de}")]`.

    Raises:
      UserError: if there are none, or one is no pair of texts.
    """
    pairs = [tuple(pair) if not isinstance(pair, str) else (pair,) for pair in templates]
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise UserError(f"A template is a pair of texts (inputs, targets), not {pair!r:.80}.")
    if not pairs:
        raise UserError("random_template needs at least one pair of templates.")

    def apply(example: Example, rng: np.random.Generator) -> Example:
        number = int(rng.integers(len(pairs)))
        inputs, targets = (fill(template, example) for template in pairs[number])
        return {**example, "inputs": inputs, "targets": targets, "template": number}

    apply.__qualname__ = "random_template"
    return apply
