"""ELECTRA (https://arxiv.org/abs/2003.10555)."""

from typing import Any, ClassVar

from t2t.interop.families.encoder import EncoderFamily
from t2t.interop.families.encoder_heads import SPANS, TOKENS, Classifier, MaskedLM
from t2t.interop.family import HFConfig
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import SequenceClasses, TokenClasses

_MASKED_LM = MaskedLM(
    dense="generator_predictions.dense",
    norm="generator_predictions.LayerNorm",
    decoder="generator_lm_head",
    bias="generator_lm_head.bias",
    activation="gelu_exact",
)
_REPLACED = Classifier(
    TokenClasses(1, "gelu_exact"),
    "discriminator_predictions.dense_prediction",
    "discriminator_predictions.dense",
    labelled=False,
    hidden_act=True,
    dropout=False,
)
_SEQUENCE = Classifier(SequenceClasses(2, "gelu_exact"), "classifier.out_proj", "classifier.dense")


class ElectraFamily(EncoderFamily):
    """Discriminators (ElectraForPreTraining) and generators (ElectraForMaskedLM).

    The discriminator's head has one logit per token, above 0 for "replaced". Where embeddings are
    as wide as the layers, an encoder with the heads of a BERT is a BERT, and written as one. In
    training, transformers drops out what the dense layer of a sequence classifier reads, too.
    """

    model_types = ("electra",)
    base = "electra."
    masked_lm = _MASKED_LM
    classes: ClassVar = {
        "ElectraForPreTraining": (_REPLACED,),
        "ElectraForMaskedLM": (_MASKED_LM,),
        "ElectraForSequenceClassification": (_SEQUENCE,),
        "ElectraForTokenClassification": (TOKENS,),
        "ElectraForQuestionAnswering": (SPANS,),
        "ElectraModel": (),
    }
    bare_class = "ElectraModel"
    defaults: ClassVar = {"embedding_size": 128, "pad_token_id": 0}
    projection = "embeddings_project"

    def embedding_size(self, config: HFConfig) -> int | None:
        size = config["embedding_size"]
        return None if size == config["hidden_size"] else size

    def more_settings(self, config: EncoderOnly) -> dict[str, Any]:
        return {"embedding_size": config.encoder.embedding_size}


FAMILY = ElectraFamily()
