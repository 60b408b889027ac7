"""Folders that `transformers` reads and writes: config.json, tensors, tokenizer."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError
from t2t.interop import families, tokenizer_files
from t2t.interop.family import HFConfig
from t2t.interop.folders import open_folder
from t2t.interop.generation_settings import read_generation, with_tokens
from t2t.interop.reading import read_params
from t2t.interop.shards import parse_size, write_shards
from t2t.interop.tokenizer_frames import write_frame
from t2t.interop.tokenizer_writing import write_tokenizer
from t2t.interop.writing import their_tensors
from t2t.models.definition import Model, ModelConfig, Params
from t2t.models.encoder_only import EncoderOnly

_DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


class Imported(NamedTuple):
    """What `load_hf` found.

    Attributes:
      config: the architecture.
      params: nested dict of float32 numpy arrays, that of `Model(config)`.
      tokenizer_files: those there are, to be copied along.
    """

    config: ModelConfig
    params: Params
    tokenizer_files: tuple[Path, ...]


def load_hf(directory: str | os.PathLike) -> Imported:
    """Reads a folder that `save_pretrained` wrote, or that was downloaded.

    Raises:
      UserError: if the folder or its config.json is missing or describes no model that t2t has;
        tensors are missing, left over or misshapen; or the tokenizer has more tokens than the
        embedding has rows.
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"'{folder}' is no folder. Give one with config.json and model.safetensors; nothing is "
            f"downloaded here, so fetch it first."
        )
    settings = read_config(folder)
    where = f"'{folder / 'config.json'}'"
    family = families.family_of(settings, where)
    source = open_folder(folder)
    try:
        described = family.from_hf(HFConfig(settings, where))
    except UserError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where} has a setting of the wrong type: {error}.") from error
    if not isinstance(described, EncoderOnly) and not getattr(described, "heads", ()):
        _refuse_classifiers(settings, where)
    config = with_tokens(family.with_tensors(described, source), read_generation(folder, settings))
    tokenizer_files.check_size(folder, config.vocab_size)
    params = read_params(family.table(config), source, Model(config).abstract_params)
    return Imported(config, params, tokenizer_files.find(folder))


def generation_of(directory: str | os.PathLike) -> dict[str, Any]:
    """Which settings of a folder generation keeps to; raises UserError if they cannot be read."""
    folder = Path(directory).expanduser()
    return read_generation(folder, read_config(folder))


def save_hf(
    config: ModelConfig,
    params: Mapping[str, Any],
    directory: str | os.PathLike,
    tokenizer_source: str | os.PathLike | Vocabulary | None = None,
    max_shard_size: str | int = "5GB",
    dtype: str = "float32",
) -> None:
    """Writes a folder that `transformers` loads with `from_pretrained`: whole, or not at all.

    Args:
      config: the architecture.
      params: its parameters, nested dict of arrays, numpy's or JAX's.
      directory: to make; it must not exist, or be empty.
      tokenizer_source: folder to copy the tokenizer's files from, or a Vocabulary of t2t to write
        as such files; None for no tokenizer.
      max_shard_size: of a file of tensors, such as "5GB"; memory holds the parameters and one
        such file.
      dtype: of the tensors: "float32", "float16" or "bfloat16".

    Raises:
      UserError: if no family of Hugging Face has all that `config` says, the directory holds
        something, or the tokenizer has more tokens than the embedding has rows.
    """
    if dtype not in _DTYPES:
        raise UserError(f"dtype is {dtype!r}; it must be one of {', '.join(_DTYPES)}.")
    parse_size(max_shard_size)
    config, convert = families.equivalent(config)
    params = convert(dict(params))
    family, settings = families.express(config)
    settings = {**settings, "dtype": dtype}
    with new_folder(Path(directory).expanduser()) as folder:
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")
        tensors = their_tensors(family.table(config), params)
        write_shards(folder, tensors, max_shard_size, np.dtype(_DTYPES[dtype]))
        if isinstance(tokenizer_source, str | os.PathLike):
            tokenizer_files.copy(Path(tokenizer_source).expanduser(), folder)
        elif tokenizer_source is not None:
            write_tokenizer(tokenizer_source, folder)
            write_frame(folder, tokenizer_source, config)
        tokenizer_files.check_size(folder, config.vocab_size)


def _refuse_classifiers(settings: Mapping[str, Any], where: str) -> None:
    for name in settings.get("architectures") or ():
        if name.endswith(("Classification", "QuestionAnswering", "MultipleChoice")):
            raise UserError(
                f"{where} names the architecture {name}; heads other than that of a language model "
                f"are supported on encoders and on BART alone."
            )


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder; raises UserError if there is none."""
    path = folder / "config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"'{folder}' has no config.json, so its model is unknown.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' cannot be read: {error}.") from error
    if not isinstance(settings, dict):
        raise UserError(f"'{path}' is no JSON object.")
    return settings


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` at the end, or vanishes on an error.

    Raises:
      UserError: if `target` exists and is not an empty folder, or cannot be made.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"'{target}' exists already. Choose another folder, or remove it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-partial-", dir=target.parent))
    except OSError as error:
        raise UserError(f"Cannot make the folder '{target}': {error.strerror}.") from error
    try:
        yield partial
        partial.chmod(0o755)
        os.replace(partial, target)
    except OSError as error:
        raise UserError(f"Cannot write '{target}': {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
