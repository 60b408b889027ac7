import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.optimizers import adamw, muon
from t2t.training.schedules import constant_schedule
from tests.training.optimizers import references
from tests.training.optimizers.runs import LAYERS, assert_close, draw, moved, run

RATE = constant_schedule(1e-2)


def model_like(seed=0):
    return {
        "token_embedder": {"embedding": draw((8, 6), seed)},
        "encoder": {
            "layers": {
                "norm": {"scale": draw((LAYERS, 6), seed + 1)},
                "wide": {"kernel": draw((LAYERS, 6, 10), seed + 2)},
                "tall": {"kernel": draw((LAYERS, 10, 6), seed + 3)},
            },
        },
    }


def gradients(step):
    return model_like(100 * (step + 1))


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("steps", [1, 10])
def test_matrices_of_layers_move_as_in_the_paper(steps, nesterov):
    after = run(
        muon(RATE, nesterov=nesterov, weight_decay=0.1).transformation,
        model_like(),
        gradients,
        steps,
    )
    for name in ("wide", "tall"):
        before = model_like()["encoder"]["layers"][name]["kernel"].astype(float)
        drawn = [gradients(step)["encoder"]["layers"][name]["kernel"] for step in range(steps)]
        expected = []
        for layer in range(LAYERS):
            flip = name == "tall"  # the direction of a transpose is the direction transposed
            turn = (lambda x: x.T) if flip else (lambda x: x)
            grads = [turn(g[layer].astype(float)) for g in drawn]
            new = references.muon(turn(before[layer]), grads, RATE, decay=0.1, nesterov=nesterov)
            expected.append(turn(new))
        actual = after["encoder"]["layers"][name]["kernel"]
        np.testing.assert_allclose(actual, np.stack(expected), rtol=0, atol=2e-5)


def test_the_rest_is_adams():
    after = run(muon(RATE, b2=0.95).transformation, model_like(), gradients)
    expected = run(adamw(RATE, b2=0.95).transformation, model_like(), gradients)
    assert_close(after["token_embedder"], expected["token_embedder"])
    assert_close(after["encoder"]["layers"]["norm"], expected["encoder"]["layers"]["norm"])


def test_updates_are_nearly_orthogonal_and_as_large_as_adams():
    update = moved(model_like(), run(muon(RATE).transformation, model_like(), gradients, 1))
    for layer in update["encoder"]["layers"]["wide"]["kernel"] / 1e-2:
        singular = np.linalg.svd(layer, compute_uv=False) / (0.2 * np.sqrt(10))
        assert singular.min() > 0.5
        assert singular.max() < 1.5


def test_other_matrices_can_be_named():
    state = jax.eval_shape(
        muon(RATE, matrices=("token_embedder/embedding",)).transformation.init, model_like()
    )
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    muons = [path for path in paths if ".mu[" in path and "'muon'" in path]
    assert len(muons) == 1
    assert "token_embedder" in muons[0]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (".*/kernels", "muon.matrices: '.*/kernels' matches no parameter. Did you mean 'kernel'"),
        (".*/scale", "'encoder/layers/norm/scale', which is no matrix"),
    ],
)
def test_what_cannot_be_orthogonal_is_refused(pattern, message):
    with pytest.raises(UserError) as error:
        muon(RATE, matrices=(pattern,)).transformation.init(model_like())
    assert message in str(error.value)
