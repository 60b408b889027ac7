"""Parameters that come from other runs, checked against the arrays they were saved from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.lora import LoRA
from t2t.models.parameter_paths import flatten, unflatten
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.initialization import Initialization, ParameterSource
from t2t.training.partitioning import MeshShape, param_shardings
from t2t.training.state import TrainState

LAYERS = 4


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def parameters(seed=0, vocab=16, layers=LAYERS, width=8):
    """Of something like an encoder and a decoder."""

    def attention(number):
        return {"query": {"kernel": draw(layers, width, 8, seed=10 * seed + number)}}

    return {
        "token_embedder": {"embedding": draw(vocab, width, seed=seed)},
        "encoder": {"layers": {"self_attention": attention(1)}},
        "decoder": {
            "layers": {"self_attention": attention(2), "cross_attention": attention(3)},
            "final_norm": {"scale": draw(width, seed=seed)},
        },
        "lm_head": {"kernel": draw(width, vocab, seed=seed)},
    }


A, B, FRESH = (parameters(seed) for seed in range(3))
WITHOUT_CROSS = {
    **A, "decoder": {**A["decoder"], "layers": {k: v for k, v in A["decoder"]["layers"].items()
                                                if k != "cross_attention"}},
}  # fmt: skip
CROSS = "decoder/layers/cross_attention/query/kernel"
SELF = "decoder/layers/self_attention/query/kernel"


def abstract(params):
    """On one device, as `wanted` and `assemble` expect."""
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, jnp.float32, sharding=sharding), params
    )


def initialized(initialization, *stored, fresh=FRESH):
    """What comes out, by path; sources are read as little as `wanted` says."""
    transfer = initialization.plan(abstract(fresh), [abstract(params) for params in stored])
    loaded = []
    for i, params in enumerate(stored):
        wanted = flatten(transfer.wanted(i))
        assert {path: flatten(params)[path].shape for path in wanted} == {
            path: leaf.shape for path, leaf in wanted.items()
        }
        loaded.append(unflatten({path: jnp.asarray(flatten(params)[path]) for path in wanted}))
    result = transfer.assemble(lambda: jax.tree.map(jnp.asarray, fresh), loaded)
    assert jax.tree.map(jnp.shape, result) == jax.tree.map(jnp.shape, fresh)
    return flatten(result)


def assert_from(result, expected):
    """Each parameter equals the one of the tree that `expected` gives for its path."""
    for path, value in result.items():
        np.testing.assert_array_equal(value, flatten(expected(path))[path], err_msg=path)


def test_all_from_one_run():
    result = initialized(Initialization((ParameterSource("a"),)), A)
    assert_from(result, lambda path: A)


def test_encoder_from_one_run_decoder_from_another_and_the_rest_fresh():
    initialization = Initialization(
        (ParameterSource("a", include=("encoder/.*",)), ParameterSource("b")),
        fresh=("lm_head/.*", "token_embedder/.*"),
    )
    result = initialized(initialization, A, B)
    where = {"encoder": A, "decoder": B}
    assert_from(result, lambda path: where.get(path.split("/")[0], FRESH))


def test_only_what_is_used_is_wanted_and_drawn():
    initialization = Initialization((ParameterSource("a"),), fresh=("(en|de)coder/.*",))
    transfer = initialization.plan(abstract(FRESH), [abstract(A)])
    assert set(flatten(transfer.wanted(0))) == {"token_embedder/embedding", "lm_head/kernel"}
    everything = Initialization((ParameterSource("a"),)).plan(abstract(FRESH), [abstract(A)])
    everything.assemble(lambda: {}, [jax.tree.map(jnp.asarray, A)])  # nothing is asked of it


def test_cross_attention_from_self_attention_in_memory_of_its_own():
    renames = (("(.*)/cross_attention/(.*)", r"\1/self_attention/\2"),)
    result = initialized(Initialization((ParameterSource("a", renames=renames),)), WITHOUT_CROSS)
    np.testing.assert_array_equal(result[CROSS], flatten(A)[SELF])
    np.testing.assert_array_equal(result[SELF], flatten(A)[SELF])
    assert result[CROSS].unsafe_buffer_pointer() != result[SELF].unsafe_buffer_pointer()


def test_the_first_rename_that_matches_holds():
    renames = (
        (CROSS, SELF),
        ("decoder/layers/(.*)", r"encoder/layers/self_attention/query/kernel"),
    )
    result = initialized(Initialization((ParameterSource("a", renames=renames),)), A)
    np.testing.assert_array_equal(result[CROSS], flatten(A)[SELF])
    encoder = flatten(A)["encoder/layers/self_attention/query/kernel"]
    np.testing.assert_array_equal(result[SELF], encoder)


@pytest.mark.parametrize("layers", [(0, 2), (3, 0), (1, 1, 2, 2, 3)])
def test_layers_can_be_chosen_and_repeated(layers):
    fresh = parameters(layers=len(layers))
    source = ParameterSource("a", include=(".*/layers/.*",), layers=layers)
    initialization = Initialization((source, ParameterSource("a")))
    result = initialized(initialization, A, A, fresh=fresh)
    np.testing.assert_array_equal(result[SELF], flatten(A)[SELF][list(layers)])
    np.testing.assert_array_equal(result["lm_head/kernel"], A["lm_head"]["kernel"])


def test_new_words_are_fresh_and_old_ones_copied():
    fresh = parameters(seed=2, vocab=20)
    source = ParameterSource("a", resize=("token_embedder/.*", "lm_head/kernel"))
    result = initialized(Initialization((source,)), A, fresh=fresh)
    table = result["token_embedder/embedding"]
    np.testing.assert_array_equal(table[:16], A["token_embedder"]["embedding"])
    np.testing.assert_array_equal(table[16:], fresh["token_embedder"]["embedding"][16:])
    head = result["lm_head/kernel"]
    np.testing.assert_array_equal(head[:, :16], A["lm_head"]["kernel"])
    np.testing.assert_array_equal(head[:, 16:], fresh["lm_head"]["kernel"][:, 16:])


AXES = {
    "token_embedder": {"embedding": ("vocab", "embed")},
    "encoder": {"layers": {"self_attention": {"query": {"kernel": ("layers", "embed", "heads")}}}},
    "decoder": {
        "layers": {
            name: {"query": {"kernel": ("layers", "embed", "heads")}}
            for name in ("self_attention", "cross_attention")
        },
        "final_norm": {"scale": ("norm",)},
    },
    "lm_head": {"kernel": ("embed", "vocab")},
}


def save(folder, params, step=3):
    state = TrainState(jnp.array(step, jnp.int32), jax.tree.map(jnp.asarray, params), {})
    with Checkpoints(folder / "checkpoints", CheckpointPolicy()) as checkpoints:
        checkpoints.save(state, {})


def test_checkpoints_are_read_in_part_onto_a_mesh(tmp_path):
    save(tmp_path, parameters(vocab=15))  # 15 words do not divide over two devices
    fresh = parameters(seed=2, vocab=16)
    mesh = MeshShape(fsdp=2, tensor=2).mesh()
    shardings = param_shardings(fresh, AXES, mesh)
    target = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), fresh, shardings
    )
    source = ParameterSource(
        str(tmp_path), layers=(2, 0, 3, 1), resize=("token_embedder/.*", "lm_head/kernel"), step=3
    )
    initialization = Initialization((source,), fresh=("encoder/.*",))
    result = initialization.open(target).params(lambda: jax.tree.map(jnp.asarray, fresh))
    assert jax.tree.map(lambda x: x.sharding, result) == shardings
    result = flatten(result)
    np.testing.assert_array_equal(result[SELF], flatten(A)[SELF][[2, 0, 3, 1]])
    table = result["token_embedder/embedding"]
    np.testing.assert_array_equal(table[:15], draw(15, 8))
    np.testing.assert_array_equal(table[15:], fresh["token_embedder"]["embedding"][15:])
    np.testing.assert_array_equal(result["decoder/final_norm/scale"], draw(8))
    encoder = "encoder/layers/self_attention/query/kernel"
    np.testing.assert_array_equal(result[encoder], flatten(fresh)[encoder])


def test_a_source_without_checkpoints(tmp_path):
    initialization = Initialization((ParameterSource(str(tmp_path / "none")),))
    with pytest.raises(UserError, match="none' is not the folder of a run with checkpoints"):
        initialization.open(abstract(FRESH))


def plan(*stored, fresh=(), target=FRESH, **options):
    sources = tuple(ParameterSource(f"run{i}", **options) for i in range(len(stored)))
    return Initialization(sources, fresh).plan(abstract(target), [abstract(s) for s in stored])


def test_everything_that_does_not_fit_is_listed_at_once():
    with pytest.raises(UserError) as raised:
        plan(WITHOUT_CROSS, target=parameters(vocab=20, layers=3), include=("[^e].*",))
    message = str(raised.value)
    assert f"{CROSS}: 'run0' has no {CROSS}." in message
    assert f"{SELF}: 'run0' has shape (4, 8, 8), the model (3, 8, 8)" in message
    assert "token_embedder/embedding: 'run0' has shape (16, 8), the model (20, 8)" in message
    assert "encoder/layers/self_attention/query/kernel: no source includes it" in message
    assert "Initialization.fresh" in message


def test_long_lists_are_cut():
    many = {f"p{i:02d}": draw(2) for i in range(25)}
    with pytest.raises(UserError, match=r"p19: 'run0' has no p19; and 5 more\. "):
        plan({"other": draw(1)}, target=many)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fresh": ("decoder/cros.*",)}, r"Initialization.fresh: 'decoder/cros.\*' matches no"),
        ({"include": ("encodr/.*",)}, "ParameterSource.include: .* Did you mean 'encoder'"),
        ({"resize": ("embedding",)}, "ParameterSource.resize: 'embedding' matches no"),
        ({"renames": (("x", "y"),)}, "ParameterSource.renames: 'x' matches no parameter"),
        ({"renames": (("enc.*", r"\2"),)}, r"renames: '\\2' does not go with 'enc.\*'"),
        ({"layers": (0, 1, 2, 4)}, r"'run0' has 4 layers, without some of layers = \(0, 1, 2, 4\)"),
        ({"layers": (0, 1)}, r"has shape \(2, 8, 8\), the model \(4, 8, 8\)"),
    ],
)
def test_settings_that_cannot_be_meant(options, message):
    with pytest.raises(UserError, match=message):
        plan(A, **options)


def test_tables_do_not_shrink():
    with pytest.raises(UserError, match=r"has shape \(16, 8\), the model \(12, 8\)"):
        plan(A, target=parameters(vocab=12), resize=(".*embedding", "lm_head/.*"))


def test_a_kernel_is_not_taken_without_its_adapters():
    adapted = LoRA(rank=2, alpha=1.0).add(A, jax.random.key(0))
    with pytest.raises(UserError, match=rf"{SELF}: 'run0' has LoRA adapters beside {SELF}"):
        plan(adapted)
    plan(adapted, target=adapted)


def test_a_source_that_gives_nothing():
    with pytest.raises(UserError, match="Nothing is taken from 'run1': earlier sources"):
        plan(A, B)
