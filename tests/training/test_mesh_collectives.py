"""What devices exchange in a training step: weights along `fsdp`, activations along `tensor`."""

import re

import jax
import numpy as np

from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.optimizers import sgd
from t2t.training.partitioning import MeshShape, batch_sharding
from t2t.training.schedules import constant_schedule
from t2t.training.start import abstract_sharded_state
from t2t.training.step import make_train_step

ROWS, INPUTS, TARGETS = 16, 20, 12
VOCAB, WIDTH, HIDDEN, HEADS, INNER = 96, 32, 80, 8, 64
MODEL = Model(
    t5(
        vocab_size=VOCAB,
        d_model=WIDTH,
        d_ff=HIDDEN,
        num_heads=HEADS,
        head_dim=INNER // HEADS,
        num_encoder_layers=2,
        num_decoder_layers=2,
    )
)
COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("
)


def collectives(shape):
    """(kind, shape without dimensions of 1) of every result, of which tuples have several."""
    optimizer, mesh = sgd(constant_schedule(0.1)), MeshShape(*shape).mesh()
    lengths = {"encoder": INPUTS, "decoder": TARGETS}
    names = ["encoder_input_tokens", "encoder_segment_ids", "encoder_positions"]
    names += ["decoder_input_tokens", "decoder_segment_ids", "decoder_positions"]
    names += ["decoder_target_tokens", "decoder_loss_weights"]
    rows = batch_sharding(mesh)
    batch = {
        name: jax.ShapeDtypeStruct((ROWS, lengths[name[:7]]), np.int32, sharding=rows)
        for name in names
    }
    step = make_train_step(MODEL, optimizer, mesh)
    text = step.lower(abstract_sharded_state(MODEL, optimizer, mesh), batch).compile().as_text()
    found = set()
    for results, kind in COLLECTIVE.findall(text):
        for dimensions in re.findall(r"\w+\[([\d,]*)\]", re.sub(r"/\*.*?\*/", "", results)):
            sizes = (int(size) for size in dimensions.split(",") if size)
            found.add((kind, tuple(sorted(size for size in sizes if size > 1))))
    return found


def of_kind(found, kind):
    """Shapes of at least two dimensions."""
    return {shape for k, shape in found if k == kind and len(shape) > 1}


def weights(tensor):
    """Shapes of kernels and tables on a device, whole along `fsdp`."""
    return {tuple(sorted((WIDTH, size // tensor))) for size in (INNER, HIDDEN, VOCAB)}


# Gradients of the biases of attention, in which all rows share.
BIASES = {tuple(sorted((HEADS, length, length))) for length in (INPUTS, TARGETS)}


def test_fsdp_gathers_weights_and_sums_gradients_and_moves_no_activations():
    found = collectives((1, 8, 1))
    assert of_kind(found, "all-gather") == weights(1)
    summed = of_kind(found, "all-reduce") | of_kind(found, "reduce-scatter")
    assert weights(1) <= summed <= weights(1) | BIASES
    assert not of_kind(found, "all-to-all") | of_kind(found, "collective-permute")


def test_tensor_parallelism_sums_activations_of_a_devices_own_rows(capfd):
    found = collectives((1, 2, 4))
    assert weights(4) <= of_kind(found, "all-gather")
    own = {tuple(sorted((ROWS // 2 * length, WIDTH))) for length in (INPUTS, TARGETS)}
    assert own <= of_kind(found, "all-reduce")
    of_all_rows = {ROWS * INPUTS, ROWS * TARGETS}
    assert not [shape for _, shape in found if of_all_rows & set(shape)]
    assert "Involuntary full rematerialization" not in capfd.readouterr().err
