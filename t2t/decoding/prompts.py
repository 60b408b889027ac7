"""What a model reads before it says anything, laid out as the converters do in training."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t2t.decoding.length_buckets import Bucket, length_class, padded
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder

GeneratorConfig = EncoderDecoder | DecoderOnly
NOTHING = np.zeros(0, np.int32)


@dataclasses.dataclass(frozen=True)
class Prompt:
    """One row, without padding.

    Attributes:
      decoder: by name without "decoder_", "input_tokens" from the start token on and what goes
        along with them: int `[prompt]` each.
      encoder: int32 `[inputs]`; None where there is no encoder.
    """

    decoder: Mapping[str, np.ndarray]
    encoder: np.ndarray | None = None

    @property
    def decoder_length(self) -> int:
        return len(self.decoder["input_tokens"])

    @property
    def length(self) -> int:
        """Of what is the longest, which is worth sorting by."""
        return self.decoder_length if self.encoder is None else len(self.encoder)


def make_prompt(
    model: ModelConfig,
    inputs: np.ndarray,
    prefix: np.ndarray = NOTHING,
    first: int | None = None,
) -> Prompt:
    """The prompt for int32 `[inputs]`, from which the model goes on after `prefix`.

    With an encoder, the decoder's is [start, prefix...], as in `EncDecFeatureConverter`; alone, it
    reads [start, inputs..., prefix...], as in `PrefixLMFeatureConverter`, of which a prefix
    language model sees start and inputs in both directions. The text that a language model
    continues is all prefix (`LMFeatureConverter`).

    Args:
      model: that generates.
      inputs: int32 `[inputs]`.
      prefix: int32 `[prefix]`.
      first: what a decoder reads instead of its start token.

    Raises:
      UserError: the model does not generate; see `check_generates`.
    """
    model = check_generates(model)
    start = np.array([model.tokens.start if first is None else first], np.int32)
    if isinstance(model, EncoderDecoder):
        return Prompt({"input_tokens": np.concatenate([start, prefix])}, inputs)
    tokens = np.concatenate([start, inputs, prefix])
    given = np.arange(len(tokens)) <= len(inputs)
    return Prompt({"input_tokens": tokens, "causal_attention": given.astype(np.int32)})


def check_generates(model: ModelConfig) -> GeneratorConfig:
    """`model`; raises UserError, which says what it does instead, if it has no decoder."""
    if isinstance(model, GeneratorConfig):
        return model
    heads = ", ".join(head.name for head in getattr(model, "heads", ()))
    raise UserError(
        f"{type(model).__name__} generates no text, since it has no decoder. It gives embeddings "
        f"(`t2t embed`)" + (f" and the outputs of its heads: {heads}." if heads else ".")
    )


def collate(
    prompts: Sequence[Prompt], bucket: Bucket, pad_id: int | None, most: int | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a bucket's members, as a model's `start` takes them.

    An encoder's tokens have padding behind, to the length of the bucket; a decoder's have it in
    front, to the length of the bucket where there is no encoder, else to a power of two.

    Args:
      prompts: of which the bucket names members; all of one model.
      bucket: rows and length.
      pad_id: of the model; None if it has none.
      most: length of a decoder's prompt beside an encoder, at most.

    Returns:
      int32 `[rows, length]` each.
    """
    fill, batch = pad_id or 0, {}
    members = [prompts[i] for i in bucket.members]
    places = list(range(len(members)))
    if members[0].encoder is not None:
        encoders = [prompt.encoder for prompt in members if prompt.encoder is not None]
        side = bucket._replace(members=places)
        batch["encoder_input_tokens"] = padded(encoders, side, fill)
        if pad_id is None:  # nothing in the tokens tells the padding
            ones = [np.ones_like(tokens) for tokens in encoders]
            batch["encoder_segment_ids"] = padded(ones, side, 0)
    width = bucket.length
    if members[0].encoder is not None:
        width = length_class(max(p.decoder_length for p in members), least=1, most=most)
    side = Bucket(places, bucket.rows, width)
    ones = [np.ones(prompt.decoder_length, np.int32) for prompt in members]
    batch["decoder_segment_ids"] = padded(ones, side, 0, in_front=True)
    for name in members[0].decoder:
        values = [prompt.decoder[name] for prompt in members]
        filler = fill if name == "input_tokens" else 0
        batch[f"decoder_{name}"] = padded(values, side, filler, in_front=True)
    return batch
