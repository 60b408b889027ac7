"""BART: norms after every residual branch and of the embeddings, learned positions, biases."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from t2t.errors import UserError
from t2t.interop import activations
from t2t.interop.families.encoder_heads import SPANS, Classifier, match
from t2t.interop.family import Family, HFConfig
from t2t.interop.sources import Source
from t2t.interop.tables import Constant, Rule, Table, linear, norm
from t2t.interop.transforms import Reshape
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.definition import ModelConfig
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import ClassifierHead, LMHead, SequenceClasses
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm
from t2t.models.positions import LearnedPositions
from t2t.models.residual import Placement, PostNorm
from t2t.models.stack import Stack

_OFFSET = 2  # rows of the position table before the first position's
_BIAS = "final_logits_bias"
_PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
_SEQUENCE = Classifier(
    SequenceClasses(1, position="last"), "classification_head.out_proj", "classification_head.dense"
)
_BRANCHES = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}


class BartFamily(Family):
    """BartForConditionalGeneration, and BartModel, whose head is then the table of tokens alone.

    BartForSequenceClassification and BartForQuestionAnswering have a head beside it: the class of
    the last end of sequence, which is the last token, and spans. The first drops out what its dense
    layer reads, too; ours what the projection reads alone.

    Logits have a bias where the tensor `final_logits_bias` is there and not zero: no setting says
    so. Layers that are dropped in training (`encoder_layerdrop`) are not.
    """

    model_types = ("bart",)
    config_classes = ("EncoderDecoder",)

    class_prefix: ClassVar[str] = "Bart"
    placement: ClassVar[Placement] = PostNorm()
    final_norm: ClassVar[bool] = False

    def from_hf(self, config: HFConfig) -> EncoderDecoder:
        config.must_be("tie_word_embeddings", True)
        heads = self._listed_heads(config)
        eos = config.token_id("eos_token_id", 2)
        start = config.get("decoder_start_token_id")
        decoder = self._stack(config, "decoder")
        residual = config.get("dropout", 0.1)
        return EncoderDecoder(
            config["vocab_size"],
            self._stack(config, "encoder"),
            dataclasses.replace(decoder, cross_attention=decoder.attention),
            head=LMHead(tied=True),
            heads=heads,
            tokens=SpecialTokens(
                pad=config.get("pad_token_id", 1),
                eos=eos,
                bos=config.get("bos_token_id", 0),
                start=(eos or 0) if start is None else start,
            ),
            init=NormalInit(config.get("init_std", 0.02)),
            dropout=Dropout(
                embedding=residual,
                attention=config.get("attention_dropout", 0.0),
                hidden=config.get("activation_dropout", 0.0),
                residual=residual,
                head=config.get("classifier_dropout", 0.0),
            ),
        )

    def with_tensors(self, config: EncoderDecoder, source: Source) -> EncoderDecoder:
        biased = _BIAS in source.tensors and bool(np.any(source.read(_BIAS) != 0))
        shapes = {name: info.shape for name, info in source.tensors.items()}
        heads = {head.name: head for head in config.heads}
        for their in (head for heads in self._classes.values() for head in heads):
            if their.marker in shapes:
                ours = their.ours(config.decoder, shapes[their.marker][0])
                heads[ours.name] = ours
        head = dataclasses.replace(config.head, bias=biased)
        return dataclasses.replace(config, head=head, heads=tuple(heads.values()))

    def express(self, config: ModelConfig) -> dict[str, Any]:
        if isinstance(config, EncoderDecoder):  # the bias is in the tensors
            head = dataclasses.replace(config.head, bias=False)
            config = dataclasses.replace(config, head=head)
        return super().express(config)

    def to_hf(self, config: EncoderDecoder) -> dict[str, Any]:
        encoder, decoder, dropout = config.encoder, config.decoder, config.dropout
        if not isinstance(encoder.positions, LearnedPositions):
            raise UserError("it has learned positions only")
        classes = match(self._classes, config.heads, decoder).classes
        heads = [h for h in config.heads if isinstance(h, SequenceClasses)]
        labels = [head.num_classes for head in heads if head.num_classes]
        return {
            "model_type": self.model_types[0],
            "architectures": classes or [f"{self.class_prefix}ForConditionalGeneration"],
            **({"id2label": {str(i): f"LABEL_{i}" for i in range(labels[0])}} if labels else {}),
            "is_encoder_decoder": True,
            "vocab_size": config.vocab_size,
            "max_position_embeddings": encoder.positions.max_length,
            "d_model": encoder.d_model,
            **{
                f"{side}_{name}": value
                for side, stack in (("encoder", encoder), ("decoder", decoder))
                for name, value in {
                    "layers": stack.num_layers,
                    "ffn_dim": stack.feed_forward.d_ff,
                    "attention_heads": stack.attention.num_heads,
                    "layerdrop": 0.0,
                }.items()
            },
            "activation_function": _their_activation(encoder.feed_forward),
            "scale_embedding": encoder.embedding.scaled,
            "tie_word_embeddings": True,
            "init_std": config.init.stddev if isinstance(config.init, NormalInit) else 0.02,
            "dropout": dropout.residual,
            "attention_dropout": dropout.attention,
            "activation_dropout": dropout.hidden,
            "classifier_dropout": dropout.head,
            "pad_token_id": config.tokens.pad,
            "bos_token_id": config.tokens.bos,
            "eos_token_id": config.tokens.eos,
            "decoder_start_token_id": config.tokens.start,
            "forced_eos_token_id": config.tokens.eos,
        }

    def table(self, config: EncoderDecoder) -> Table:
        embedding = Rule(
            "token_embedder/embedding",
            "model.shared.weight",
            also=(
                "model.encoder.embed_tokens.weight",
                "model.decoder.embed_tokens.weight",
                "lm_head.weight",
            ),
        )
        bias: tuple[Rule, ...] = ()
        constants: tuple[Constant, ...] = ()
        if config.head.bias:
            bias = (Rule("lm_head/bias", _BIAS, (Reshape((1, -1)),)),)
        else:
            written = (Constant(_BIAS, (1, config.vocab_size)),)
            constants = () if config.heads else written
        stacks = {"encoder": config.encoder, "decoder": config.decoder}
        layers = (rule for side, stack in stacks.items() for rule in _stack_rules(side, stack))
        theirs = match(self._classes, config.heads, config.decoder).heads
        heads = (r for h in config.heads for r in theirs[h.name].rules(h, "model."))
        return Table((embedding, *layers, *bias, *heads), constants, base_prefix="model.")

    @property
    def _classes(self) -> dict[str, tuple[Classifier, ...]]:
        return {
            f"{self.class_prefix}ForSequenceClassification": (_SEQUENCE,),
            f"{self.class_prefix}ForQuestionAnswering": (SPANS,),
        }

    def _listed_heads(self, config: HFConfig) -> tuple[ClassifierHead, ...]:
        """Those that `architectures` has; how many classes, the tensors tell."""
        self._check_architectures(config)
        listed = config.get("architectures") or ()
        theirs = [head for name, heads in self._classes.items() if name in listed for head in heads]
        stack = self._stack(config, "decoder")
        num_labels = len(config.get("id2label") or ()) or config.get("num_labels", 3)
        return tuple(their.ours(stack, num_labels) for their in theirs)

    def _check_architectures(self, config: HFConfig) -> None:
        bare = [f"{self.class_prefix}ForConditionalGeneration", f"{self.class_prefix}Model"]
        known = [*bare, *self._classes]
        listed = config.get("architectures") or known
        if not set(listed) & set(known):
            raise UserError(
                f"{config.where} is of a {' and a '.join(listed)}, whose head is not supported; "
                f"only {' and '.join(known)} are."
            )

    def _stack(self, config: HFConfig, side: str) -> Stack:
        d_model, num_heads = config["d_model"], config[f"{side}_attention_heads"]
        if d_model % num_heads:
            raise UserError(
                f"{config.where} sets d_model = {d_model}, which is not a multiple of "
                f"{side}_attention_heads = {num_heads}."
            )
        activation = config.choice("activation_function", activations.OURS, "gelu")
        positions = LearnedPositions(config.get("max_position_embeddings", 1024), _OFFSET)
        return Stack(
            config[f"{side}_layers"],
            d_model,
            Attention(num_heads, d_model // num_heads, bias=True, out_bias=True),
            FeedForward(config[f"{side}_ffn_dim"], (activation,), bias=True),
            norm=LayerNorm(),
            positions=positions,
            placement=self.placement,
            embedding=Embedding(scaled=config.get("scale_embedding", False), norm=LayerNorm()),
            final_norm=self.final_norm,
        )


def _stack_rules(side: str, stack: Stack) -> Iterator[Rule]:
    ours, theirs = f"{side}/layers", f"model.{side}.layers.{{layer}}"
    yield Rule(f"{side}/positions/embedding", f"model.{side}.embed_positions.weight")
    yield from norm(f"{side}/embedding/norm", f"model.{side}.layernorm_embedding", bias=True)
    for branch in stack.branches:
        if branch == "mlp":
            yield from linear(f"{ours}/mlp/wi", f"{theirs}.fc1", bias=True)
            yield from linear(f"{ours}/mlp/wo", f"{theirs}.fc2", bias=True)
            yield from norm(f"{ours}/mlp_norm", f"{theirs}.final_layer_norm", bias=True)
            continue
        name = f"{theirs}.{_BRANCHES[branch]}"
        for projection, their_projection in _PROJECTIONS.items():
            yield from linear(
                f"{ours}/{branch}/{projection}", f"{name}.{their_projection}", bias=True
            )
        yield from norm(f"{ours}/{branch}_norm", f"{name}_layer_norm", bias=True)
    if stack.final_norm:
        yield from norm(f"{side}/final_norm", f"model.{side}.layer_norm", bias=True)


def _their_activation(feed_forward: FeedForward) -> str:
    first, *others = feed_forward.activations
    if others or first not in activations.THEIRS:
        raise UserError(f"it has no place for FeedForward.activations = {feed_forward.activations}")
    return activations.THEIRS[first]


FAMILY = BartFamily()
