"""Models trained with cuDNN's attention, used where it is missing."""

import types

import jax
import pytest

from t2t.models.attention import Attention
from t2t.models.config import Compute
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead, TokenClasses
from t2t.models.portability import runnable_here
from t2t.models.stack import Stack

CUDNN, PLAIN = Compute(dtype="bfloat16", attention="cudnn"), Compute(dtype="bfloat16")


def encoder(compute, *heads):
    return EncoderOnly(16, Stack(1, 8, Attention(2, 4), FeedForward(8)), heads, compute=compute)


def electra(compute, generator=None):
    return Electra(encoder(generator or compute, LMHead()), encoder(compute, TokenClasses(1)))


def use_device(monkeypatch, platform):
    client = types.SimpleNamespace(platform_version=platform)
    device = types.SimpleNamespace(platform="gpu", compute_capability="9.0", client=client)
    monkeypatch.setattr(jax, "local_devices", lambda: [device])


MAKERS = [
    lambda compute: encoder(compute, LMHead()),
    electra,
    lambda compute: electra(PLAIN, generator=compute),
]


@pytest.mark.parametrize("make", MAKERS)
def test_all_parts_become_plain_and_the_log_says_so_once(make, monkeypatch, caplog):
    use_device(monkeypatch, "interpreter")
    assert runnable_here(make(CUDNN)) == make(PLAIN)
    assert caplog.messages == [
        "trained with Compute.attention='cudnn', which is missing here; taking 'xla'"
    ]


@pytest.mark.parametrize(("compute", "platform"), [(CUDNN, "cuda 12"), (PLAIN, "interpreter")])
def test_nothing_changes_where_it_runs(compute, platform, monkeypatch, caplog):
    use_device(monkeypatch, platform)
    config = electra(compute)
    assert runnable_here(config) is config
    assert not caplog.messages
