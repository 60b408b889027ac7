import dataclasses
import json

import pytest

import gin
from t2t import config as gin_config
from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import Compute, Dropout, SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import HeadTransform, LMHead, SequenceClasses
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.positions import Llama3Scaling, RelativeBias, RoPE
from t2t.models.residual import PostNorm
from t2t.models.serialization import from_dict, to_dict, to_gin
from t2t.models.stack import Stack

STACK = Stack(2, 8, Attention(2, 4, scale=1.0), FeedForward(16, ("relu",)), RMSNorm(1e-3))
CONFIGS = {
    "encoder-decoder": EncoderDecoder(
        20,
        dataclasses.replace(STACK, positions=RelativeBias(8)),
        dataclasses.replace(
            STACK, num_layers=3, cross_attention=Attention(1, 8, norm=RMSNorm(1.0))
        ),
        LMHead(tied=False),
        init=NormalInit(0.5),
        dropout=Dropout(hidden=0.1),
        compute=Compute("bfloat16"),
    ),
    "decoder": DecoderOnly(
        20,
        dataclasses.replace(
            STACK,
            positions=RoPE(1e6, scaling=Llama3Scaling(8.0, 1.0, 4.0, 16)),
            window=4,
            local_layers=(True, False),
        ),
        tokens=SpecialTokens(pad=None, bos=5),
    ),
    "encoder": EncoderOnly(
        20,
        dataclasses.replace(STACK, placement=PostNorm(), norm=LayerNorm(1e-12)),
        (LMHead(transform=HeadTransform("gelu_exact", LayerNorm())), SequenceClasses(3)),
    ),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


@every_config
def test_through_json_and_back(config):
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


@every_config
def test_through_gin_and_back(config, tmp_path):
    path = tmp_path / "model.gin"
    path.write_text(to_gin(config) + f"{type(config).__name__}.vocab_size = 30\n")
    gin_config.load([str(path)], configurables=gin_config.MODEL)
    model = gin.query_parameter("MODEL/macro.value").scoped_configurable_fn()
    assert model == dataclasses.replace(config, vocab_size=30)


def test_gin_text():
    config = EncoderOnly(20, Stack(2, 8, Attention(2, 4), FeedForward(9)), (LMHead(tied=False),))
    assert to_gin(config) == (
        "MODEL = @EncoderOnly()\n"
        "EncoderOnly.vocab_size = 20\n"
        "EncoderOnly.encoder = @encoder/Stack()\n"
        "EncoderOnly.heads = (@heads_0/LMHead(),)\n"
        "encoder/Stack.num_layers = 2\n"
        "encoder/Stack.d_model = 8\n"
        "encoder/Stack.attention = @encoder/attention/Attention()\n"
        "encoder/Stack.feed_forward = @encoder/feed_forward/FeedForward()\n"
        "encoder/attention/Attention.num_heads = 2\n"
        "encoder/attention/Attention.head_dim = 4\n"
        "encoder/feed_forward/FeedForward.d_ff = 9\n"
        "heads_0/LMHead.tied = False\n"
    )


def test_json_names_the_classes():
    assert to_dict(RelativeBias(8)) == {
        "class": "RelativeBias",
        "num_buckets": 8,
        "max_distance": 128,
        "per_layer": False,
    }


def test_fields_that_are_not_there_have_their_defaults():
    assert from_dict({"class": "RMSNorm"}) == RMSNorm()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class": "RMSNrom"}, "model.json: there is no configuration class 'RMSNrom'. Did you"),
        ({"d_ff": 3}, "there is no configuration class 'None'"),
        ({"class": "RMSNorm", "epsilom": 1}, "RMSNorm has no 'epsilom'. Did you mean 'epsilon'"),
        ({"class": "Attention", "bias": True}, "Attention needs num_heads, head_dim"),
        ({"class": "Compute", "dtype": "bfloat61"}, "'bfloat61' is none of"),
    ],
)
def test_what_is_wrong(settings, message):
    with pytest.raises(UserError, match=message):
        from_dict(settings)


def test_a_part_of_the_users_own_is_found_by_its_module(tmp_path, monkeypatch):
    code = (
        "import dataclasses, gin\n"
        "from t2t.models.positions import Positions\n\n"
        "@gin.configurable\n@dataclasses.dataclass(frozen=True)\n"
        "class MyPlaces(Positions):\n"
        "    start: float = 1.0\n\n"
        "    def build(self, **_): ...\n"
    )
    (tmp_path / "my_places.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import my_places

    stack = dataclasses.replace(STACK, positions=my_places.MyPlaces(2.0))
    written = json.loads(json.dumps(to_dict(stack)))
    assert written["positions"] == {"class": "my_places:MyPlaces", "start": 2.0}
    assert from_dict(written) == stack
    written["positions"]["class"] = "not_there:MyPlaces"
    with pytest.raises(UserError, match=r"MyPlaces of module 'not_there'.*PYTHONPATH"):
        from_dict(written)
    written["positions"]["class"] = "json:JSONDecoder"
    with pytest.raises(UserError, match="no dataclass"):
        from_dict(written)
