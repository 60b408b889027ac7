"""Writes checkpoints as T5X does, from dicts of arrays by T5X's names."""

import json

import numpy as np
import tensorstore
from flax import serialization

from t2t.interop.t5x.layout import lay_out
from t2t.models.parameter_paths import unflatten

EMBED, HEADS, UNITS, MLP, VOCAB, BUCKETS = 8, 2, 3, 10, 12, 32
LAYERS = {"encoder": 3, "decoder": 2}


def random_target(*, gated=True, tied=False):
    """Parameters of a tiny T5, as T5X's unrolled model has them."""
    shapes = {"token_embedder/embedding": (VOCAB, EMBED)}
    for stack, count in LAYERS.items():
        shapes[f"{stack}/relpos_bias/rel_embedding"] = (HEADS, BUCKETS)
        shapes[f"{stack}/{stack}_norm/scale"] = (EMBED,)
        attentions = ["attention"]
        if stack == "decoder":
            attentions = ["self_attention", "encoder_decoder_attention"]
        norms = ["pre_attention", "pre_mlp"]
        if stack == "decoder":
            norms = ["pre_self_attention", "pre_cross_attention", "pre_mlp"]
        for i in range(count):
            layer = f"{stack}/layers_{i}"
            for attention in attentions:
                for name in ("query", "key", "value"):
                    shapes[f"{layer}/{attention}/{name}/kernel"] = (EMBED, HEADS * UNITS)
                shapes[f"{layer}/{attention}/out/kernel"] = (HEADS * UNITS, EMBED)
            for norm in norms:
                shapes[f"{layer}/{norm}_layer_norm/scale"] = (EMBED,)
            for name in ("wi_0", "wi_1") if gated else ("wi",):
                shapes[f"{layer}/mlp/{name}/kernel"] = (EMBED, MLP)
            shapes[f"{layer}/mlp/wo/kernel"] = (MLP, EMBED)
    if not tied:
        shapes["decoder/logits_dense/kernel"] = (EMBED, VOCAB)
    random = np.random.default_rng(0)
    return {n: random.normal(size=s).astype(np.float32) for n, s in sorted(shapes.items())}


def heads_apart(target):
    """The same, with the two dimensions of heads and units that newer kernels have."""
    apart = {}
    for name, array in target.items():
        if "attention/out/" in name:
            array = array.reshape(HEADS, UNITS, EMBED)
        elif "attention/" in name and name.endswith("/kernel"):
            array = array.reshape(EMBED, HEADS, UNITS)
        apart[name] = array
    return apart


def scanned(target, axis=1):
    """The same, with layers stacked on `axis`."""
    stacks = {}
    result = {}
    for name, array in target.items():
        stack, layer, *rest = name.split("/")
        if layer.startswith("layers_"):
            stacks.setdefault("/".join((stack, stack, *rest)), []).append(array)
        else:
            result[name] = array
    return result | {name: np.stack(arrays, axis) for name, arrays in stacks.items()}


def write_zarr(folder, array, *, chunks=None):
    """An array as T5X writes it: zarr 2, gzip."""
    spec = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "metadata": {
            "shape": list(array.shape),
            "chunks": list(chunks or array.shape),
            "compressor": {"id": "gzip", "level": 1},
        },
        "dtype": array.dtype.name,
    }
    store = tensorstore.open(spec, create=True).result()
    store.write(array).result()
    return {**spec, "kvstore": {"driver": "file", "path": f"{folder.name}/"}}


def write_legacy(folder, target, *, state=None, inline=(), chunks=None, spec=lambda spec: spec):
    """T5X's own format.

    Args:
      folder: of the checkpoint.
      target: parameters.
      state: what is below "state", by name.
      inline: names of parameters that are kept in the msgpack file.
      chunks: function of an array, the shape of its chunks.
      spec: changes what stands for an array in the msgpack file.
    """
    folder.mkdir(parents=True)
    leaves = {f"state/{name}": value for name, value in (state or {"step": np.int32(7)}).items()}
    for name, array in target.items():
        full = f"target/{name}"
        if name in inline:
            leaves[full] = array
            continue
        written = write_zarr(
            folder / full.replace("/", "."), array, chunks=chunks and chunks(array)
        )
        written["metadata"] = {
            k: list(v) if k != "compressor" else v for k, v in written["metadata"].items()
        }
        leaves[full] = spec(written)
    content = {"version": 3, "optimizer": unflatten(leaves)}
    (folder / "checkpoint").write_bytes(serialization.msgpack_serialize(content))
    return folder


def write_orbax(folder, arrays, *, driver="zarr", metadata=True, ocdbt=True):
    """Orbax's format; `arrays` by "target/…" and "state/…"."""
    item = folder / "state"
    item.mkdir(parents=True)
    base = {"driver": "file", "path": f"{item}/"}
    for name, array in arrays.items():
        inside = name.replace("/", ".") + "/"
        kvstore = {**base, "path": base["path"] + inside}
        if ocdbt:
            kvstore = {"driver": "ocdbt", "base": base, "path": inside}
        spec = {"driver": driver, "kvstore": kvstore, "dtype": array.dtype.name}
        spec["schema"] = {"domain": {"shape": array.shape}}
        tensorstore.open(spec, create=True).result().write(array).result()
    tree = {
        str(tuple(name.split("/"))): {
            "key_metadata": [{"key": key, "key_type": 2} for key in name.split("/")],
            "value_metadata": {"value_type": "jax.Array"},
        }
        for name in arrays
    }
    if metadata:
        content = {"tree_metadata": tree, "use_zarr3": driver == "zarr3"}
        (item / "_METADATA").write_text(json.dumps(content))
    return folder


def layout_of(target):
    return lay_out({name: array.shape for name, array in target.items()}, "here")
