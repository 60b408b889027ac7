"""The mixtures that T5 is trained on (Raffel et al., arXiv 1910.10683, section 3.5).

GLUE's and SuperGLUE's tasks have their number of training examples as rates, the others are counted
where the mixture is drawn from. Table 11's strategies are `all_equal`, `all_proportional_k16` to
`_k21` (no more than 2^16 to 2^21 examples of a task) and `all_proportional_t2`, `_t4`, `_t8`
(temperatures, over the limit 2^21).
"""

import functools
from collections.abc import Iterable

from t2t_tasks import glue, super_glue

from t2t.data.mixtures import Rate, mixing_rate_num_examples
from t2t.data.registry import MixtureRegistry

GLUE, SUPER_GLUE = glue.TRAINING_EXAMPLES, super_glue.TRAINING_EXAMPLES
TRANSLATION = ("wmt_t2t_ende_v003", "wmt15_enfr_v003")
OTHERS = ("cnn_dailymail_v002", "squad_v010_allanswers", *TRANSLATION, "wmt16_enro_v003")
SUPERVISED = (*GLUE, *SUPER_GLUE, *OTHERS)
UNSUPERVISED = "c4_v020_unsupervised"
ALL = (*SUPERVISED, UNSUPERVISED)


def examples(names: Iterable[str], halved: bool = True) -> dict[str, Rate]:
    """Rates of tasks: their number of training examples, or a function that counts them.

    Args:
      names: of tasks.
      halved: both RTEs at half their rate, since GLUE and SuperGLUE have the same one.
    """
    known = GLUE | SUPER_GLUE
    if halved:
        known |= {name: rate / 2 for name, rate in known.items() if "_rte_" in name}
    return {name: known.get(name, mixing_rate_num_examples) for name in names}


def limited(rates: dict[str, Rate], maximum: float, temperature: float = 1.0) -> dict[str, Rate]:
    """The rates up to a maximum, to the power of 1 / temperature."""
    count = functools.partial(mixing_rate_num_examples, maximum=maximum, temperature=temperature)
    return {
        name: count if callable(rate) else min(rate, maximum) ** (1 / temperature)
        for name, rate in rates.items()
    }


MixtureRegistry.add("glue_v002_proportional", GLUE.items())
MixtureRegistry.add("super_glue_v102_proportional", SUPER_GLUE.items())
MixtureRegistry.add(
    "super_glue_v102_proportional_sentinel", super_glue.SENTINEL_TRAINING_EXAMPLES.items()
)
MixtureRegistry.add("glue_mnli_and_dev_v002", [n for n in GLUE if "mnli" in n], default_rate=1.0)
MixtureRegistry.add(
    "wsc_dpr_simple_proportional",
    [(name, rate) for name, rate in SUPER_GLUE.items() if name.startswith("dpr") or "wsc" in name],
)
MixtureRegistry.add(
    "squad_trivia_qa_equal", ["squad_v010_allanswers", "trivia_qa_v010"], default_rate=1.0
)

# Multi-task training with C4 (sections 3.5.2 and 3.5.3).
MixtureRegistry.add(
    "en_mix",
    [(UNSUPERVISED, 1e6), *GLUE, *SUPER_GLUE, "squad_v010_allanswers"],
    default_rate=mixing_rate_num_examples,
)
MixtureRegistry.add("all_equal", ALL, default_rate=1.0)
MixtureRegistry.add("all_proportional", examples(ALL).items())
MixtureRegistry.add("all_mix", {UNSUPERVISED: 1e6, **examples(SUPERVISED)}.items())
for _exponent in range(16, 22):
    MixtureRegistry.add(
        f"all_proportional_k{_exponent}", limited(examples(ALL), 2.0**_exponent).items()
    )
for _temperature in (2, 4, 8):
    MixtureRegistry.add(
        f"all_proportional_t{_temperature}",
        limited(examples(ALL), 2.0**21, _temperature).items(),
    )

# Leave one out, to fine-tune on it afterwards; supervised tasks alone (section 3.5.3, table 12).
for _name, _benchmark in {
    "glue_v002_proportional": GLUE,
    "super_glue_v102_proportional": SUPER_GLUE,
}.items():
    MixtureRegistry.add(
        f"leave_one_out_{_name}",
        examples([name for name in ALL if name not in _benchmark], halved=False).items(),
    )
for _name in OTHERS:
    MixtureRegistry.add(
        f"leave_one_out_{_name}", examples([name for name in ALL if name != _name]).items()
    )
_LARGE = (*TRANSLATION, "cnn_dailymail_v002")
MixtureRegistry.add("large_supervised_equal", _LARGE, default_rate=1.0)
MixtureRegistry.add("large_supervised_proportional", _LARGE, default_rate=mixing_rate_num_examples)
MixtureRegistry.add("large_translation_equal", TRANSLATION, default_rate=1.0)
