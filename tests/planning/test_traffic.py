"""Bytes to and from memory, counted by hand in programs of a few lines."""

import pytest

from t2t.planning.hlo import parse
from t2t.planning.traffic import hbm_bytes
from tests.planning.test_hlo import MLP

CHAIN = """ENTRY %main (x: f32[8,16], a: f32[16,32], b: f32[32,4]) -> f32[8,4] {
  %x = f32[8,16]{1,0} parameter(0)
  %a = f32[16,32]{1,0} parameter(1)
  %b = f32[32,4]{1,0} parameter(2)
  %h = f32[8,32]{1,0} dot(%x, %a), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %same = f32[8,32]{1,0} bitcast(%h)
  ROOT %y = f32[8,4]{1,0} dot(%same, %b), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}
"""


def test_a_chain_of_products_reads_and_writes_each_matrix():
    x, a, h, b, y = 8 * 16, 16 * 32, 8 * 32, 32 * 4, 8 * 4
    assert hbm_bytes(parse(CHAIN)) == 4 * ((x + a + h) + (h + b + y))


def test_what_stays_on_the_chip_is_free():
    on_chip = CHAIN.replace("f32[8,32]{1,0}", "f32[8,32]{1,0:T(8,128)S(1)}")
    assert hbm_bytes(parse(CHAIN)) - hbm_bytes(parse(on_chip)) == 2 * 4 * 8 * 32


LAYERS = """HloModule layers

%step (s: f32[6,4,4], h: f32[2,4], i: s32[], out: f32[6,2,4]) -> (f32[2,4], f32[6,2,4]) {
  %s = f32[6,4,4]{2,1,0} parameter(0)
  %h = f32[2,4]{1,0} parameter(1)
  %i = s32[] parameter(2)
  %out = f32[6,2,4]{2,1,0} parameter(3)
  %zero = s32[] constant(0)
  %flat = f32[6,16]{1,0} bitcast(%s)
  %slice = f32[1,16]{1,0} dynamic-slice(%flat, %i, %zero), dynamic_slice_sizes={1,16}
  %w = f32[4,4]{1,0} bitcast(%slice)
  %y = f32[2,4]{1,0} dot(%h, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %row = f32[1,2,4]{2,1,0} bitcast(%y)
  %kept = f32[6,2,4]{2,1,0} dynamic-update-slice(%out, %row, %i, %zero, %zero)
  ROOT %both = (f32[2,4]{1,0}, f32[6,2,4]{2,1,0}) tuple(%y, %kept)
}

%body (p: (s32[], f32[2,4], f32[6,4,4], f32[6,2,4])) -> (s32[], f32[2,4], f32[6,4,4], f32[6,2,4]) {
  %p = (s32[], f32[2,4]{1,0}, f32[6,4,4]{2,1,0}, f32[6,2,4]{2,1,0}) parameter(0)
  %i = s32[] get-tuple-element(%p), index=0
  %h = f32[2,4]{1,0} get-tuple-element(%p), index=1
  %s = f32[6,4,4]{2,1,0} get-tuple-element(%p), index=2
  %out = f32[6,2,4]{2,1,0} get-tuple-element(%p), index=3
  %one = s32[] constant(1)
  %next = s32[] add(%i, %one)
  %f = (f32[2,4]{1,0}, f32[6,2,4]{2,1,0}) fusion(%s, %h, %i, %out), kind=kLoop, calls=%step
  %g = f32[2,4]{1,0} get-tuple-element(%f), index=0
  %o = f32[6,2,4]{2,1,0} get-tuple-element(%f), index=1
  ROOT %t = (s32[], f32[2,4]{1,0}, f32[6,4,4]{2,1,0}, f32[6,2,4]{2,1,0}) tuple(%next, %g, %s, %o)
}

%below (q: (s32[], f32[2,4], f32[6,4,4], f32[6,2,4])) -> pred[] {
  %q = (s32[], f32[2,4]{1,0}, f32[6,4,4]{2,1,0}, f32[6,2,4]{2,1,0}) parameter(0)
  %j = s32[] get-tuple-element(%q), index=0
  %six = s32[] constant(6)
  ROOT %less = pred[] compare(%j, %six), direction=LT
}

ENTRY %main (x: (s32[], f32[2,4], f32[6,4,4], f32[6,2,4])) -> f32[2,4] {
  %x = (s32[], f32[2,4]{1,0}, f32[6,4,4]{2,1,0}, f32[6,2,4]{2,1,0}) parameter(0)
  %loop = (s32[], f32[2,4], f32[6,4,4], f32[6,2,4]) while(%x), condition=%below, body=%body
  ROOT %y = f32[2,4]{1,0} get-tuple-element(%loop), index=1
}
"""


def test_a_loop_over_layers_reads_each_once():
    """Parameters of one layer, and the activations that are kept of it, not those of all."""
    counter = (4 + 4 + 4) + (4 + 4 + 1)  # i + 1, and i < 6
    fusion = 4 * (16 + 8 + 1) + 4 * (8 + 8)
    assert hbm_bytes(parse(LAYERS)) == 6 * (counter + fusion)


COPIES = """ENTRY %main (x: f32[8,16], at: s32[]) -> f32[4,16] {
  %x = f32[8,16]{1,0} parameter(0)
  %at = s32[] parameter(1)
  %zero = s32[] constant(0)
  %c = (f32[8,16]{1,0:T(8,128)S(1)}, f32[8,16]{1,0}, u32[]{:S(2)}) copy-start(%x)
  %near = f32[8,16]{1,0:T(8,128)S(1)} copy-done(%c)
  %s = ((f32[8,16]{1,0}), f32[2,16]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%x), slice={[0:2]}
  %two = f32[2,16]{1,0:T(8,128)S(1)} slice-done(%s)
  %part = f32[4,16]{1,0} dynamic-slice(%x, %at, %zero), dynamic_slice_sizes={4,16}
  %g = (f32[2,16]{1,0}, f32[4,16]{1,0}) all-gather-start(%two), replica_groups={{0,1}}
  %all = f32[4,16]{1,0} all-gather-done(%g)
  ROOT %new = f32[4,16]{1,0} dynamic-update-slice(%all, %two, %zero, %zero)
}
"""


def test_copies_slices_and_collectives():
    row = 4 * 16
    copied, sliced, part, gathered, updated = 8, 2, 4 + 4, 4, 2
    assert hbm_bytes(parse(COPIES)) == row * (copied + sliced + part + gathered + updated)


def test_a_program_of_the_tpu_compiler():
    """At least the parameters read and written once, in float32, and the batch read.

    At most twice that: this program is small enough for most of it to stay on the chip.
    """
    least = 2 * 3 * 2 * 1024 * 4096 // 4 * 4 + 256 * 1024 * 2
    assert least <= hbm_bytes(parse(MLP)) <= 2 * least


@pytest.mark.parametrize("target", ["AllocateBuffer", "ConcatBitcast", "Other"])
def test_custom_calls(target):
    line = f'ROOT %z = f32[8]{{0}} custom-call(%x), custom_call_target="{target}"'
    text = f"ENTRY %m (x: f32[8]) -> f32[8] {{\n  %x = f32[8]{{0}} parameter(0)\n  {line}\n}}\n"
    assert hbm_bytes(parse(text)) == (64 if target == "Other" else 0)
