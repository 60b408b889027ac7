"""Programs as XLA prints them: of this machine, of the TPU compiler, and written by hand."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from t2t.planning.hlo import parse

# Three layers of relu(h @ w1) @ w2, [1024, 1024] and w1 [1024, 4096], over four chips, parameters
# split: forward, backward and update. Compiled by libtpu 0.0.42 for v5e:2x2; without the
# attributes `metadata` and `backend_config`.
MLP = (Path(__file__).parent / "mlp_v5e_2x2.hlo").read_text()

NESTED = """HloModule nested, num_partitions=2, replica_count=2

%small (a: f32[4]) -> f32[4] {
  %a = f32[4]{0} parameter(0)
  ROOT %twice = f32[4]{0} add(%a, %a), metadata={op_name="f(x, y)=z" stack_frame_id=3}
}

%condition (c: (s32[], f32[4])) -> pred[] {
  %c = (s32[], f32[4]{0}) parameter(0)
  %bound = s32[] constant(5)
  %i = s32[] get-tuple-element(%c), index=0
  ROOT %less = pred[] compare(%i, %bound), direction=LT
}

%inner (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %p = (s32[], /*index=1*/f32[4]{0:T(128)S(1)}) parameter(0)
  %one = s32[] constant(1)
  %same = s32[] copy(%p#0)
  %n = s32[] add(%same, %one)
  %y = f32[4]{0} fusion(%p#1), kind=kLoop, calls=%small, control-predecessors={%n}
  ROOT %next = (s32[], f32[4]{0}) tuple(%n, %y)
}

%outer (q: (s32[], f32[4])) -> (s32[], f32[4]) {
  %q = (s32[], f32[4]{0}) parameter(0)
  %w = (s32[], f32[4]{0}) while(%q), condition=%condition, body=%inner
  ROOT %v = (s32[], f32[4]{0}) while(%w), condition=%condition, body=%inner
}

%unknown (r: (s32[], f32[4])) -> pred[] {
  %r = (s32[], f32[4]{0}) parameter(0)
  ROOT %stop = pred[] constant(true)
}

ENTRY %main (x: (s32[], f32[4])) -> f32[4] {
  %x = (s32[], f32[4]{0}) parameter(0)
  %loop = (s32[], f32[4]{0}) while(%x), condition=%unknown, body=%outer,
COUNT
  %again = (s32[], f32[4]{0}) while(%loop), condition=%unknown, body=%inner
  ROOT %z = f32[4]{0} call(%again#1), to_apply=%small
}
""".replace(",\nCOUNT", ', backend_config={"known_trip_count":{"n":"3"},"x":["(",")"]}')


def test_nested_loops_multiply():
    program = parse(NESTED)
    assert program.num_devices == 4
    assert program.executions() == {
        "main": 1,
        "outer": 3,
        "inner": 3 * 2 * 5 + 1,  # the last loop's rounds are not known: once
        "small": 3 * 2 * 5 + 1 + 1,
        "condition": 3 * 2 * 5,
        "unknown": 3 + 1,
    }
    assert program.unknown_loops() == ["again"]


def test_counters_that_grow_by_more_than_one():
    """As in the rings that XLA makes of gathering and multiplying."""
    twos = NESTED.replace("%one = s32[] constant(1)", "%one = s32[] constant(2)")
    assert parse(twos).executions()["inner"] == 3 * 2 * 3 + 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("add(%same, %one)", "multiply(%same, %one)"),
        ("tuple(%n, %y)", "tuple(%one, %y)"),
        ("direction=LT", "direction=NE"),
        ("%bound = s32[] constant(5)", "%bound = s32[] get-tuple-element(%c), index=0"),
    ],
)
def test_other_counters_are_unknown(old, new):
    assert old in NESTED
    assert set(parse(NESTED.replace(old, new)).unknown_loops()) == {"w", "v", "again"}


def test_instructions():
    program = parse(NESTED)
    inner = program.computations["inner"]
    assert inner.root.name == "next"
    shapes = [(a.dtype, a.dims, a.memory, a.bytes) for a in inner.instructions["p"].arrays]
    assert shapes == [("s32", (), 0, 4), ("f32", (4,), 1, 16)]
    assert inner.operands(inner.instructions["y"]) == [inner.instructions["p"].arrays[1:]]
    assert [user.name for user in inner.users["p"]] == ["same", "y"]
    condition = program.computations["condition"]
    assert condition.instructions["bound"].arguments == "5"
    assert condition.root.attribute("direction") == "LT"
    assert condition.root.attribute("rection") == ""


@pytest.mark.parametrize(
    ("text", "size"),
    [("bf16[3,5]{1,0}", 30), ("s4[3]{0}", 2), ("f8e4m3fn[7]{0}", 7), ("pred[9]{0}", 9)]
    + [("c64[2]{0}", 16), ("u32[]", 4), ("f64[0,3]{1,0}", 0), ("token[]", 0), ("s32[<=8]{0}", 32)],
)
def test_bytes_of_arrays(text, size):
    line = f"ENTRY %m (x: f32[]) -> f32[] {{\n  ROOT %x = {text} parameter(0)\n}}\n"
    assert parse(line).computations["m"].root.bytes == size


@pytest.mark.parametrize(
    "text", ["", "HloModule x\n", "ENTRY %m () -> f32[] {\n  what is this\n}\n"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="XLA"):
        parse(text)


def scans(x, w):
    def inner(x, w):
        return jnp.tanh(x @ w), None

    def outer(x, _):
        return jax.lax.scan(inner, x, w)[0], None

    return jax.lax.scan(outer, x, length=5)[0]


def dots(program):
    counts = program.executions()
    return sum(
        times * sum(i.opcode == "dot" for i in program.computations[name])
        for name, times in counts.items()
    )


def test_scans_compiled_here():
    shapes = [(8, 16), (3, 16, 16)]
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    program = parse(jax.jit(scans).lower(*arguments).compile().as_text())
    assert not program.unknown_loops()
    assert dots(program) == 15


def test_a_program_of_the_tpu_compiler():
    program = parse(MLP)
    loops = [i for i in program.computations[program.entry] if i.opcode == "while"]
    assert program.num_devices == 4
    assert [program.trip_count(loop) for loop in loops] == [3, 3]
    assert program.unknown_loops() == []
