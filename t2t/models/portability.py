"""Models that were trained with what this machine may not have."""

import dataclasses
import logging
from typing import TypeVar

from t2t.errors import UserError
from t2t.models.cudnn_attention import check_device
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly

log = logging.getLogger(__name__)
C = TypeVar("C", bound=EncoderDecoder | DecoderOnly | EncoderOnly)


def runnable_here(config: ModelConfig) -> ModelConfig:
    """For use, not for training: plain attention where cuDNN's is asked for and missing.

    What a model's parameters mean does not depend on it.
    """
    parts = [config.generator, config.discriminator] if isinstance(config, Electra) else [config]
    if all(part.compute.attention != "cudnn" for part in parts):
        return config
    try:
        check_device()
    except UserError:
        log.warning("trained with Compute.attention='cudnn', which is missing here; taking 'xla'")
    else:
        return config
    if isinstance(config, Electra):
        generator, discriminator = _plain(config.generator), _plain(config.discriminator)
        return dataclasses.replace(config, generator=generator, discriminator=discriminator)
    return _plain(config)


def _plain(config: C) -> C:
    return dataclasses.replace(config, compute=dataclasses.replace(config.compute, attention="xla"))
