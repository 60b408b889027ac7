"""Small data sets with the exact features of TFDS's own, prepared by TFDS without TensorFlow.

A test sets $TFDS_DATA_DIR to the folder, and the registered tasks read them as they are.
"""

import contextlib
import importlib
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from t2t.data.registry import TaskRegistry
from t2t.data.sources.tfds_folders import builder_module

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")

# All that features of data sets take of TensorFlow, where their module imports it lazily.
_TENSORFLOW = types.SimpleNamespace(
    bool=np.bool_, int32=np.int32, int64=np.int64, float32=np.float32, string=np.object_
)


def prepare(data_dir, dataset, splits):
    """Writes a data set as ArrayRecord below `data_dir`; TFDS refuses examples that do not fit.

    Args:
      data_dir: as $TFDS_DATA_DIR.
      dataset: `name[/config]:version`, one that TFDS has.
      splits: split -> examples, as the data set's own generator yields them. Lists of dicts where
        the features have a Sequence of a dict.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tfds.disable_progress_bar()
        builder = tfds_builder(data_dir, dataset)
        examples = {split: list(enumerate(given)) for split, given in splits.items()}
        builder._split_generators = lambda _: examples
        config = tfds.download.DownloadConfig(try_download_gcs=False)
        builder.download_and_prepare(download_config=config)


def tfds_builder(data_dir, dataset):
    """What `download_and_prepare` is called of by the command that t2t gives."""
    if module := builder_module(dataset):
        imported = importlib.import_module(module)
        if hasattr(imported, "tf"):
            imported.tf = _TENSORFLOW
    return tfds.builder(dataset, data_dir=str(data_dir), file_format="array_record")


MODEL = Path(__file__).parents[1] / "golden" / "sentencepiece_32k.model"


@contextlib.contextmanager
def reopened(monkeypatch, data_dir):
    """While it is open, registered tasks read `data_dir` in the pieces of `MODEL`, not T5's.

    What they have open or loaded, here or before, is let go.
    """
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("T2T_T5_VOCABULARY", str(MODEL))
    monkeypatch.setenv("T2T_MT5_VOCABULARY", str(MODEL))
    _let_go()
    yield
    _let_go()


def _let_go():
    for name in TaskRegistry.names():
        task = TaskRegistry.get(name)
        vocabularies = [feature.vocabulary for feature in task.output_features.values()]
        for opened in (task.source, *vocabularies):
            if hasattr(opened, "__getstate__"):
                kept = dict(opened.__getstate__() or {})
                opened.__dict__.clear()
                opened.__dict__.update(kept)
