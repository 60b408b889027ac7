"""Folders of small imported models with a tokenizer of bytes."""

from t2t.cli import main
from t2t.data.vocabularies import ByteVocabulary
from t2t.interop.hugging_face import save_hf
from t2t.models.attention import Attention
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.positions import RoPE
from t2t.models.stack import Stack
from tests.interop.t5_models import random_params, tiny

VOCABULARY = ByteVocabulary(extra_ids=125)
LLAMA = DecoderOnly(
    384,
    Stack(
        num_layers=1,
        d_model=8,
        attention=Attention(2, 4, num_kv_heads=1),
        feed_forward=FeedForward(12, ("silu", "linear")),
        positions=RoPE(),
    ),
    tokens=SpecialTokens(pad=None, eos=1, bos=None),
    head=LMHead(tied=False),
)
MODELS = {"t5": tiny(vocab_size=384), "llama": LLAMA}


def make(name, folder):
    """The run's folder of one of `MODELS`."""
    save_hf(MODELS[name], random_params(MODELS[name]), str(folder / f"hf_{name}"), VOCABULARY)
    words = ["--from_hf", str(folder / f"hf_{name}"), "--model_dir", str(folder / name)]
    assert main(["import", *words]) == 0
    return str(folder / name)
