"""Parameters of encoder-decoders, what is shared, continuing positions, precision, mistakes."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.config import Compute
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import SourceEncoder
from t2t.models.positions import NoPositions, RoPE
from tests.models.computing import BATCH, SIZES, V1_0, V1_1, count, forward, params_of, shapes_of

replace = dataclasses.replace


def attention_shapes(layers, name):
    shapes = dict.fromkeys(("query", "key", "value"), (layers, 16, 12)) | {"out": (layers, 12, 16)}
    return {f"{name}/{projection}/kernel": shape for projection, shape in shapes.items()}


def test_names_and_shapes_of_parameters():
    def stack(side, layers, branches):
        found = {f"mlp/{name}/kernel": (layers, 16, 24) for name in ("wi_0", "wi_1")}
        found |= {"mlp/wo/kernel": (layers, 24, 16)}
        found |= {f"{name}_norm/scale": (layers, 16) for name in (*branches, "mlp")}
        for name in branches:
            found |= attention_shapes(layers, name)
        return {f"{side}/layers/{name}": shape for name, shape in found.items()} | {
            f"{side}/positions/rel_embedding": (3, 8),
            f"{side}/final_norm/scale": (16,),
        }

    assert shapes_of(V1_1) == {
        "token_embedder/embedding": (40, 16),
        "lm_head/kernel": (16, 40),
        **stack("encoder", 2, ["self_attention"]),
        **stack("decoder", 3, ["self_attention", "cross_attention"]),
    }


def test_one_activation_means_one_input_kernel_and_tying_means_no_output_kernel():
    gated, plain = shapes_of(V1_1), shapes_of(V1_0)
    gone = {f"{stack}/layers/mlp/wi_{i}/kernel" for stack in ("encoder", "decoder") for i in (0, 1)}
    assert set(gated) - set(plain) == gone | {"lm_head/kernel"}
    assert set(plain) - set(gated) == {f"{s}/layers/mlp/wi/kernel" for s in ("encoder", "decoder")}


EQUAL = replace(V1_1, decoder=replace(V1_1.decoder, num_layers=2))
SHARED = replace(EQUAL, share_stacks=True)


def test_shared_stacks_have_one_set_of_parameters_used_twice():
    twice = [path for path in shapes_of(EQUAL) if path not in shapes_of(SHARED)]
    assert {path.split("/")[2] for path in twice} == {
        *("self_attention", "self_attention_norm", "mlp", "mlp_norm"),
    }
    sizes = shapes_of(EQUAL)
    assert count(EQUAL) - count(SHARED) == sum(np.prod(sizes[path]) for path in twice)

    params = params_of(SHARED)
    own = params["encoder"]["layers"]
    layers = {name: own[name] for name in ("self_attention", "self_attention_norm", "mlp")}
    layers |= {"mlp_norm": own["mlp_norm"]} | params["decoder"]["layers"]
    copied = params | {"decoder": params["decoder"] | {"layers": layers}}

    def gradient(config, params):
        loss = lambda p: jax.nn.logsumexp(Model(config).bind(p)(BATCH), axis=-1).sum()  # noqa: E731
        return jax.jit(jax.value_and_grad(loss))(params)

    loss, once = gradient(SHARED, params)
    same_loss, split = gradient(EQUAL, copied)
    assert float(loss) == pytest.approx(float(same_loss), rel=1e-6)
    kernels = [g[side]["layers"]["mlp"]["wo"]["kernel"] for g, side in
               ((once, "encoder"), (split, "encoder"), (split, "decoder"))]  # fmt: skip
    np.testing.assert_allclose(kernels[0], kernels[1] + kernels[2], rtol=1e-3, atol=1e-3)
    assert min(np.abs(kernel).max() for kernel in kernels[1:]) > 1e-3


def test_tables_of_tokens_may_be_two():
    config = replace(V1_0, share_embeddings=False)
    assert count(config) - count(V1_0) == 40 * 16
    assert Model(config).head_names == ("decoder_token_embedder",)
    table = params_of(V1_0)["token_embedder"]
    rest = {name: tree for name, tree in params_of(V1_0).items() if name != "token_embedder"}
    both = rest | {"encoder_token_embedder": table, "decoder_token_embedder": table}
    logits = jax.jit(lambda p: Model(config).bind(p)(BATCH))(both)
    np.testing.assert_allclose(logits, forward(V1_0)(BATCH), rtol=1e-5, atol=1e-5)


def test_continuing_positions_start_where_the_inputs_end():
    stacks = {s: replace(getattr(V1_0, s), positions=RoPE()) for s in ("encoder", "decoder")}
    config = replace(V1_0, **stacks, continuing_positions=True)
    module = Model(config).bind(params_of(config))
    assert module._start(BATCH, None).tolist() == [[14], [9]]
    segments = np.array([[1, 1, 2, 2, 0]])
    packed = {
        "encoder_input_tokens": np.array([[5, 6, 7, 8, 9, 0]]),
        "encoder_segment_ids": np.array([[1, 1, 1, 2, 2, 0]]),
    }
    assert module._start(packed, segments)[0, :4].tolist() == [3, 3, 2, 2]


def test_bfloat16_activations_give_float32_logits_and_gradients():
    config = replace(V1_1, compute=Compute(dtype="bfloat16"))
    logits, expected = forward(config)(BATCH), forward(V1_1)(BATCH)
    assert logits.dtype == np.float32
    difference = np.linalg.norm(logits - expected) / np.linalg.norm(expected)
    assert 1e-4 < difference < 0.05  # rounded, and no more than that
    model = Model(config)
    encode = functools.partial(jax.eval_shape, lambda p: model.bind(p).encode(BATCH))
    assert encode(model.abstract_params).dtype == jnp.bfloat16
    loss = lambda p: model.bind(p)(BATCH).sum()  # noqa: E731
    gradients = jax.eval_shape(jax.grad(loss), model.abstract_params)
    assert {leaf.dtype for leaf in jax.tree.leaves(gradients)} == {jnp.dtype("float32")}


def test_a_source_encoder_leaves_no_table_without_a_reader():
    config = replace(V1_0, source_encoder=SourceEncoder(30, V1_0.encoder), share_embeddings=False)
    tables = {name for name in Model(config).abstract_params if name.endswith("embedder")}
    assert tables == {"source_token_embedder", "decoder_token_embedder"}


def with_decoder(**changes):
    return {"decoder": replace(V1_1.decoder, **changes)}


MERGED = replace(V1_1.decoder, cross_attention=None, merged_attention=True, positions=NoPositions())
WIDE = replace(V1_1.encoder, d_model=24)
IMPOSSIBLE = [
    ({"vocab_size": 0}, r"EncoderDecoder\.vocab_size must be at least 1"),
    (with_decoder(cross_attention=None), r"Stack\.cross_attention, or Stack\.merged_attention"),
    ({"encoder": V1_1.decoder}, r"EncoderDecoder\.encoder has cross-attention"),
    ({"encoder": WIDE}, r"share_embeddings .*Stack\.d_model .*24 .*16"),
    (
        {"encoder": WIDE, "decoder": MERGED, "share_embeddings": False},
        r"Stack\.merged_attention .*Stack\.d_model is 24 .*16",
    ),
    ({"continuing_positions": True}, r"continuing_positions .*Stack\.positions = RoPE\(\)"),
    (
        {s: replace(getattr(V1_0, s), embedding=Embedding(size=8)) for s in ("encoder", "decoder")}
        | {"head": V1_0.head},
        r"LMHead\.tied .*size 8 \(Embedding\.size\)",
    ),
    ({"share_stacks": True}, r"share_stacks .*Stack\.num_layers .* 2 .* 3"),
]


@pytest.mark.parametrize(("changes", "message"), IMPOSSIBLE)
def test_impossible_combinations_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        replace(V1_1, **changes)


def test_a_decoder_alone_has_no_encoder_to_attend_to():
    with pytest.raises(UserError, match=r"DecoderOnly\.decoder has cross-attention"):
        DecoderOnly(SIZES["vocab_size"], V1_1.decoder)
