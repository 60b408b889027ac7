import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from t2t.models.activation_sharding import flattened, gathered, on_mesh, split
from t2t.models.axis_rules import MESH_AXES, AxisRules

RULES = AxisRules()


def mesh_of(*sizes):
    devices = np.array(jax.devices()[: int(np.prod(sizes))]).reshape(sizes)
    return Mesh(devices, MESH_AXES, axis_types=(AxisType.Auto,) * 4)


MESH = mesh_of(2, 2, 1, 2)


def spec_of(function, x, mesh=MESH, rules=RULES):
    """How the result of the function is split when it is traced on a mesh."""
    sharding = jax.jit(on_mesh(function, mesh, rules))(x).sharding
    return sharding.spec


def test_outside_of_a_mesh_everything_is_as_it_was():
    x = jnp.ones((4, 6, 8))
    assert split(x, "batch", "length", "residual") is x
    assert gathered(x[0], ("embed", "mlp")).shape == (6, 8)
    assert flattened(x).shape == (24, 8)


def test_activations_are_split_by_the_rules():
    x = jnp.ones((8, 6, 4))
    assert spec_of(lambda x: split(x, "batch", "length", "mlp"), x) == PartitionSpec(
        ("data", "fsdp"), None, "tensor"
    )
    rules = AxisRules(mlp=())
    assert spec_of(lambda x: split(x, "batch", "length", "mlp"), x, rules=rules)[2:] in (
        (),
        (None,),
    )


def test_parameters_are_gathered_along_fsdp_alone():
    kernel = jax.device_put(jnp.ones((8, 4)), NamedSharding(MESH, PartitionSpec("fsdp", "tensor")))
    assert spec_of(lambda w: gathered(w, ("embed", "mlp")), kernel) == PartitionSpec(None, "tensor")
    both = AxisRules(mlp=("fsdp+tensor",), embed=())
    found = spec_of(lambda w: gathered(w, ("embed", "mlp")), kernel, rules=both)
    assert found == PartitionSpec(None, "tensor")


def test_positions_that_are_split_are_not_made_rows_of():
    x = jnp.ones((4, 6, 8))
    assert jax.eval_shape(on_mesh(flattened, MESH, RULES), x).shape == (24, 8)
    assert jax.eval_shape(on_mesh(flattened, mesh_of(2, 1, 2, 2), RULES), x).shape == x.shape


def test_one_device_is_no_mesh():
    def function(x):
        return split(x, "batch")

    assert on_mesh(function, mesh_of(1, 1, 1, 1), RULES) is function


def test_after_an_error_the_mesh_is_forgotten():
    def fails(x):
        raise ValueError("while tracing")

    with pytest.raises(ValueError, match="while tracing"):
        jax.jit(on_mesh(fails, MESH, RULES))(1.0)
    x = jnp.ones(8)
    assert split(x, "batch") is x


def test_names_and_arguments_are_those_of_the_function():
    def function(x, *, times):
        """Documented."""
        return x * times

    traced = on_mesh(function, MESH, RULES)
    assert (traced.__name__, traced.__doc__) == ("function", "Documented.")
    assert float(traced(2.0, times=3)) == 6
