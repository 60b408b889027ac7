"""Transformers: a configuration in, parameters and logits out. No data and no training here.

Flax NNX is the definition layer only: modules declare parameters, their logical axes and the
forward pass. Everything that runs is functional, see `definition.py`.
"""

from flax import nnx

# Shardings come from the metadata, by our own rules; without this, declaring an annotated
# parameter outside a mesh raises.
nnx.use_eager_sharding(False)
