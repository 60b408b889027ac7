"""RoBERTa (https://arxiv.org/abs/1907.11692)."""

import dataclasses
from typing import ClassVar

from t2t.errors import UserError
from t2t.interop.families.encoder import EncoderFamily
from t2t.interop.families.encoder_heads import SPANS, TOKENS, Classifier, MaskedLM, pooled
from t2t.interop.family import HFConfig
from t2t.interop.tables import Table
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import SequenceClasses

_MASKED_LM = MaskedLM(
    dense="lm_head.dense",
    norm="lm_head.layer_norm",
    decoder="lm_head.decoder",
    bias="lm_head.bias",
    activation="gelu_exact",
)
_SEQUENCE = Classifier(SequenceClasses(2), "classifier.out_proj", "classifier.dense")


class RobertaFamily(EncoderFamily):
    """RoBERTa, whose first token has the position behind that of the padding token's id.

    transformers counts tokens that are no padding; here all are counted, so positions differ where
    padding comes before or between others. At padding, outputs differ and mean nothing: there
    every such token has the position `pad_token_id`, here the one where it stands. In training,
    transformers drops out what the dense layer of a sequence classifier reads, too.
    """

    model_types = ("roberta",)
    base = "roberta."
    masked_lm = _MASKED_LM
    classes: ClassVar = {
        "RobertaForMaskedLM": (_MASKED_LM,),
        "RobertaForSequenceClassification": (_SEQUENCE,),
        "RobertaForTokenClassification": (TOKENS,),
        "RobertaForQuestionAnswering": (SPANS,),
        "RobertaModel": (pooled("{base}pooler.dense"),),
    }
    bare_class = "RobertaModel"
    defaults: ClassVar = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}

    def offset(self, config: HFConfig) -> int:
        pad = config["pad_token_id"]
        if not isinstance(pad, int):
            raise UserError(f"{config.where} sets no pad_token_id, where positions begin.")
        return pad + 1

    def table(self, config: EncoderOnly) -> Table:
        """As `EncoderFamily` has it; next to a sequence classifier, a pooler is unused."""
        table = super().table(config)
        return dataclasses.replace(table, ignored=(*table.ignored, r"roberta\.pooler\..*"))


FAMILY = RobertaFamily()
