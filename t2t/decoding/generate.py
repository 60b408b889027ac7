"""New tokens from a model, by any strategy."""

import jax
import jax.numpy as jnp

from t2t.decoding.decoding import Decoding
from t2t.decoding.history import History
from t2t.decoding.processors.lengths import MinLength
from t2t.decoding.strategy import Decoder, Generated, Rules
from t2t.models.architecture import Batch


def generate(
    module: Decoder,
    batch: Batch,
    decoding: Decoding,
    *,
    seeds: jax.Array | None = None,
    active: jax.Array | None = None,
) -> Generated:
    """Reads the prompts in one pass, then adds tokens until all rows have ended.

    Jit it with a static `decoding`; there is one compilation per shape of the batch.

    Args:
      module: with parameters bound.
      batch: "decoder_input_tokens" int `[batch, prompt]`, padded in front, and what else
        `module.start` reads.
      decoding: strategy, lengths and processors.
      seeds: int32 `[batch]`, what tells the draws for one input from those for another; the number
        of the row by default.
      active: bool `[batch]`; the other rows, which fill up a batch, give zeros and cost no steps.

    Returns:
      `decoding.strategy.num_returned` sequences per row.
    """
    prompt = batch["decoder_input_tokens"]
    rows, stops = prompt.shape[0], decoding.ends(module.special_tokens.eos)
    logits, state = module.start(batch, decoding.max_length)
    processors = decoding.processors
    if decoding.min_length:
        processors = (*(MinLength(decoding.min_length, stop) for stop in stops), *processors)
    return decoding.strategy.search(
        module,
        logits.astype(jnp.float32),
        state,
        History.begin(prompt, batch.get("decoder_segment_ids"), decoding.max_length),
        Rules(
            max_length=decoding.max_length,
            stops=stops,
            processors=processors,
            seeds=jnp.arange(rows, dtype=jnp.int32) if seeds is None else seeds,
            active=jnp.ones((rows,), bool) if active is None else active,
        ),
    )
