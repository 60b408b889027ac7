"""Bytes and counts of what is sent, by hand."""

import collections

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, PartitionSpec

from t2t.planning.collectives import collectives, collectives_of, replica_groups
from t2t.planning.hlo import parse
from tests.planning.test_hlo import MLP


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("{{0,1},{2,3}}", [(0, 1), (2, 3)]),
        ("{}", [(0, 1, 2, 3, 4, 5, 6, 7)]),
        ("[2,4]<=[8]", [(0, 1, 2, 3), (4, 5, 6, 7)]),
        ("[2,4]<=[4,2]T(1,0)", [(0, 2, 4, 6), (1, 3, 5, 7)]),
        ("[4,2]<=[2,2,2]T(0,2,1)", [(0, 2), (1, 3), (4, 6), (5, 7)]),
        ("mesh['a'=2,'b'=4] {'b'}", [(0, 1, 2, 3), (4, 5, 6, 7)]),
        ("mesh['a'=2,'b'=4] {'a'}", [(0, 4), (1, 5), (2, 6), (3, 7)]),
        ("mesh['a'=2,'b'=2,'c'=2] {'a','c'}", [(0, 1, 4, 5), (2, 3, 6, 7)]),
        ("mesh['a'=8] {'a':(2)2}", [(0, 2), (1, 3), (4, 6), (5, 7)]),
        ("mesh['a'=8] {'a':(1)2,'a':(4)2}", [(0, 1, 4, 5), (2, 3, 6, 7)]),
        ("mesh['a'=2,'b'=2], device_ids=([2,2]<=[2,2]T(1,0)) {'b'}", [(0, 2), (1, 3)]),
    ],
)
def test_groups(text, groups):
    assert replica_groups(text, 8) == tuple(groups)


def test_unknown_groups_are_refused():
    with pytest.raises(ValueError, match="unknown replica groups"):
        replica_groups("mesh(8)", 8)


def sent(body, x):
    """Collectives of a program for two groups of four devices."""
    mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    spec = PartitionSpec(None, ("a", "b"))
    mapped = jax.shard_map(body, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    return collectives_of(jax.jit(mapped).lower(x).compile().as_text())


def test_ring_shares():
    """Each device has 16 x 5 floats, 320 bytes."""

    def body(x):
        total = jax.lax.psum(x, "b")
        everything = jax.lax.all_gather(x, "b")
        part = jax.lax.psum_scatter(x, "b", tiled=True)
        turned = jax.lax.all_to_all(x, "b", 0, 0, tiled=True)
        moved = jax.lax.ppermute(x, "b", [(0, 1), (1, 2)])
        return total + everything.sum(0) + part.sum() + turned + moved

    found = sent(body, jax.ShapeDtypeStruct((16, 40), jnp.float32))
    assert {(c.kind, c.bytes, c.group_size, c.times) for c in found} == {
        ("all-reduce", 2 * 240, 4, 1),
        ("all-gather", 3 * 320, 4, 1),
        ("reduce-scatter", 240, 4, 1),
        ("all-to-all", 240, 4, 1),
        ("collective-permute", 320, 2, 1),
    }
    assert len(found) == 5
    (reduced,) = (c for c in found if c.kind == "all-reduce")
    assert reduced.groups == ((0, 1, 2, 3), (4, 5, 6, 7))


def test_loops_multiply():
    def body(x):
        def layer(x, _):
            return jax.lax.psum(x, "a") / 2, None

        return jax.lax.scan(layer, x, length=7)[0]

    (found,) = sent(body, jax.ShapeDtypeStruct((16, 40), jnp.float32))
    assert (found.kind, found.bytes, found.group_size, found.times) == ("all-reduce", 320, 2, 7)
    assert found.total_bytes == 7 * 320
    assert found.groups == ((0, 4), (1, 5), (2, 6), (3, 7))


ASYNCHRONOUS = """HloModule m, num_partitions=4
%wrapped (p: bf16[8]) -> bf16[2] {
  %p = bf16[8]{0} parameter(0)
  ROOT %s = bf16[2]{0} reduce-scatter(%p), replica_groups=[1,4]<=[4], dimensions={0}, to_apply=%sum
}

ENTRY %main (x: bf16[8], y: f32[3]) -> bf16[2] {
  %x = bf16[8]{0} parameter(0)
  %y = f32[3]{0} parameter(1)
  %g = (bf16[8]{0}, bf16[32]{0}) all-gather-start(%x), replica_groups={{0,1,2,3}}, dimensions={0}
  %gathered = bf16[32]{0} all-gather-done(%g)
  %r = (bf16[8]{0}, f32[3]{0}) all-reduce-start(%x, %y), replica_groups={{0,1},{2,3}}, to_apply=%sum
  %reduced = (bf16[8]{0}, f32[3]{0}) all-reduce-done(%r)
  %alone = f32[3]{0} all-reduce(%y), replica_groups={{0},{1},{2},{3}}, to_apply=%sum
  %a = ((bf16[8]{0}), bf16[2]{0}, u32[]) async-start(%x), calls=%wrapped
  ROOT %scattered = bf16[2]{0} async-done(%a)
}
"""


def test_asynchronous_ones_count_once():
    """And what a device exchanges with itself does not count."""
    found = [(c.kind, c.bytes, c.group_size) for c in collectives_of(ASYNCHRONOUS)]
    assert found == [("all-gather", 48, 4), ("all-reduce", 16 + 12, 2), ("reduce-scatter", 12, 4)]


def test_a_program_of_the_tpu_compiler():
    """Forward and backward gather both matrices of a layer, in bfloat16 as they are multiplied.

    Their gradients are summed over rows and split: a fusion of an all-reduce, which this compiler
    pads to 1056 rows for one of them, and a slice, moved to its place by a permutation. Gathering
    runs beside products, repeated in up to four fusions.
    """
    kernel = 1024 * 4096 * 2
    total = collections.Counter()
    times = collections.Counter()
    for found in collectives(parse(MLP)):
        total[found.kind] += found.total_bytes
        times[found.kind] += found.times
        assert found.group_size == (2 if found.kind == "collective-permute" else 4)
    assert times == {"all-gather": 3 * 4, "reduce-scatter": 3 * 2, "collective-permute": 3}
    assert total["all-gather"] == 12 * kernel * 3 // 4
    assert total["reduce-scatter"] == 3 * (kernel + 1056 * 4096 * 2) * 3 // 4
    assert total["collective-permute"] == 3 * 24 * 4096 * 2
