"""A small random model of transformers (PyTorch) and ours, made from what it saved.

The model gets random weights, goes through `save_pretrained` and `load_hf`, and both compute, in
float32, on a padded batch. `comparisons.py` has the tests, `freeze.py` what tests without PyTorch
read.
"""

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from t2t.interop.families import family_of
from t2t.interop.hugging_face import Imported, load_hf, read_config
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.models.definition import Model
from t2t.models.parameter_paths import flatten
from tests.interop.computing import output_and_gradients

_ENCODER_OUTPUTS = {
    "lm_head": ("prediction_logits", "logits"),
    "sequence_head": ("seq_relationship_logits", "sop_logits", "logits", "pooler_output"),
    "token_head": ("logits",),
    None: ("last_hidden_state",),
}
_folders = tempfile.TemporaryDirectory(prefix="t2t-parity-")


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A small model that exercises some options.

    Attributes:
      name: unique among all cases; that of its file in tests/frozen.
      config: of transformers.
      model_class: name of a class of transformers.
      prepare: changes the model's random weights, for example unties what transformers ties.
      lengths: of inputs and targets; of models with one stack, the first counts.
      token_types: how many kinds of token there are; 0 if the model knows of none.
      packing: whether rows of several examples are compared, too.
      head: name of an encoder's, if it has several and not the first is compared.
    """

    name: str
    config: transformers.PreTrainedConfig
    model_class: str
    prepare: Callable[[Any], None] = lambda model: None
    lengths: tuple[int, int] = (9, 7)
    token_types: int = 0
    packing: bool = True
    head: str | None = None

    def __str__(self) -> str:
        return self.name


def random_model(case: Case, seed: int = 0) -> Any:
    """A model none of whose parameters is where a mistake would not show: no zeros, no ones."""
    torch.manual_seed(seed)
    model = getattr(transformers, case.model_class)(case.config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn_like(parameter)
            if parameter.ndim < 2:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(noise * 0.7 * min(parameter.shape[-1], 16) ** -0.5)
        case.prepare(model)
    return model


def untie(name: str) -> Callable[[Any], None]:
    """For `prepare`: gives the module `name` a weight of its own."""

    def change(model: Any) -> None:
        module = model.get_submodule(name)
        weight = torch.randn_like(module.weight) * module.weight.shape[-1] ** -0.5
        module.weight = torch.nn.Parameter(weight)

    return change


@functools.cache
def saved(case: Case) -> tuple[Any, Path]:
    """The model, and a folder where `save_pretrained` has put it."""
    model = random_model(case)
    folder = Path(_folders.name) / case.name
    model.save_pretrained(folder)
    return model, folder


@functools.cache
def imported(case: Case) -> Imported:
    return load_hf(saved(case)[1])


def side(case: Case) -> str:
    """Which batch it takes: "encoder_decoder", "decoder" or "encoder"."""
    names = {"EncoderDecoder": "encoder_decoder", "DecoderOnly": "decoder"}
    return names.get(type(imported(case).config).__name__, "encoder")


def random_batch(case: Case, seed: int = 1) -> dict[str, np.ndarray]:
    """Two examples, the second shorter and padded, as converters make them."""
    tokens_of = imported(case).config.tokens
    pad, start = tokens_of.pad or 0, tokens_of.start
    rng = np.random.default_rng(seed)

    def tokens(length):
        rows = rng.integers(5, imported(case).config.vocab_size, (2, length), dtype=np.int32)
        rows[1, 2 * length // 3 :] = pad
        return rows

    def targets(length):
        rows = tokens(length)
        inputs = np.concatenate([np.full((2, 1), start, np.int32), rows[:, :-1]], axis=1)
        return {
            "decoder_input_tokens": inputs,
            "decoder_target_tokens": rows,
            "decoder_loss_weights": (rows != pad).astype(np.int32),
        }

    if side(case) == "decoder":
        return targets(case.lengths[0])
    inputs = tokens(case.lengths[0])
    if side(case) == "encoder_decoder":
        return {"encoder_input_tokens": inputs, **targets(case.lengths[1])}
    batch = {
        "encoder_input_tokens": inputs,
        "encoder_target_tokens": inputs[::-1].copy(),
        "encoder_loss_weights": (inputs != pad).astype(np.int32),
    }
    if case.token_types:
        kinds = rng.integers(0, case.token_types, inputs.shape, dtype=np.int32)
        batch["encoder_token_types"] = kinds
    return batch


def theirs(model: Any, case: Case, batch: dict[str, np.ndarray]) -> torch.Tensor:
    """PyTorch's output for a batch of ours: logits, or the last hidden state if it has no head."""
    pad = imported(case).config.tokens.pad or 0
    given = {name: torch.from_numpy(array).long() for name, array in batch.items()}
    if side(case) == "decoder":
        arguments = {"input_ids": given["decoder_input_tokens"]}
    else:
        inputs = given["encoder_input_tokens"]
        arguments = {"input_ids": inputs, "attention_mask": (inputs != pad).long()}
    if side(case) == "encoder_decoder":
        arguments["decoder_input_ids"] = given["decoder_input_tokens"]
    if "encoder_token_types" in given:
        arguments["token_type_ids"] = given["encoder_token_types"]
    if side(case) == "encoder":
        heads = [case.head, *(head.name for head in imported(case).config.heads), None]
        return output_of_encoder(model(**arguments), heads[0] or heads[1])
    output = model(**arguments, use_cache=False)
    return output.logits if "logits" in output else output.last_hidden_state


def output_of_encoder(output: Any, head: str | None) -> torch.Tensor:
    """What our head of this name gives, of an output of PyTorch's."""
    if head == "span_head":
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    found = next(output[name] for name in _ENCODER_OUTPUTS[head] if name in output)
    return found[..., None] if head == "token_head" and found.ndim == 2 else found


def target_loss(logits: Any, batch: dict[str, np.ndarray], log_softmax: Callable) -> Any:
    """Cross-entropy summed over real tokens, of PyTorch's or JAX's logits."""
    name = "decoder" if "decoder_target_tokens" in batch else "encoder"
    rows, columns = np.nonzero(batch[f"{name}_loss_weights"])
    tokens = batch[f"{name}_target_tokens"][rows, columns]
    return -log_softmax(logits)[rows, columns, tokens].sum()


def weighting(shape: tuple[int, ...], batch: dict[str, np.ndarray]) -> np.ndarray:
    """Random numbers like the output, 0 where it is of padding: a loss for any output."""
    weights = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    return weights * real(shape, batch)


def real(shape: tuple[int, ...], batch: dict[str, np.ndarray]) -> np.ndarray:
    """1 where an output of this shape is of a token, 0 where it is of padding."""
    name = "decoder" if "decoder_target_tokens" in batch else "encoder"
    weights = batch[f"{name}_loss_weights"]
    if shape[: weights.ndim] != weights.shape:
        return np.ones(shape, np.int32)
    return weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))


@functools.cache
def expected(case: Case) -> tuple[np.ndarray, float | None, dict[str, np.ndarray]]:
    """PyTorch's output, its loss if it is one over tokens, and gradients by our paths."""
    batch = random_batch(case)
    model, _ = saved(case)
    model.zero_grad()
    output = theirs(model, case, batch)
    loss = None
    if output.shape[-1] == imported(case).config.vocab_size:
        loss = target_loss(output, batch, functools.partial(torch.log_softmax, dim=-1))
    scalar = (output * torch.from_numpy(weighting(tuple(output.shape), batch))).sum()
    scalar.backward()
    gradients = {
        name: (torch.zeros_like(p) if p.grad is None else p.grad).numpy().copy()
        for name, p in model.named_parameters()
    }
    loss = None if loss is None else float(loss.detach())
    return output.detach().numpy(), loss, by_our_paths(case, gradients)


def by_our_paths(case: Case, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors by PyTorch's names -> the same by our paths."""
    config = imported(case).config
    table = family_of(read_config(saved(case)[1]), case.name).table(config)
    like = Model(config).abstract_params
    return flatten(read_params(table, MemorySource(tensors), like))


@functools.cache
def actual(case: Case) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Our output and gradients for the same."""
    batch = random_batch(case)
    weights = weighting(expected(case)[0].shape, batch)
    config, params, _ = imported(case)
    output, gradients = output_and_gradients(config, params, batch, weights, case.head)
    return np.asarray(output), {p: np.asarray(g) for p, g in flatten(gradients).items()}


def deviation(given: np.ndarray, wanted: np.ndarray) -> float:
    """Norm of the difference over the norm, or over 0.1 if that is larger.

    Some gradients are 0 but for rounding, such as those of biases of keys.
    """
    assert given.shape == wanted.shape
    given, wanted = np.asarray(given, np.float64), np.asarray(wanted, np.float64)
    return np.linalg.norm(given - wanted) / max(np.linalg.norm(wanted), 0.1)
