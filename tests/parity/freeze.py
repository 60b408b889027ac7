"""Writes what PyTorch's T5 computes to tests/frozen/*.npz, for tests that run without PyTorch.

By hand, from the root of the repository, with the `parity` extra installed:

    python -m tests.parity.freeze

Each file holds, for a tiny T5 with random weights, its parameters in our layout ("params/" and
their path), a padded batch longer than the largest relative distance ("batch/"), the float32
logits, and a few gradients of the cross-entropy summed over target tokens ("gradients/").
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from tests.parity import hf_t5

FROZEN = Path(__file__).parents[1] / "frozen"
LENGTHS = (140, 135)
GRADIENTS = (
    "token_embedder/embedding",
    "encoder/relpos_bias/rel_embedding",
    "decoder/relpos_bias/rel_embedding",
    "decoder/layers/encoder_decoder_attention/query/kernel",
    "encoder/layers/pre_mlp_layer_norm/scale",
)


def flatten(tree: dict, prefix: str) -> dict[str, np.ndarray]:
    """Nested dict -> {"prefix/name/name": array}."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    flat = [flatten(value, f"{prefix}/{name}") for name, value in tree.items()]
    return {name: array for part in flat for name, array in part.items()}


def main() -> None:
    for name, config in {"t5_1_0": hf_t5.V1_0, "t5_1_1": hf_t5.V1_1}.items():
        model = hf_t5.random_model(config, seed=0)
        batch = hf_t5.random_batch(config, 1, LENGTHS)
        logits, gradients = hf_t5.logits_and_gradients(model, config, batch)
        gradients = flatten(gradients, "gradients")
        path = FROZEN / f"{name}.npz"
        np.savez_compressed(
            path,
            config=json.dumps(dataclasses.asdict(config)),
            logits=logits,
            **flatten(hf_t5.params_of(model, config), "params"),
            **flatten(batch, "batch"),
            **{f"gradients/{name}": gradients[f"gradients/{name}"] for name in GRADIENTS},
        )
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
