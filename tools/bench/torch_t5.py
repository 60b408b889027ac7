"""The peer: the same model in Hugging Face Transformers, eager and under torch.compile."""

import os
from collections.abc import Callable

import numpy as np

from t2t.errors import UserError
from t2t.interop.families.t5 import T5Family
from t2t.models.encoder_decoder import EncoderDecoder

try:
    import torch
    import transformers
except ImportError as error:
    raise UserError(
        f"--compare_torch: {error.name} is not installed; `pip install 't2t[parity]'` has it."
    ) from error


def hf_t5(config: EncoderDecoder) -> transformers.T5ForConditionalGeneration:
    """Hugging Face's model of the same shape, with random float32 parameters."""
    try:
        settings = T5Family().express(config)
    except UserError as error:
        raise UserError(f"--compare_torch compares T5s, and {error}") from error
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config.from_dict(settings | {"use_cache": False})
    )
    if not config.head.tied:  # transformers 5 ties them whatever its configuration says
        width = config.decoder.d_model
        weight = width**-0.5 * torch.randn(config.vocab_size, width)
        model.lm_head.weight = torch.nn.Parameter(weight)
    return model


class TorchStep:
    """One update with AdamW; calling it waits for the device.

    Parameters and optimiser state are float32, as t2t's; products are in `Compute.dtype` through
    autocast. Attention is whatever Transformers picks (scaled_dot_product_attention today). No
    activations are recomputed, whatever `Compute.remat` is.
    """

    def __init__(
        self,
        config: EncoderDecoder,
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
        self._dtype = getattr(torch, config.compute.dtype)
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
