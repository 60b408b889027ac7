"""Super-NaturalInstructions (Wang et al., arXiv 2204.07705, Apache 2.0) as Tk-Instruct is trained.

`natural_instructions` has definitions and two examples before each input, `..._def` definitions
alone, `..._tk` one of Tk-Instruct's five kinds of prompt. They train on 100 instances of each of
the 757 English training tasks and test on 100 of each of 119 others; "validation" has other
instances of the training tasks. `..._xlingual` is the other track, in mT5's vocabulary. All read a
clone in $T2T_DATA_DIR. `..._tfds` is TFDS's form: all tasks in one split, of which one task in
twenty is for validation, with one output each and no examples.
"""

import functools

from t2t_tasks.t5_features import MT5_FEATURES, T5_FEATURES

from t2t.data.preprocessors.natural_instructions import (
    DEFINITION,
    DEFINITION_AND_EXAMPLES,
    TK_INSTRUCT,
    natural_instructions,
)
from t2t.data.registry import TaskRegistry
from t2t.data.sources import (
    HashSplitDataSource,
    NaturalInstructionsDataSource,
    TfdsDataSource,
)
from t2t.evaluation.metrics.natural_instructions import (
    instruction_exact_match,
    instruction_rouge,
    instruction_rouge_by_category,
    references,
)

ENGLISH = NaturalInstructionsDataSource()
XLINGUAL = NaturalInstructionsDataSource(track="xlingual")
TFDS = HashSplitDataSource(
    TfdsDataSource("natural_instructions:1.0.1", ["train"]),
    {"train": 0.95, "validation": 0.05},
    field="task_name",
)
METRICS = (instruction_rouge, instruction_exact_match, instruction_rouge_by_category)

_TASKS = {
    "natural_instructions": (ENGLISH, DEFINITION_AND_EXAMPLES, T5_FEATURES, METRICS),
    "natural_instructions_def": (ENGLISH, DEFINITION, T5_FEATURES, METRICS),
    "natural_instructions_tk": (ENGLISH, TK_INSTRUCT, T5_FEATURES, METRICS),
    "natural_instructions_xlingual": (
        XLINGUAL,
        DEFINITION_AND_EXAMPLES,
        MT5_FEATURES,
        [
            functools.partial(instruction_rouge, any_script=True),
            instruction_exact_match,
            functools.partial(instruction_rouge_by_category, any_script=True),
        ],
    ),
    "natural_instructions_tfds": (TFDS, DEFINITION, T5_FEATURES, METRICS[:2]),
}

for _name, (_source, _prompts, _features, _metrics) in _TASKS.items():
    TaskRegistry.add(
        _name,
        source=_source,
        preprocessors=[natural_instructions(_prompts)],
        output_features=_features,
        postprocess_fn=references,
        metric_fns=_metrics,
    )
