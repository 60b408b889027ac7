"""T5: an encoder and a decoder of identical layers, stacked and scanned.

Layers are created with a leading `layers` axis and run by `jax.lax.scan`, so compile time does not
grow with depth. Parameter names are T5X's.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.attention import Attention
from t2t.models.config import T5Config
from t2t.models.layers import Dense, Embedding, FeedForward, RMSNorm, dropout
from t2t.models.positions import RelativePositionBias

Cache = dict[str, Any]


def _attention(config: T5Config, key: jax.Array) -> Attention:
    return Attention(
        config.d_model,
        config.num_heads,
        config.head_dim,
        dropout_rate=config.dropout_rate,
        key=key,
    )


def _feed_forward(config: T5Config, key: jax.Array) -> FeedForward:
    return FeedForward(
        config.d_model,
        config.d_ff,
        config.mlp_activations,
        dropout_rate=config.dropout_rate,
        key=key,
    )


def _norm(config: T5Config) -> RMSNorm:
    return RMSNorm(config.d_model, epsilon=config.layer_norm_epsilon)


def _split_key(key: jax.Array | None, count: int):
    return [None] * count if key is None else jax.random.split(key, count)


class EncoderLayer(nnx.Module):
    """Self-attention and feed-forward, each `x + dropout(f(norm(x)))`."""

    def __init__(self, config: T5Config, key: jax.Array):
        k1, k2 = jax.random.split(key)
        self._dropout_rate = config.dropout_rate
        self.pre_attention_layer_norm = _norm(config)
        self.attention = _attention(config, k1)
        self.pre_mlp_layer_norm = _norm(config)
        self.mlp = _feed_forward(config, k2)

    def __call__(self, x: jax.Array, bias, mask, key: jax.Array | None) -> jax.Array:
        """`[batch, length, d_model]` -> the same."""
        k1, k2, k3, k4 = _split_key(key, 4)
        y = self.pre_attention_layer_norm(x)
        x = x + dropout(self.attention(y, y, bias, mask, k1), self._dropout_rate, k2)
        y = self.pre_mlp_layer_norm(x)
        return x + dropout(self.mlp(y, k3), self._dropout_rate, k4)


class DecoderLayer(nnx.Module):
    """Causal self-attention, attention to the encoder's output, feed-forward."""

    def __init__(self, config: T5Config, key: jax.Array):
        k1, k2, k3 = jax.random.split(key, 3)
        self._dropout_rate = config.dropout_rate
        self.pre_self_attention_layer_norm = _norm(config)
        self.self_attention = _attention(config, k1)
        self.pre_cross_attention_layer_norm = _norm(config)
        self.encoder_decoder_attention = _attention(config, k2)
        self.pre_mlp_layer_norm = _norm(config)
        self.mlp = _feed_forward(config, k3)

    def __call__(
        self, x: jax.Array, encoded: jax.Array, bias, mask, cross_mask, key: jax.Array | None
    ) -> jax.Array:
        """`[batch, length, d_model]` -> the same."""
        k1, k2, k3, k4, k5, k6 = _split_key(key, 6)
        y = self.pre_self_attention_layer_norm(x)
        x = x + dropout(self.self_attention(y, y, bias, mask, k1), self._dropout_rate, k2)
        y = self.pre_cross_attention_layer_norm(x)
        y = self.encoder_decoder_attention(y, encoded, None, cross_mask, k3)
        x = x + dropout(y, self._dropout_rate, k4)
        y = self.pre_mlp_layer_norm(x)
        return x + dropout(self.mlp(y, k5), self._dropout_rate, k6)

    def step(self, x: jax.Array, cache: Cache, position, bias, mask, cross_mask):
        """One token `[batch, 1, d_model]`; returns the output and the cache with it added."""
        y = self.pre_self_attention_layer_norm(x)
        new_key, new_value = self.self_attention.project_memory(y)
        keys = jax.lax.dynamic_update_slice_in_dim(cache["key"], new_key, position, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(cache["value"], new_value, position, axis=1)
        x = x + self.self_attention.attend_cached(y, keys, values, bias, mask)
        y = self.pre_cross_attention_layer_norm(x)
        x = x + self.encoder_decoder_attention.attend_cached(
            y, cache["cross_key"], cache["cross_value"], None, cross_mask
        )
        x = x + self.mlp(self.pre_mlp_layer_norm(x), None)
        return x, {**cache, "key": keys, "value": values}


class Stack(nnx.Module):
    """Layers, their common relative position bias, and the norm after the last."""

    def __init__(self, config: T5Config, layer: type, num_layers: int, *, causal: bool, key):
        layer_key, bias_key = jax.random.split(key)
        self._config = config
        create = nnx.vmap(
            lambda k: layer(config, k),
            in_axes=0,
            out_axes=0,
            transform_metadata={nnx.PARTITION_NAME: "layers"},
        )
        self.layers = create(jax.random.split(layer_key, num_layers))
        self.relpos_bias = RelativePositionBias(
            num_heads=config.num_heads,
            num_buckets=config.relative_attention_num_buckets,
            max_distance=config.relative_attention_max_distance,
            bidirectional=not causal,
            key=bias_key,
        )
        self.final_norm = _norm(config)

    def scan(self, body: Callable, x: jax.Array, per_layer: Any = None) -> tuple[jax.Array, Any]:
        """Runs `x, out = body(layer, x, per_layer[i])` over the layers; returns x and all outs."""
        graphdef, states = nnx.split(self.layers)

        def step(carry, inputs):
            state, extra = inputs
            return body(nnx.merge(graphdef, state), carry, extra)

        return jax.lax.scan(_remat(step, self._config.remat), x, (states, per_layer))

    def finish(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Final norm and dropout."""
        return dropout(self.final_norm(x), self._config.dropout_rate, key)

    @property
    def num_layers(self) -> int:
        """Number of stacked layers."""
        return jax.tree.leaves(nnx.state(self.layers))[0].shape[0]


def _remat(step: Callable, policy: str) -> Callable:
    if policy == "none":
        return step
    saved = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    policies = {"minimal": saved, "full": None}
    return jax.checkpoint(step, policy=policies[policy], prevent_cse=False)


class T5(nnx.Module):
    """The encoder-decoder. Methods are pure: dropout needs a key, None turns it off."""

    def __init__(self, config: T5Config, key: jax.Array):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        self._config = config
        self._dtype = jnp.dtype(config.dtype)
        self.token_embedder = Embedding(config.vocab_size, config.d_model, key=k1)
        layers = config.num_encoder_layers
        self.encoder = Stack(config, EncoderLayer, layers, causal=False, key=k2)
        layers = config.num_decoder_layers
        self.decoder = Stack(config, DecoderLayer, layers, causal=True, key=k3)
        if not config.tie_embeddings:
            self.logits_dense = Dense(config.d_model, config.vocab_size, ("embed", "vocab"), key=k4)

    def encode(
        self, tokens: jax.Array, segment_ids: jax.Array | None = None, key: jax.Array | None = None
    ) -> jax.Array:
        """int `[batch, length]` -> `[batch, length, d_model]`; token 0 is padding."""
        segments = _segments(tokens, segment_ids)
        mask = _same_segment(segments, segments)
        embed_key, layers_key, final_key = _split_key(key, 3)
        x = self._embed(tokens, embed_key)
        bias = self.encoder.relpos_bias(tokens.shape[1], tokens.shape[1], self._dtype)
        x, _ = self.encoder.scan(
            lambda layer, x, k: (layer(x, bias, mask, k), None),
            x,
            _layer_keys(layers_key, self.encoder.num_layers),
        )
        return self.encoder.finish(x, final_key)

    def decode(
        self,
        encoded: jax.Array,
        encoder_tokens: jax.Array,
        tokens: jax.Array,
        encoder_segment_ids: jax.Array | None = None,
        segment_ids: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Decoder inputs int `[batch, length]` -> `[batch, length, d_model]`, to be projected."""
        memory_segments = _segments(encoder_tokens, encoder_segment_ids)
        length = tokens.shape[1]
        mask = jnp.tril(jnp.ones((length, length), bool))[None, None]
        if segment_ids is None:
            cross_mask = (memory_segments > 0)[:, None, None, :]
        else:
            mask = mask & _same_segment(segment_ids, segment_ids)
            cross_mask = _same_segment(segment_ids, memory_segments)
        embed_key, layers_key, final_key = _split_key(key, 3)
        x = self._embed(tokens, embed_key)
        bias = self.decoder.relpos_bias(length, length, self._dtype)
        x, _ = self.decoder.scan(
            lambda layer, x, k: (layer(x, encoded, bias, mask, cross_mask, k), None),
            x,
            _layer_keys(layers_key, self.decoder.num_layers),
        )
        return self.decoder.finish(x, final_key)

    def logits(self, x: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`."""
        if self._config.tie_embeddings:
            return self.token_embedder.attend(x).astype(jnp.float32)
        return self.logits_dense(x).astype(jnp.float32)

    def __call__(self, batch: dict[str, jax.Array], key: jax.Array | None = None) -> jax.Array:
        """Float32 logits `[batch, targets length, vocab_size]` of a converter's batch."""
        encoder_key, decoder_key = _split_key(key, 2)
        tokens = batch["encoder_input_tokens"]
        segments = batch.get("encoder_segment_ids")
        encoded = self.encode(tokens, segments, encoder_key)
        x = self.decode(
            encoded,
            tokens,
            batch["decoder_input_tokens"],
            segments,
            batch.get("decoder_segment_ids"),
            decoder_key,
        )
        return self.logits(x)

    def init_cache(self, encoded: jax.Array, max_length: int) -> Cache:
        """Empty self-attention cache, and the encoder's keys and values, for every layer.

        Arrays are `[layers, batch, length, heads, head_dim]`.
        """
        config = self._config
        shape = (encoded.shape[0], max_length, config.num_heads, config.head_dim)

        def body(layer, x, _):
            cross_key, cross_value = layer.encoder_decoder_attention.project_memory(encoded)
            empty = jnp.zeros(shape, self._dtype)
            return x, {
                "key": empty,
                "value": empty,
                "cross_key": cross_key,
                "cross_value": cross_value,
            }

        return self.decoder.scan(body, jnp.zeros(()))[1]

    def decode_step(
        self, tokens: jax.Array, encoder_tokens: jax.Array, cache: Cache, position: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """One step for tokens `[batch]` at `position`; returns float32 logits `[batch, vocab]`."""
        length = cache["key"].shape[2]
        x = self._embed(tokens[:, None], None)
        bias = self.decoder.relpos_bias.row(position, length, self._dtype)
        mask = (jnp.arange(length) <= position)[None, None, None, :]
        cross_mask = (encoder_tokens > 0)[:, None, None, :]
        x, cache = self.decoder.scan(
            lambda layer, x, c: layer.step(x, c, position, bias, mask, cross_mask), x, cache
        )
        return self.logits(self.decoder.finish(x, None))[:, 0], cache

    def _embed(self, tokens: jax.Array, key: jax.Array | None) -> jax.Array:
        x = self.token_embedder(tokens, self._dtype)
        return dropout(x, self._config.dropout_rate, key)


def _segments(tokens: jax.Array, segment_ids: jax.Array | None) -> jax.Array:
    return (tokens > 0).astype(jnp.int32) if segment_ids is None else segment_ids


def _same_segment(query: jax.Array, key: jax.Array) -> jax.Array:
    """bool `[batch, 1, q, k]`: both belong to the same segment, and neither is padding."""
    same = query[:, None, :, None] == key[:, None, None, :]
    return same & (key > 0)[:, None, None, :]


def _layer_keys(key: jax.Array | None, num_layers: int):
    return None if key is None else jax.random.split(key, num_layers)
