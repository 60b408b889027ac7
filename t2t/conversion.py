"""Runs' folders made of other systems' checkpoints, and the other way round."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from t2t.interop.adaptation import adapt
from t2t.interop.generation_settings import rules_gin
from t2t.interop.hugging_face import generation_of, load_hf, new_folder, save_hf
from t2t.interop.t5x import load_t5x
from t2t.models.config import Compute, Dropout
from t2t.models.definition import ModelConfig, Params
from t2t.models.electra import Electra
from t2t.models.serialization import to_gin
from t2t.trained import load_trained
from t2t.trained_model import TrainedModel
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.optimizers import adafactor
from t2t.training.run_directory import RunDirectory
from t2t.training.schedules import constant_schedule
from t2t.training.state import TrainState


def import_hf(directory: str, model_dir: str) -> ModelConfig:
    """Makes `model_dir` of a folder of Hugging Face, its tokenizer included.

    Raises:
      UserError: as `load_hf`; if `model_dir` exists.
    """
    imported = load_hf(directory)
    _write_run(
        model_dir,
        directory,
        imported.config,
        imported.params,
        tokenizer=imported.tokenizer_files,
        generation=generation_of(directory),
    )
    return imported.config


def import_t5x(
    directory: str,
    model_dir: str,
    step: int | None = None,
    activations: tuple[str, ...] | None = None,
    with_optimizer: bool = False,
) -> ModelConfig:
    """Makes `model_dir` of a checkpoint of T5X.

    Args:
      directory: see `load_t5x`.
      model_dir: to make.
      step: of several checkpoints; None for the newest.
      activations: of feed-forward layers; None for what T5 has.
      with_optimizer: take Adafactor's state along. Training in `model_dir` goes on from it.

    Raises:
      UserError: as `load_t5x`; if `model_dir` exists.
    """
    # Its state has the same form whatever the settings.
    optimizer = adafactor(constant_schedule(1e-3)) if with_optimizer else None
    found = load_t5x(directory, step, activations=activations, optimizer=optimizer)
    _write_run(
        model_dir, directory, found.config, found.params, found.step, opt_state=found.opt_state
    )
    return found.config


def export_hf(
    trained: TrainedModel,
    directory: str,
    tokenizer: str | None = None,
    dtype: str = "float32",
    max_shard_size: str = "5GB",
) -> None:
    """Writes a trained model as a folder for `transformers`; see `save_hf`."""
    save_hf(
        trained.model.config,
        trained.merged_params,
        directory,
        tokenizer or trained.tokenizer,
        max_shard_size,
        dtype,
    )


def adapt_runs(
    encoder_dir: str, decoder_dir: str, model_dir: str, imports: tuple[str, ...] = ()
) -> ModelConfig:
    """Makes an encoder-decoder of decoder-only models; see `adapt`.

    Settings are those that the models were trained with, whatever runs here; how it generates, and
    its tokenizer, are the decoder's.

    Raises:
      UserError: if the models do not go together, or `model_dir` exists.
    """
    encoder = load_trained(encoder_dir, imports=imports)
    same = Path(encoder_dir).resolve() == Path(decoder_dir).resolve()
    decoder = encoder if same else load_trained(decoder_dir, imports=imports)
    config, params = adapt(
        encoder.arguments["model"],
        encoder.merged_params,
        decoder.arguments["model"],
        decoder.merged_params,
    )
    source = decoder.tokenizer
    _write_run(
        model_dir,
        f"{encoder_dir}, {decoder_dir}",
        config,
        params,
        tokenizer=sorted(source.iterdir()) if isinstance(source, Path) else (),
        generation=decoder.generation,
    )
    return config


def _write_run(
    model_dir: str,
    origin: str,
    config: ModelConfig,
    params: Params,
    step: int = 0,
    *,
    opt_state: Any = None,
    tokenizer: Iterable[Path] = (),
    generation: Mapping[str, Any] | None = None,
) -> None:
    """Writes the folder whole, or not at all."""
    with new_folder(Path(model_dir).expanduser()) as folder:
        run = RunDirectory(folder)
        run.create()
        state = opt_state is not None
        facts = {"from": origin, "optimizer": state, "generation": dict(generation or {})}
        run.write_identity(config, {}, imported=facts)
        run.write(run.model_gin, f"# From {origin}.\n{_model_gin(config)}")
        if rules := rules_gin(generation or {}, config):
            run.write(run.generation_gin, f"# From {origin}.\n{rules}")
        for file in tokenizer:
            run.tokenizer.mkdir(exist_ok=True)
            (run.tokenizer / file.name).write_bytes(file.read_bytes())
        with Checkpoints(run.checkpoints, CheckpointPolicy()) as checkpoints:
            step_array = jnp.array(step, jnp.int32)
            checkpoints.save(TrainState(step_array, params, opt_state if state else {}), {})


def _model_gin(config: ModelConfig) -> str:
    """Gin text like that of gin/models, so that it goes together with gin/runs.

    `Compute` has no scope, and DROPOUT_RATE is the rate of all places that have one.
    """
    assert not isinstance(config, Electra)  # two models, which are imported one by one
    name, dropout = type(config).__name__, config.dropout
    rates = {k: v for k, v in vars(dropout).items() if k != "shared_over_length"}
    common = dropout.residual
    lines = [f"DROPOUT_RATE = {common}"]
    for place, rate in rates.items():
        if rate == common and place != "head":
            lines.append(f"Dropout.{place} = %DROPOUT_RATE")
        elif rate:
            lines.append(f"Dropout.{place} = {rate}")
    lines.append(f"Dropout.shared_over_length = {dropout.shared_over_length}")
    lines += [f"{name}.dropout = @Dropout()", f"{name}.compute = @Compute()"]
    plain = dataclasses.replace(config, dropout=Dropout(), compute=Compute())
    return to_gin(plain) + "\n".join(lines) + "\n"
