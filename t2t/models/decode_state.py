"""What a decoder remembers between tokens."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.models.embedding import Places
from t2t.models.layer import LayerProjections, Memory, heads_swapped


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DecodeState:
    """A prompt that was read, tokens that followed, and where the next one goes.

    All rows go on in the same column: shorter prompts have padding in front. Several rows may
    decode from one input of an encoder; they are neighbours.

    Attributes:
      layers: parameters of each, `TransformerStack.separate_layers`.
      projected: of each layer, keys and values of the prompt and, up to `column`, of what followed.
      memory: of the encoder, without its output; None without an encoder.
      seen: int `[rows, length]`, 0 at the padding in front.
      column: int scalar, of the next token.
      places: of the next token, each int `[rows, 1]`.
    """

    layers: tuple[list[jax.Array], ...]
    projected: tuple[LayerProjections, ...]
    memory: Memory | None
    seen: jax.Array
    column: jax.Array
    places: Places

    @classmethod
    def after_prompt(
        cls,
        layers: tuple[list[jax.Array], ...],
        projected: tuple[LayerProjections, ...],
        memory: Memory | None,
        segments: jax.Array,
        places: Places,
        max_length: int,
    ) -> "DecodeState":
        """After a prompt at `places` with int `segments` `[rows, prompt]`, 0 at padding.

        There is room for `max_length` further tokens.
        """
        rows, prompt = segments.shape

        def with_room(x):
            return jnp.pad(x, ((0, 0), (0, 0), (0, max_length), (0, 0)))

        projected = heads_swapped(projected)
        last = jax.tree.map(lambda x: jnp.broadcast_to(x[:, -1:], (rows, 1)), places)
        ahead = jnp.ones((rows, max_length), segments.dtype)
        return cls(
            layers,
            tuple(layer._replace(own=jax.tree.map(with_room, layer.own)) for layer in projected),
            memory and memory._replace(encoded=jnp.zeros((0,))),
            jnp.concatenate([segments, ahead], axis=1),
            jnp.array(prompt),
            _next(last),
        )

    def take(self, rows: jax.Array) -> "DecodeState":
        """New row i goes on from row `rows[i]`, which must be of the same input; int `[rows]`."""
        own, seen, places = jax.tree.map(
            lambda x: jnp.take(x, rows, axis=0),
            ([layer.own for layer in self.projected], self.seen, self.places),
        )
        projected = tuple(
            layer._replace(own=taken) for layer, taken in zip(self.projected, own, strict=True)
        )
        return dataclasses.replace(self, projected=projected, seen=seen, places=places)

    def repeat(self, n: int) -> "DecodeState":
        """Every row `n` times, neighbours, `[rows * n]`."""
        return self.take(jnp.repeat(jnp.arange(self.seen.shape[0]), n))

    def advanced(self, projected: tuple[LayerProjections, ...]) -> "DecodeState":
        """After one more token, whose keys and values are in `projected`."""
        return dataclasses.replace(
            self, projected=projected, column=self.column + 1, places=_next(self.places)
        )


def _next(places: Places) -> Places:
    """Where the token after goes."""
    if places.block_positions is None:
        return dataclasses.replace(places, positions=places.positions + 1)
    # Within a span of GLM only its own dimension counts on.
    return dataclasses.replace(places, block_positions=places.block_positions + 1)
