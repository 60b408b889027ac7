"""Properties of decoders on their own, for every kind of positions."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.data.converters import LMFeatureConverter, PrefixLMFeatureConverter
from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.feed_forward import FeedForward
from t2t.models.positions import (
    ALiBi,
    LearnedPositions,
    NoPositions,
    RelativeBias,
    RoPE,
    SinusoidalPositions,
    TwoDimensionalPositions,
)
from t2t.models.stack import Stack

LENGTH = 16
STACKS = {
    "none": {"positions": NoPositions()},
    "learned": {"positions": LearnedPositions(LENGTH)},
    "two-dimensional": {"positions": TwoDimensionalPositions(LENGTH, 4)},
    "sinusoidal": {"positions": SinusoidalPositions()},
    "relative": {"positions": RelativeBias(8, 12)},
    "relative per layer": {"positions": RelativeBias(8, 12, per_layer=True)},
    "alibi": {"positions": ALiBi()},
    "rotary": {"positions": RoPE()},
    "rotary, windows": {
        "positions": RoPE(),
        "window": 3,
        "local_layers": (True, False),
        "local_positions": RoPE(theta=100.0),
    },
    "windows everywhere": {"positions": NoPositions(), "window": 3},
    "one layer twice": {"positions": RoPE(), "num_groups": 1},
}
every_kind = pytest.mark.parametrize("kind", STACKS)


@functools.cache
def model_of(kind):
    stack = Stack(
        num_layers=2,
        d_model=16,
        attention=Attention(num_heads=4, head_dim=4, num_kv_heads=2),
        feed_forward=FeedForward(20),
        **STACKS[kind],
    )
    return Model(DecoderOnly(vocab_size=32, decoder=stack, prefix_lm=True))


@functools.cache
def params_of(kind):
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        noise = rng.normal(size=leaf.shape).astype(np.float32)
        return noise * (leaf.shape[-2] ** -0.5 if path[-1].key == "kernel" else 1)

    return jax.tree_util.tree_map_with_path(draw, model_of(kind).abstract_params)


@functools.cache
def forward(kind):
    """Jitted `batch -> logits` with fixed random parameters."""
    model = model_of(kind)
    apply = jax.jit(lambda params, batch: model.bind(params)(batch))
    return lambda batch: np.asarray(apply(params_of(kind), batch))


def example(inputs_length, targets_length, seed):
    rng = np.random.default_rng(seed)
    lengths = {"inputs": inputs_length, "targets": targets_length}
    return {name: rng.integers(2, 32, size, np.int32) for name, size in lengths.items()}


SIZES = [(4, 3), (3, 2)]  # inputs and targets of the examples of a row
EXAMPLES = [example(*size, seed) for seed, size in enumerate(SIZES)]
LENGTHS = {"inputs": LENGTH // 2, "targets": LENGTH // 2}
PACKED = PrefixLMFeatureConverter(pack=True).convert_rows([EXAMPLES], LENGTHS)


def seen_by_each_layer(kind):
    """bool `[layers, q, k]`: which tokens of the packed row each one sees, told by `SIZES`."""
    seen = np.zeros((2, LENGTH, LENGTH), bool)
    begin = 0
    for inputs, targets in SIZES:
        for q in range(inputs + targets):
            for k in range(inputs + targets):
                both_in_prefix = max(q, k) <= inputs  # the last input is read one place later
                seen[:, begin + q, begin + k] = k <= q or both_in_prefix
        begin += inputs + targets
    stack = STACKS[kind]
    if "window" in stack:
        distance = np.abs(np.subtract.outer(np.arange(LENGTH), np.arange(LENGTH)))
        local = np.array(stack.get("local_layers", (True, True)))
        seen &= (distance < stack["window"])[None] | ~local[:, None, None]
    return seen


@every_kind
def test_a_token_changes_the_outputs_that_may_see_it_and_no_others_by_a_bit(kind):
    rows = {name: np.repeat(array, LENGTH + 1, axis=0) for name, array in PACKED.items()}
    tokens = rows["decoder_input_tokens"]
    for i in range(LENGTH):
        tokens[1 + i, i] = 1
    logits = forward(kind)(rows)
    changed = (logits[1:] != logits[:1]).any(-1).T  # [output, changed token]
    first, second = seen_by_each_layer(kind)
    may_change = second.astype(int) @ first.astype(int) > 0
    real = sum(map(sum, SIZES))
    np.testing.assert_array_equal(changed[:real], may_change[:real])


@every_kind
def test_packed_examples_get_the_logits_of_each_alone(kind):
    alone = PrefixLMFeatureConverter(pack=True).convert_rows([[e] for e in EXAMPLES], LENGTHS)
    packed, apart = forward(kind)(PACKED)[0], forward(kind)(alone)
    first, second = map(sum, SIZES)
    np.testing.assert_allclose(packed[:first], apart[0, :first], atol=2e-5)
    np.testing.assert_allclose(packed[first : first + second], apart[1, :second], atol=2e-5)


def test_positions_segments_and_causality_need_not_be_given():
    converted = [
        LMFeatureConverter(pack=pack)(EXAMPLES[:1], {"targets": LENGTH}) for pack in (True, False)
    ]
    assert set(converted[0]) > set(converted[1])
    packed, plain = map(forward("learned"), converted)
    size = len(EXAMPLES[0]["targets"])
    np.testing.assert_allclose(packed[:, :size], plain[:, :size], atol=2e-5)


def test_the_prefix_has_two_names():
    renamed = {**PACKED, "decoder_prefix_mask": PACKED["decoder_causal_attention"]}
    del renamed["decoder_causal_attention"]
    logits = forward("rotary")
    np.testing.assert_array_equal(logits(renamed), logits(PACKED))


def test_a_causal_language_model_reads_inputs_as_it_reads_targets():
    config = dataclasses.replace(model_of("rotary").config, prefix_lm=False)
    apply = jax.jit(lambda params, batch: Model(config).bind(params)(batch))
    unmarked = {n: x for n, x in PACKED.items() if n != "decoder_causal_attention"}
    logits = forward("rotary")(unmarked)
    np.testing.assert_array_equal(apply(params_of("rotary"), PACKED), logits)
    assert np.abs(logits - forward("rotary")(PACKED)).max() > 0.1


@every_kind
def test_prompts_of_unequal_length_are_read_at_once(kind):
    """Padding in front changes nothing, nor does it what comes after."""
    tokens = np.random.default_rng(4).integers(1, 32, (2, 9), np.int32)
    sizes, prompt = (6, 3), np.zeros((2, 6), np.int32)
    segments = np.zeros((2, 6), np.int32)
    for row, size in enumerate(sizes):
        prompt[row, 6 - size :] = tokens[row, :size]
        segments[row, 6 - size :] = 1
    batch = {"decoder_input_tokens": prompt, "decoder_segment_ids": segments}
    module = model_of(kind).bind(jax.tree.map(jnp.asarray, params_of(kind)))
    logits, state = jax.jit(module.start, static_argnums=1)(batch, 3)
    state = state.repeat(2).take(jnp.array([1, 0, 2, 3]))
    whole = forward(kind)({"decoder_input_tokens": tokens})
    step = jax.jit(module.decode_step)
    for offset in range(3):
        for row, size in enumerate(sizes):
            np.testing.assert_allclose(logits[row], whole[row, size - 1 + offset], atol=2e-5)
        following = [tokens[row, size + offset] for row, size in enumerate(sizes)]
        logits, state = step(np.repeat(following, 2), state)
        np.testing.assert_array_equal(logits[0], logits[1])
        logits = logits[::2]


@functools.partial(jax.jit, static_argnums=0)
def stepwise_and_whole(model, params, tokens):
    module = model.bind(params)

    def step(state, token):
        logits, state = module.decode_step(token, state)
        return state, logits

    first, state = module.start({"decoder_input_tokens": tokens[:, :1]}, tokens.shape[1] - 1)
    _, logits = jax.lax.scan(step, state, tokens.T[1:])
    stepwise = jnp.concatenate([first[None], logits]).swapaxes(0, 1)
    return stepwise, module({"decoder_input_tokens": tokens})


@every_kind
def test_cached_decoding_equals_the_full_forward_at_every_position(kind):
    tokens = np.random.default_rng(3).integers(1, 32, (2, LENGTH), np.int32)
    stepwise, whole = stepwise_and_whole(model_of(kind), params_of(kind), tokens)
    np.testing.assert_allclose(stepwise, whole, atol=2e-5)
