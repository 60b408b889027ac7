"""Checkpoints that T5X wrote: `load_t5x` reads both of its formats into our parameters.

`folders` finds the checkpoint, `legacy` and `orbax` read a format each, `names` is the table of
T5X's names and ours, `layout` fits a checkpoint's shapes to it, `adafactor` converts the
optimiser's state.
"""

from t2t.interop.t5x.load import T5XCheckpoint, load_t5x

__all__ = ["T5XCheckpoint", "load_t5x"]
