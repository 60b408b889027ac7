"""The peer: the same model in Hugging Face Transformers, eager and under torch.compile."""

import os
from collections.abc import Callable

import numpy as np

from t2t.errors import UserError
from t2t.models.config import T5Config

try:
    import torch
    import transformers
except ImportError as error:
    raise UserError(
        f"--compare_torch: {error.name} is not installed; `pip install 't2t[parity]'` has it."
    ) from error

_FEED_FORWARD = {
    ("relu",): "relu",
    ("gelu", "linear"): "gated-gelu",
    ("silu", "linear"): "gated-silu",
}


def hf_t5(config: T5Config) -> transformers.T5ForConditionalGeneration:
    """Hugging Face's model of the same shape, with random float32 parameters."""
    if config.mlp_activations not in _FEED_FORWARD:
        raise UserError(
            f"--compare_torch: Hugging Face's T5 has no feed-forward {config.mlp_activations}."
        )
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=config.vocab_size,
            d_model=config.d_model,
            d_ff=config.d_ff,
            d_kv=config.head_dim,
            num_heads=config.num_heads,
            num_layers=config.num_encoder_layers,
            num_decoder_layers=config.num_decoder_layers,
            relative_attention_num_buckets=config.relative_attention_num_buckets,
            relative_attention_max_distance=config.relative_attention_max_distance,
            dropout_rate=config.dropout_rate,
            feed_forward_proj=_FEED_FORWARD[config.mlp_activations],
            tie_word_embeddings=config.tie_embeddings,
            use_cache=False,
        )
    )
    if not config.tie_embeddings:  # transformers 5 ties them whatever its configuration says
        weight = config.d_model**-0.5 * torch.randn(config.vocab_size, config.d_model)
        model.lm_head.weight = torch.nn.Parameter(weight)
    return model


class TorchStep:
    """One update with AdamW; calling it waits for the device.

    Parameters and optimiser state are float32, as t2t's; products are in `config.dtype` through
    autocast. Attention is whatever Transformers picks (scaled_dot_product_attention today). No
    activations are recomputed, whatever `config.remat` is.
    """

    def __init__(
        self,
        config: T5Config,
        batch: dict[str, np.ndarray],
        microbatches: int,
        learning_rate: float,
        *,
        compiled: bool,
    ):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.set_float32_matmul_precision("high")  # TF32 on NVIDIA, as JAX does by default
        torch.manual_seed(0)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = hf_t5(config).to(self._device).train()
        self.parameters = sum(p.numel() for p in model.parameters())
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=learning_rate, weight_decay=0.0, fused=True
        )
        self._model: Callable = torch.compile(model) if compiled else model
        self._dtype = getattr(torch, config.dtype)
        tensors = {
            "input_ids": batch["encoder_input_tokens"],
            "decoder_input_ids": batch["decoder_input_tokens"],
            "labels": batch["decoder_target_tokens"],
        }
        whole = {k: torch.from_numpy(v).long().to(self._device) for k, v in tensors.items()}
        # Like t2t's, part i is the rows i, i + n, i + 2n ...; all parts have as many tokens.
        self._parts = [
            {k: v[i::microbatches].contiguous() for k, v in whole.items()}
            for i in range(microbatches)
        ]

    def __call__(self) -> None:
        total = 0.0
        for part in self._parts:
            reduced = self._dtype != torch.float32
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=reduced):
                loss = self._model(**part).loss / len(self._parts)
            loss.backward()
            total = total + loss.detach()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self._loss = total

    def loss(self) -> float:
        """Cross-entropy per token of the last step, before its update."""
        return float(self._loss)


def check_device(backend: str) -> None:
    """Raises UserError unless torch runs where JAX does."""
    wanted = {"cpu": False, "gpu": True}
    if wanted.get(backend) != torch.cuda.is_available():
        where = "a GPU" if torch.cuda.is_available() else "the CPU"
        raise UserError(
            f"--compare_torch: JAX computes on {backend}, this PyTorch on {where}; both have to be "
            f"on the same device. Install the other build of one of them, or set JAX_PLATFORMS."
        )
