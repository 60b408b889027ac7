"""ALBERT (https://arxiv.org/abs/1909.11942)."""

from typing import Any, ClassVar

from t2t.interop.families.encoder import EncoderFamily
from t2t.interop.families.encoder_heads import SPANS, TOKENS, Classifier, MaskedLM, pooled
from t2t.interop.family import HFConfig
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import SequenceClasses

_DENSE = "{base}pooler"
_MASKED_LM = MaskedLM(
    dense="predictions.dense",
    norm="predictions.LayerNorm",
    decoder="predictions.decoder",
    bias="predictions.bias",
)
_SENTENCE_ORDER = Classifier(SequenceClasses(2), "sop_classifier.classifier", _DENSE)
_SEQUENCE = Classifier(SequenceClasses(2), "classifier", _DENSE, told=False)
_GROUP = "encoder.albert_layer_groups.{layer}.albert_layers.0."


class AlbertFamily(EncoderFamily):
    """ALBERT, with `num_hidden_groups` sets of parameters.

    In training, transformers drops out nothing of what feed-forward layers add; here what they add
    is dropped out like what attention adds.
    """

    model_types = ("albert",)
    base = "albert."
    masked_lm = _MASKED_LM
    classes: ClassVar = {
        "AlbertForPreTraining": (_MASKED_LM, _SENTENCE_ORDER),
        "AlbertForMaskedLM": (_MASKED_LM,),
        "AlbertForSequenceClassification": (_SEQUENCE,),
        "AlbertForTokenClassification": (TOKENS,),
        "AlbertForQuestionAnswering": (SPANS,),
        "AlbertModel": (pooled(_DENSE),),
    }
    bare_class = "AlbertModel"
    defaults: ClassVar = {
        "embedding_size": 128,
        "num_hidden_groups": 1,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout_prob": 0.1,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    classifier_dropout = "classifier_dropout_prob"
    layers: ClassVar = {
        "self_attention/query": _GROUP + "attention.query",
        "self_attention/key": _GROUP + "attention.key",
        "self_attention/value": _GROUP + "attention.value",
        "self_attention/out": _GROUP + "attention.dense",
        "self_attention_norm": _GROUP + "attention.LayerNorm",
        "mlp/wi": _GROUP + "ffn",
        "mlp/wo": _GROUP + "ffn_output",
        "mlp_norm": _GROUP + "full_layer_layer_norm",
    }
    projection = "encoder.embedding_hidden_mapping_in"

    def embedding_size(self, config: HFConfig) -> int:
        return config["embedding_size"]

    def num_groups(self, config: HFConfig) -> int:
        config.must_be("inner_group_num", 1)
        return config["num_hidden_groups"]

    def more_settings(self, config: EncoderOnly) -> dict[str, Any]:
        return {
            "embedding_size": config.encoder.embedding_size,
            "num_hidden_groups": config.encoder.num_groups or config.encoder.num_layers,
            "inner_group_num": 1,
        }


FAMILY = AlbertFamily()
