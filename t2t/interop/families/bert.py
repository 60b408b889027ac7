"""BERT (https://arxiv.org/abs/1810.04805)."""

from typing import ClassVar

from t2t.interop.families.encoder import EncoderFamily
from t2t.interop.families.encoder_heads import SPANS, TOKENS, Classifier, MaskedLM, pooled
from t2t.models.heads import SequenceClasses

_DENSE = "{base}pooler.dense"
_POOLED = pooled(_DENSE)
_MASKED_LM = MaskedLM(
    dense="cls.predictions.transform.dense",
    norm="cls.predictions.transform.LayerNorm",
    decoder="cls.predictions.decoder",
    bias="cls.predictions.bias",
)
_NEXT_SENTENCE = Classifier(
    SequenceClasses(2), "cls.seq_relationship", _DENSE, labelled=False, dropout=False
)
_SEQUENCE = Classifier(
    SequenceClasses(2), "classifier", _DENSE, also="cls.seq_relationship", told=False
)


class BertFamily(EncoderFamily):
    """BERT. BertForNextSentencePrediction becomes a BertForSequenceClassification of two classes.

    Next sentence prediction has class 0 for a continuation and 1 for another text, as there.
    """

    model_types = ("bert",)
    base = "bert."
    masked_lm = _MASKED_LM
    classes: ClassVar = {
        "BertForPreTraining": (_MASKED_LM, _NEXT_SENTENCE),
        "BertForMaskedLM": (_MASKED_LM,),
        "BertForSequenceClassification": (_SEQUENCE,),
        "BertForTokenClassification": (TOKENS,),
        "BertForQuestionAnswering": (SPANS,),
        "BertForNextSentencePrediction": (_NEXT_SENTENCE,),
        "BertModel": (_POOLED,),
    }
    bare_class = "BertModel"
    defaults: ClassVar = {"pad_token_id": 0}


FAMILY = BertFamily()
