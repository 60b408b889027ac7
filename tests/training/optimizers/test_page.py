"""The settings that docs/optimizers.md shows can be taken as they are."""

import re
from pathlib import Path

import jax
import pytest

from t2t import config
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.loop import train

PAGE = Path(__file__).parents[3] / "docs" / "optimizers.md"
BLOCKS = re.findall(r"```gin\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
TINY = t5(
    vocab_size=32,
    d_model=8,
    d_ff=8,
    num_heads=2,
    head_dim=4,
    num_encoder_layers=1,
    num_decoder_layers=1,
)

RUN = [
    *("train.model_dir = 'runs/x'", "train.mixture = 'x'", "train.sequence_length = {'inputs': 8}"),
    *("train.batch_size = 8", "train.total_steps = 8", "train.model = %MODEL"),
]


@pytest.mark.parametrize("block", range(4))
def test_an_optimizer_of_the_page_can_be_used(block, tmp_path):
    assert len(BLOCKS) == 4
    (tmp_path / "block.gin").write_text(BLOCKS[block])
    config.load(["models/t5_1_1_small.gin", str(tmp_path / "block.gin")], RUN)
    optimizer = config.arguments_of(train)["optimizer"]
    abstract = Model(TINY).abstract_params
    state = jax.eval_shape(optimizer.transformation.init, abstract)
    jax.eval_shape(optimizer.transformation.update, abstract, state, abstract)
    assert 0 < float(optimizer.learning_rate(0)) <= 1e-2
