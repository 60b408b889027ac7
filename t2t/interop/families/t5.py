"""T5 1.0 and 1.1, Flan-T5, mT5, ByT5, UL2 (one architecture), and umT5 (a bias per layer)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from t2t.errors import UserError
from t2t.interop import activations
from t2t.interop.family import Family, HFConfig
from t2t.interop.sources import Source
from t2t.interop.tables import Rule, Table, linear, norm
from t2t.interop.transforms import Transpose
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.definition import Params
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import RMSNorm
from t2t.models.positions import RelativeBias
from t2t.models.stack import Stack

_PROJECTIONS = {"query": "q", "key": "k", "value": "v", "out": "o"}


class T5Family(Family):
    """`model_type` is "t5" on export, or "umt5" where each layer has its own position bias.

    Whether embedding and output matrix are one is decided by the tensors: transformers 5 writes
    `tie_word_embeddings = true` for every T5, also those with an output matrix of their own.
    """

    model_types = ("t5", "mt5", "umt5")
    config_classes = ("EncoderDecoder",)

    def from_hf(self, config: HFConfig) -> EncoderDecoder:
        kind = config["model_type"]
        attention = Attention(config["num_heads"], config["d_kv"], scale=1.0)
        epsilon = config.get("layer_norm_epsilon", 1e-6)
        encoder = Stack(
            config["num_layers"],
            config["d_model"],
            attention,
            FeedForward(config["d_ff"], _our_activations(config)),
            norm=RMSNorm(epsilon),
            positions=RelativeBias(
                config.get("relative_attention_num_buckets", 32),
                config.get("relative_attention_max_distance", 128),
                per_layer=kind == "umt5",
            ),
        )
        num_decoder_layers = config.get("num_decoder_layers") or encoder.num_layers
        decoder = dataclasses.replace(
            encoder, num_layers=num_decoder_layers, cross_attention=attention
        )
        rate = config.get("dropout_rate", 0.1)
        return EncoderDecoder(
            config["vocab_size"],
            encoder,
            decoder,
            head=LMHead(
                tied=config.get("tie_word_embeddings") is not False, scaled=_scaled(config)
            ),
            tokens=SpecialTokens(
                pad=config.get("pad_token_id", 0),
                eos=config.token_id("eos_token_id", 1),
                start=config.get("decoder_start_token_id", 0),
            ),
            dropout=Dropout(embedding=rate, attention=rate, hidden=rate, residual=rate, final=rate),
        )

    def with_tensors(self, config: EncoderDecoder, source: Source) -> EncoderDecoder:
        names = source.tensors
        tied = "lm_head.weight" not in names or (
            config.head.tied
            and "shared.weight" in names
            and np.array_equal(source.read("lm_head.weight"), source.read("shared.weight"))
        )
        return dataclasses.replace(config, head=dataclasses.replace(config.head, tied=tied))

    def equivalent(
        self, config: EncoderDecoder
    ) -> tuple[EncoderDecoder, Callable[[Params], Params]]:
        """transformers scales what the output matrix of a umT5 reads, which the matrix undoes here.

        So T5X's scanned models, which have a bias per layer, can be exported, too.
        """
        positions, head = config.decoder.positions, config.head
        per_layer = isinstance(positions, RelativeBias) and positions.per_layer
        if not per_layer or head != LMHead(tied=False):
            return config, lambda params: params

        def convert(params: Params) -> Params:
            kernel = np.asarray(params["lm_head"]["kernel"])
            unscaled = kernel * np.float32(config.decoder.d_model**0.5)
            return {**params, "lm_head": {"kernel": unscaled}}

        return dataclasses.replace(config, head=dataclasses.replace(head, scaled=True)), convert

    def to_hf(self, config: EncoderDecoder) -> dict[str, Any]:
        encoder, positions = config.encoder, config.encoder.positions
        if not isinstance(positions, RelativeBias) or not isinstance(encoder.norm, RMSNorm):
            raise UserError("it has relative position biases and RMS norms only")
        per_layer = positions.per_layer
        return {
            "model_type": "umt5" if per_layer else "t5",
            "architectures": [f"{'UMT5' if per_layer else 'T5'}ForConditionalGeneration"],
            "is_encoder_decoder": True,
            "vocab_size": config.vocab_size,
            "d_model": encoder.d_model,
            "d_kv": encoder.attention.head_dim,
            "d_ff": encoder.feed_forward.d_ff,
            "num_layers": encoder.num_layers,
            "num_decoder_layers": config.decoder.num_layers,
            "num_heads": encoder.attention.num_heads,
            "relative_attention_num_buckets": positions.num_buckets,
            "relative_attention_max_distance": positions.max_distance,
            "feed_forward_proj": _their_activations(encoder.feed_forward.activations),
            "layer_norm_epsilon": encoder.norm.epsilon,
            "dropout_rate": config.dropout.residual,
            "initializer_factor": 1.0,
            "tie_word_embeddings": config.head.tied,
            "scale_decoder_outputs": config.head.scaled,
            "pad_token_id": config.tokens.pad,
            "eos_token_id": config.tokens.eos,
            "decoder_start_token_id": config.tokens.start,
        }

    def table(self, config: EncoderDecoder) -> Table:
        embedding = Rule(
            "token_embedder/embedding",
            "shared.weight",
            also=(
                "encoder.embed_tokens.weight",
                "decoder.embed_tokens.weight",
                *(("lm_head.weight",) if config.head.tied else ()),
            ),
        )
        head = () if config.head.tied else linear("lm_head", "lm_head", bias=False)
        stacks = {"encoder": config.encoder, "decoder": config.decoder}
        layers = (rule for side, stack in stacks.items() for rule in _stack(side, stack))
        return Table(
            rules=(embedding, *layers, *head),
            ignored=(
                # Of early conversions; attention to the encoder has no bias.
                r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",
            ),
        )


def _stack(side: str, stack: Stack) -> tuple[Rule, ...]:
    ours, theirs = f"{side}/layers", f"{side}.block.{{layer}}.layer"
    per_layer = stack.positions.per_layer
    bias = Rule(
        f"{ours}/positions/rel_embedding" if per_layer else f"{side}/positions/rel_embedding",
        f"{side}.block.{'{layer}' if per_layer else 0}.layer.0.SelfAttention."
        "relative_attention_bias.weight",
        (Transpose(),),  # theirs is [buckets, heads]
    )
    blocks = [("self_attention", f"{theirs}.0", "SelfAttention")]
    if stack.cross_attention:
        blocks.append(("cross_attention", f"{theirs}.1", "EncDecAttention"))
    mlp = f"{theirs}.{len(blocks)}"
    wi = ("wi",) if len(stack.feed_forward.activations) == 1 else ("wi_0", "wi_1")
    return (
        bias,
        *(
            rule
            for our_name, place, their_name in blocks
            for rule in (
                *norm(f"{ours}/{our_name}_norm", f"{place}.layer_norm", bias=False),
                *_attention(f"{ours}/{our_name}", f"{place}.{their_name}"),
            )
        ),
        *norm(f"{ours}/mlp_norm", f"{mlp}.layer_norm", bias=False),
        *(
            rule
            for name in (*wi, "wo")
            for rule in linear(f"{ours}/mlp/{name}", f"{mlp}.DenseReluDense.{name}", bias=False)
        ),
        *norm(f"{side}/final_norm", f"{side}.final_layer_norm", bias=False),
    )


def _attention(ours: str, theirs: str) -> tuple[Rule, ...]:
    return tuple(
        rule
        for name, letter in _PROJECTIONS.items()
        for rule in linear(f"{ours}/{name}", f"{theirs}.{letter}", bias=False)
    )


def _scaled(config: HFConfig) -> bool:
    """Whether the decoder's output is scaled: transformers never does for mT5, always for umT5."""
    if config["model_type"] != "t5":
        return config["model_type"] == "umt5"
    return config.get("scale_decoder_outputs", config.get("tie_word_embeddings") is not False)


def _our_activations(config: HFConfig) -> tuple[str, ...]:
    """ "gated-gelu" is the tanh approximation, by agreement; any other name is what it says."""
    default = "relu" if config["model_type"] == "t5" else "gated-gelu"
    name = config.get("feed_forward_proj", default)
    gated = name.startswith("gated-")
    inner = "gelu_new" if name == "gated-gelu" else name.removeprefix("gated-")
    if inner not in activations.OURS:
        config.choice("feed_forward_proj", {**activations.OURS, "gated-gelu": None})
    return (activations.OURS[inner], "linear") if gated else (activations.OURS[inner],)


def _their_activations(ours: tuple[str, ...]) -> str:
    first, *others = ours
    if others not in ([], ["linear"]) or first not in activations.THEIRS:
        raise UserError(f"it has no place for encoder.feed_forward.activations = {ours}")
    if not others:
        return activations.THEIRS[first]
    special = {"gelu_tanh": "gelu", "gelu_exact": "gelu_python"}
    return f"gated-{special.get(first, activations.THEIRS[first])}"


FAMILY = T5Family()
