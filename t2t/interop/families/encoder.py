"""What BERT, RoBERTa, ALBERT and ELECTRA have in common at Hugging Face."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from t2t.errors import UserError, did_you_mean
from t2t.interop import activations
from t2t.interop.families import encoder_tensors
from t2t.interop.families.encoder_heads import Classes, MaskedLM, TheirHead, match
from t2t.interop.family import Family, HFConfig
from t2t.interop.sources import Source
from t2t.interop.tables import Table
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.definition import ModelConfig
from t2t.models.embedding import Embedding
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import Head, LMHead, SequenceClasses, Spans, TokenClasses
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm
from t2t.models.positions import LearnedPositions
from t2t.models.residual import PostNorm
from t2t.models.stack import Stack

_DEFAULTS = {
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "tie_word_embeddings": True,
    "bos_token_id": None,
    "eos_token_id": None,
}


class EncoderFamily(Family):
    """An encoder with norms behind residual branches, learned positions and token types.

    Which heads there are is told by `architectures`, and by the tensors: heads of pretraining that
    a file has besides, such as a pooler, are kept; a pooler that it lacks is not made up. Whether
    the masked language model's projection is the table of tokens is told by the tensors, too.

    Names of classes are not kept. Token ids that transformers takes for granted (`defaults`) are
    taken for granted here.

    Attributes:
      base: what names of the encoder's tensors begin with in models that have a head.
      classes: those of transformers; of two that fit a model, the first is written.
      bare_class: the one without a head, but perhaps with a pooler.
      masked_lm: one of the heads.
      defaults: of settings that config.json may lack, where they differ from BERT's.
      classifier_dropout: name of that setting.
      layers: names of a layer's parts, by ours.
      projection: name of the layer from embeddings to hidden vectors.
    """

    config_classes = ("EncoderOnly",)
    base: ClassVar[str]
    classes: ClassVar[Classes]
    bare_class: ClassVar[str]
    masked_lm: ClassVar[MaskedLM]
    defaults: ClassVar[Mapping[str, Any]]
    classifier_dropout: ClassVar[str] = "classifier_dropout"
    layers: ClassVar[Mapping[str, str]] = encoder_tensors.LAYERS
    projection: ClassVar[str] = ""

    def embedding_size(self, config: HFConfig) -> int | None:
        """Of token vectors, if they are projected."""
        return None

    def num_groups(self, config: HFConfig) -> int | None:
        """Sets of parameters, if layers share them."""
        return None

    def offset(self, config: HFConfig) -> int:
        """Rows of the table of positions before that of the first token."""
        return 0

    def more_settings(self, config: EncoderOnly) -> dict[str, Any]:
        """Those of config.json that this family alone has."""
        return {}

    def from_hf(self, config: HFConfig) -> EncoderOnly:
        config = HFConfig({**_DEFAULTS, **self.defaults, **config}, config.where)
        config.must_be("is_decoder", False)
        config.must_be("add_cross_attention", False)
        config.must_be("position_embedding_type", "absolute")
        stack = self._stack(config)
        theirs = self._heads_of(config)
        num_labels = len(config.get("id2label") or ()) or config.get("num_labels", 2)
        heads: dict[str, Head] = {}
        for their in theirs:
            heads.setdefault(their.name, their.ours(stack, num_labels))
        if LMHead.name in heads and not config["tie_word_embeddings"]:
            heads[LMHead.name] = self.masked_lm.ours(stack, num_labels, tied=False)
        rate, of_head = config["hidden_dropout_prob"], config.get(self.classifier_dropout)
        of_head = rate if of_head is None else of_head
        return EncoderOnly(
            config["vocab_size"],
            stack,
            _ordered(heads.values()),
            SpecialTokens(_token(config, "pad"), _token(config, "eos"), _token(config, "bos")),
            NormalInit(config["initializer_range"]),
            Dropout(
                embedding=rate,
                attention=config["attention_probs_dropout_prob"],
                residual=rate,
                head=of_head if any(head.dropout for head in theirs) else 0.0,
            ),
        )

    def with_tensors(self, config: EncoderOnly, source: Source) -> EncoderOnly:
        shapes = {n.removeprefix(self.base): info.shape for n, info in source.tensors.items()}
        heads: dict[str, Head] = {head.name: head for head in config.heads}
        for their in (head for heads in self.classes.values() for head in heads):
            known = heads.get(their.name)
            if known is not None and known != SequenceClasses(None):
                continue
            if their.marker in shapes:
                heads[their.name] = their.ours(config.encoder, shapes[their.marker][0])
            elif known is not None and their.pooled:
                del heads[their.name]
        if isinstance(head := heads.get(LMHead.name), LMHead):
            heads[LMHead.name] = dataclasses.replace(head, tied=self._tied(head, source))
        return dataclasses.replace(config, heads=_ordered(heads.values()))

    def express(self, config: ModelConfig) -> dict[str, Any]:
        """As `Family` has it; the order of heads means nothing, and a lacking pooler is no loss."""
        if isinstance(config, EncoderOnly):
            heads = _ordered(config.heads) or self._bare_heads(config.encoder)
            config = dataclasses.replace(config, heads=heads)
        return super().express(config)

    def to_hf(self, config: EncoderOnly) -> dict[str, Any]:
        encoder = config.encoder
        positions, activation = encoder.positions, encoder.feed_forward.activations[0]
        if not isinstance(positions, LearnedPositions) or not isinstance(encoder.norm, LayerNorm):
            raise UserError("it has learned positions and layer norms only")
        if activation not in activations.THEIRS:
            raise UserError(f"it has no place for encoder.feed_forward.activations = {activation}")
        matched = match(self.classes, config.heads, encoder)
        labels = [
            getattr(head, "num_classes", 2)
            for head in config.heads
            if matched.heads[head.name].labelled
        ]
        return {
            "model_type": self.model_types[0],
            "architectures": matched.classes or [self.bare_class],
            "vocab_size": config.vocab_size,
            "hidden_size": encoder.d_model,
            "num_hidden_layers": encoder.num_layers,
            "num_attention_heads": encoder.attention.num_heads,
            "intermediate_size": encoder.feed_forward.d_ff,
            "hidden_act": activations.THEIRS[activation],
            "layer_norm_eps": encoder.norm.epsilon,
            "max_position_embeddings": positions.max_length + positions.offset,
            "type_vocab_size": encoder.embedding.token_types or 1,
            "hidden_dropout_prob": config.dropout.residual,
            "attention_probs_dropout_prob": config.dropout.attention,
            self.classifier_dropout: config.dropout.head,
            "initializer_range": getattr(config.init, "stddev", 0.02),
            "tie_word_embeddings": config.head is None or config.head.tied,
            "pad_token_id": config.tokens.pad,
            "bos_token_id": config.tokens.bos,
            "eos_token_id": config.tokens.eos,
            "id2label": {str(i): f"LABEL_{i}" for i in range(labels[0] if labels else 2)},
            "label2id": {f"LABEL_{i}": i for i in range(labels[0] if labels else 2)},
            **self.more_settings(config),
        }

    def table(self, config: EncoderOnly) -> Table:
        bare = config.heads in ((), self._bare_heads(config.encoder))
        base = "" if bare else self.base
        theirs = match(self.classes, config.heads, config.encoder).heads
        also = (f"{self.masked_lm.decoder}.weight",) if config.head and config.head.tied else ()
        embedding = config.encoder.embedding
        return Table(
            rules=(
                *encoder_tensors.embedding_rules(base, embedding, self.projection, also),
                *encoder_tensors.layer_rules(base, self.layers),
                *(rule for head in config.heads for rule in theirs[head.name].rules(head, base)),
            ),
            ignored=encoder_tensors.IGNORED,
            renames=encoder_tensors.RENAMES,
            base_prefix=self.base,
        )

    def _stack(self, config: HFConfig) -> Stack:
        width, num_heads = config["hidden_size"], config["num_attention_heads"]
        if width % num_heads:
            raise UserError(
                f"{config.where} sets hidden_size = {width}, which is not a multiple of "
                f"num_attention_heads = {num_heads}."
            )
        norm = LayerNorm(config["layer_norm_eps"])
        activation = config.choice("hidden_act", activations.OURS)
        offset = self.offset(config)
        return Stack(
            config["num_hidden_layers"],
            width,
            Attention(num_heads, width // num_heads, bias=True, out_bias=True),
            FeedForward(config["intermediate_size"], (activation,), bias=True),
            norm=norm,
            positions=LearnedPositions(config["max_position_embeddings"] - offset, offset),
            placement=PostNorm(),
            embedding=Embedding(
                self.embedding_size(config), token_types=config["type_vocab_size"], norm=norm
            ),
            final_norm=False,
            num_groups=self.num_groups(config),
        )

    def _heads_of(self, config: HFConfig) -> list[TheirHead]:
        listed = config.get("architectures") or ()
        for name in listed:
            if name not in self.classes:
                raise UserError(
                    f"{config.where} is of a {name}, which is not supported; only "
                    f"{', '.join(self.classes)} are.{did_you_mean(name, self.classes)}"
                )
        return [head for name in listed for head in self.classes[name]]

    def _bare_heads(self, stack: Stack) -> tuple[Head, ...]:
        return tuple(head.ours(stack, 0) for head in self.classes[self.bare_class])

    def _tied(self, head: LMHead, source: Source) -> bool:
        """Whether there is one table, or two that are equal and said to be one."""
        decoder = f"{self.masked_lm.decoder}.weight"
        if decoder not in source.tensors:
            return True
        words = [f"{base}{encoder_tensors.WORDS}" for base in ("", self.base)]
        tables = [source.read(name) for name in words if name in source.tensors]
        return head.tied and all(np.array_equal(source.read(decoder), table) for table in tables)


def _ordered(heads: Iterable[Head]) -> tuple[Head, ...]:
    order = [kind.name for kind in (LMHead, SequenceClasses, TokenClasses, Spans)]
    return tuple(sorted(heads, key=lambda head: order.index(head.name)))


def _token(config: HFConfig, name: str) -> int | None:
    """Of several that end a text, the first."""
    value = config[f"{name}_token_id"]
    return value[0] if isinstance(value, list) else value
