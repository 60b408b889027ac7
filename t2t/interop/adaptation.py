"""Makes an encoder-decoder of language models that have a decoder only.

The method of T5Gemma, https://arxiv.org/abs/2504.06225, section 3. The result is a start: it has
to be trained further, on prefix language modelling or on UL2's mixture of denoisers. Where
cross-attention starts at random, the paper trains it alone for the first 1000 steps:

    train.trainable = @Trainable()
    Trainable.include = ('decoder/layers/cross_attention.*',)
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.positions import RelativeBias
from t2t.models.stack import Stack


def adapt(
    encoder_config: ModelConfig,
    encoder_params: Mapping[str, Any],
    decoder_config: ModelConfig,
    decoder_params: Mapping[str, Any],
    *,
    seed: int = 0,
) -> tuple[EncoderDecoder, Params]:
    """An encoder-decoder from one language model, given twice, or from two.

    The encoder is the first model without its head, no longer causal; a window that only looked
    back looks as far ahead. The decoder is the second model, with cross-attention of the same
    shape as its self-attention: where both models are of one width ("balanced") it starts as a
    copy of it, norms included, otherwise ("unbalanced") at random. Each side keeps its table of
    tokens; head, special tokens, dropout, initialisation and precision are those of the decoder.
    A decoder without a token for padding gets 0, which fills up batches then.

    Args:
      seed: of cross-attention that starts at random.

    Returns:
      The configuration, and parameters that share their arrays with those given.

    Raises:
      UserError: a model has not just a decoder, the two do not go together, or a setting means
        something else in an encoder.
    """
    for side, given in (("encoder", encoder_config), ("decoder", decoder_config)):
        if not isinstance(given, DecoderOnly):
            raise UserError(
                f"Adaptation takes models with a decoder only, but that for the {side} is of the "
                f"class {type(given).__name__}."
            )
    assert isinstance(encoder_config, DecoderOnly)
    assert isinstance(decoder_config, DecoderOnly)
    _check(encoder_config, decoder_config)
    config = _adapted(encoder_config, decoder_config)
    decoder = dict(decoder_params["decoder"])
    layers = dict(decoder["layers"])
    balanced = config.encoder.d_model == config.decoder.d_model
    layers |= _copied(layers) if balanced else _fresh(config, seed)
    decoder["layers"] = layers
    params = {
        "encoder_token_embedder": encoder_params["token_embedder"],
        "decoder_token_embedder": decoder_params["token_embedder"],
        "encoder": encoder_params["decoder"],
        "decoder": decoder,
    }
    if "lm_head" in decoder_params:
        params["lm_head"] = decoder_params["lm_head"]
    return config, params


def _adapted(encoder: DecoderOnly, decoder: DecoderOnly) -> EncoderDecoder:
    tokens = decoder.tokens
    return EncoderDecoder(
        decoder.vocab_size,
        encoder.decoder,
        dataclasses.replace(decoder.decoder, cross_attention=decoder.decoder.attention),
        head=decoder.head,
        share_embeddings=False,
        tokens=dataclasses.replace(tokens, pad=_padding(decoder)),
        init=decoder.init,
        dropout=decoder.dropout,
        compute=decoder.compute,
    )


def _copied(layers: Mapping[str, Any]) -> Params:
    """Cross-attention and its norms, from self-attention."""
    name = "self_attention"
    return {
        f"cross_{path.removeprefix('self_')}": subtree
        for path, subtree in layers.items()
        if path == name or path.startswith(f"{name}_")
    }


def _fresh(config: EncoderDecoder, seed: int) -> Params:
    """Cross-attention and its norms, as a new model has them."""

    @jax.jit  # what is not returned is not made
    def init(key):
        layers = Model(config).init(key)["decoder"]["layers"]
        return {name: tree for name, tree in layers.items() if name.startswith("cross_attention")}

    return init(jax.random.key(seed))


def _check(encoder: DecoderOnly, decoder: DecoderOnly) -> None:
    pairs = {
        "vocab_size": (encoder.vocab_size, decoder.vocab_size),
        "tokens.pad": (_padding(encoder), _padding(decoder)),
        "tokens.eos": (encoder.tokens.eos, decoder.tokens.eos),
    }
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise UserError(
                f"Encoder and decoder need one vocabulary, but DecoderOnly.{name} of the model for "
                f"the encoder is {ours} and of that for the decoder {theirs}."
            )
    _check_bidirectional(encoder.decoder)


def _check_bidirectional(stack: Stack) -> None:
    if isinstance(stack.positions, RelativeBias):
        raise UserError(
            "RelativeBias has other buckets in a decoder than in an encoder, which also looks "
            "ahead: a language model with Stack.positions = RelativeBias() cannot become an "
            "encoder."
        )


def _padding(config: DecoderOnly) -> int:
    return config.tokens.pad or 0
