import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import SpecialTokens
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.embedding import Embedding
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead, SequenceClasses, TokenClasses
from t2t.models.lora import LoRA, make_model
from t2t.models.parameter_paths import flatten
from t2t.models.positions import LearnedPositions, RoPE
from t2t.models.serialization import from_dict, to_dict
from t2t.models.stack import Stack

STACK = Stack(
    1,
    8,
    Attention(2, 4),
    FeedForward(8),
    positions=LearnedPositions(6),
    embedding=Embedding(token_types=2),
)
GENERATOR = EncoderOnly(16, STACK, (LMHead(),))
DISCRIMINATOR = EncoderOnly(16, STACK, (TokenClasses(1),))
ELECTRA = Electra(GENERATOR, DISCRIMINATOR)
BATCH = {"encoder_input_tokens": jnp.array([[2, 3, 4, 0]])}


def with_stack(part, **changes):
    return dataclasses.replace(part, encoder=dataclasses.replace(part.encoder, **changes))


def names(config):
    return set(flatten(Model(config).abstract_params))


def test_embeddings_are_stored_once_with_the_discriminator():
    apart = dataclasses.replace(ELECTRA, share_embeddings=False)
    assert names(apart) - names(ELECTRA) == {
        "generator/token_embedder/embedding",
        "generator/encoder/positions/embedding",
        "generator/encoder/embedding/token_types/embedding",
    }
    assert {f"discriminator/{name}" for name in names(DISCRIMINATOR)} <= names(ELECTRA)


def test_positions_without_a_table_are_not_shared():
    parts = (with_stack(part, positions=RoPE()) for part in (GENERATOR, DISCRIMINATOR))
    assert not any("positions" in name for name in Electra(*parts).shared_params)


def test_both_parts_compute_as_they_do_alone():
    model = Model(ELECTRA)
    params = model.init(jax.random.key(0))
    expanded, module = model.expanded(params), model.bind(params)
    logits = Model(GENERATOR).bind(expanded["generator"])(BATCH)
    np.testing.assert_array_equal(module.generator(BATCH), logits)
    alone = Model(DISCRIMINATOR).bind(expanded["discriminator"])
    np.testing.assert_array_equal(module.hidden(BATCH), alone.hidden(BATCH))
    replaced = alone.outputs(BATCH, "token_head")
    np.testing.assert_array_equal(module.outputs(BATCH, "token_head"), replaced)
    table = params["discriminator"]["token_embedder"]["embedding"]
    np.testing.assert_array_equal(module.generator.token_embedder.embedding[...], table)


def test_adapters_are_merged_into_both_parts():
    model = make_model(ELECTRA, LoRA(1, 4.0, ("(generator|discriminator)/.*query/kernel",)))
    params = model.init(jax.random.key(0))
    changed = jax.tree.map(lambda x: x + 1.0, params)
    before, after = model.bind(params), model.bind(changed)
    for part in ("generator", "discriminator"):
        kernel = f"{part}/encoder/layers/self_attention/query/kernel"
        assert set(flatten(model.expanded(params))) >= {kernel}
        assert not any("lora" in name for name in flatten(model.expanded(params)))
        hidden = [getattr(module, part).hidden(BATCH) for module in (before, after)]
        assert not np.allclose(*hidden)


def test_survives_json():
    assert from_dict(to_dict(ELECTRA)) == ELECTRA


NARROW = with_stack(GENERATOR, d_model=4, embedding=Embedding(token_types=2))
REFUSED = {
    "no LM head": (dataclasses.replace(GENERATOR, heads=()), DISCRIMINATOR, r"= \(@LMHead\(\),\)"),
    "no token head": (
        GENERATOR,
        dataclasses.replace(DISCRIMINATOR, heads=(SequenceClasses(1),)),
        r"discriminator/EncoderOnly.heads = \(@TokenClasses\(\),\)",
    ),
    "two classes": (
        GENERATOR,
        dataclasses.replace(DISCRIMINATOR, heads=(TokenClasses(2),)),
        "TokenClasses.num_classes = 1",
    ),
    "vocabularies": (
        dataclasses.replace(GENERATOR, vocab_size=17),
        DISCRIMINATOR,
        "EncoderOnly.vocab_size of the generator is 17 and of the discriminator 16",
    ),
    "padding": (
        dataclasses.replace(GENERATOR, tokens=SpecialTokens(pad=3)),
        DISCRIMINATOR,
        "EncoderOnly.tokens of the generator",
    ),
    "widths": (
        NARROW,
        DISCRIMINATOR,
        r"Embedding.size .* is 4 and of the discriminator 8.*= False",
    ),
    "positions": (
        with_stack(GENERATOR, positions=LearnedPositions(7)),
        DISCRIMINATOR,
        "Stack.positions of the generator .*share_embeddings = False",
    ),
    "token types": (
        with_stack(GENERATOR, embedding=Embedding(token_types=3)),
        DISCRIMINATOR,
        "Embedding.token_types of the generator is 3",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_parts_that_do_not_go_together(name):
    generator, discriminator, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        Electra(generator, discriminator)


def test_parts_of_other_widths_have_embeddings_of_their_own():
    config = Electra(NARROW, DISCRIMINATOR, share_embeddings=False)
    params = Model(config).abstract_params
    assert params["generator"]["token_embedder"]["embedding"].shape == (16, 4)
