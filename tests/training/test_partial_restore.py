import shutil

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.partial_restore import restore_part, stored_params
from tests.training.test_initialization import A, abstract, save


def test_shapes_are_known_and_a_part_is_read(tmp_path):
    save(tmp_path, A, step=7)
    folder = tmp_path / "checkpoints" / "7" / "params"
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), stored_params(folder))
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype), A)
    part = restore_part(folder, {"lm_head": abstract(A)["lm_head"]})
    assert part.keys() == {"lm_head"}
    np.testing.assert_array_equal(part["lm_head"]["kernel"], A["lm_head"]["kernel"])


def test_what_is_not_there_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"Parameters in .*nowhere cannot be read"):
        stored_params(tmp_path / "nowhere")
    save(tmp_path, A)
    folder = tmp_path / "checkpoints" / "3" / "params"
    shutil.rmtree(folder / "d")
    # One array: Orbax closes its event loop at the first failure, while others are being read.
    with pytest.raises(UserError, match=r"Parameters in .*params cannot be read"):
        restore_part(folder, {"lm_head": abstract(A)["lm_head"]})
