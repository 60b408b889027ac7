"""Operations of compiled programs against arithmetic."""

import jax
import jax.numpy as jnp
import pytest

from t2t.models.config import Compute
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.planning.hlo import parse
from t2t.planning.products import matmul_flops
from t2t.training.flops import train_flops
from t2t.training.optimizers import sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.state import abstract_state
from t2t.training.step import make_train_step
from tests.planning.test_hlo import MLP

ROWS, INPUTS, TARGETS, WIDTH, HEADS, HEAD_DIM, LAYERS = 4, 24, 10, 16, 2, 8, 3


def test_products_with_batches():
    def f(x, y):
        return jnp.einsum("abij,abjk->abik", x, y)

    shapes = [(3, 2, 5, 7), (3, 2, 7, 4)]
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    program = parse(jax.jit(f).lower(*arguments).compile().as_text())
    assert matmul_flops(program) == 2 * 3 * 2 * 5 * 7 * 4


CONVOLUTION = """ENTRY %main (x: bf16[{x}], y: bf16[{y}]) -> bf16[{z}] {{
  %x = bf16[{x}]{{1,0:T(8,128)(2,1)}} parameter(0)
  %y = bf16[{y}]{{1,0:T(8,128)(2,1)}} parameter(1)
  ROOT %z = bf16[{z}]{{1,0:T(8,128)(2,1)S(1)}} convolution(%x, %y), {how}
}}
"""


@pytest.mark.parametrize(
    ("x", "y", "z", "how", "products"),
    [
        ("64,32", "32,16", "64,16", "dim_labels=bf_io->bf", 64 * 32 * 16),
        ("32,64", "16,32", "64,16", "dim_labels=fb_oi->bf", 64 * 32 * 16),
        # Attention: 8 x 6 products of [20, 64] and [64, 12], as TPUs write them.
        (
            "8,20,6,64",
            "8,12,6,64",
            "8,6,20,12",
            "window={size=8x6 stride=7x5 lhs_dilate=8x6}, dim_labels=0b1f_0o1i->01bf",
            8 * 6 * 20 * 64 * 12,
        ),
        (
            "8,20,6,64",
            "8,12,6,64",
            "8,6,20,12",
            "window={size=8x6 stride=8x6 pad=7_7x5_5 lhs_dilate=7x5 rhs_reversal=1x1}, "
            "dim_labels=0b1f_0o1i->01bf",
            8 * 6 * 20 * 64 * 12,
        ),
        # A convolution over 10 places with 3 weights and zeros at both ends.
        (
            "4,10,5",
            "3,5,7",
            "4,10,7",
            "window={size=3 pad=1_1}, dim_labels=b0f_0io->b0f",
            4 * 28 * 35,
        ),
    ],
)
def test_products_written_as_convolutions(x, y, z, how, products):
    program = parse(CONVOLUTION.format(x=x, y=y, z=z, how=how))
    assert matmul_flops(program) == 2 * products


def test_a_program_of_the_tpu_compiler():
    forward = 2 * 2 * 1024 * 1024 * 4096
    assert matmul_flops(parse(MLP)) == 3 * 3 * forward // 4


def test_a_training_step():
    """Three forward passes, and attention's products a fourth time; shared out over devices."""
    config = t5(
        vocab_size=32,
        d_model=WIDTH,
        d_ff=24,
        num_heads=HEADS,
        head_dim=HEAD_DIM,
        num_encoder_layers=LAYERS,
        num_decoder_layers=LAYERS,
        compute=Compute(remat="minimal"),
    )
    model, optimizer = Model(config), sgd(constant_schedule(0.1))
    step = make_train_step(model, optimizer, MeshShape().mesh(jax.devices()[:2]))
    names = {"encoder_input_tokens": INPUTS, "decoder_loss_weights": TARGETS}
    names |= {f"decoder_{name}": TARGETS for name in ("input_tokens", "target_tokens")}
    batch = {name: jax.ShapeDtypeStruct((ROWS, n), jnp.int32) for name, n in names.items()}
    text = step.lower(abstract_state(model, optimizer), batch).compile().as_text()
    again = 2 * 2 * HEADS * HEAD_DIM * LAYERS * (INPUTS**2 + TARGETS**2 + TARGETS * INPUTS)
    expected = train_flops(config, INPUTS, TARGETS, ROWS) + ROWS * again
    assert matmul_flops(parse(text)) == expected // 2
