"""Which feature converter an architecture is fed by."""

from t2t.data.converters import (
    BlankInfillingFeatureConverter,
    DecoderFeatureConverter,
    EncDecFeatureConverter,
    EncoderFeatureConverter,
    FeatureConverter,
)
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.tasks import Task
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder


def default_converter(
    model: ModelConfig, task_or_mixture: Task | Mixture, pack: bool
) -> FeatureConverter:
    """Inputs to an encoder and targets to a decoder, or both to the one there is.

    A decoder alone is a language model of tasks that have targets only, fills blanks of GLM's
    objectives, else is a prefix language model. What objectives make beside inputs and targets
    goes along.
    """
    pad_id = model.tokens.pad or 0
    if isinstance(model, EncoderDecoder):
        return EncDecFeatureConverter(pack=pack, pad_id=pad_id, bos_id=model.tokens.start)
    extra = {
        name: None
        for task in leaf_tasks(task_or_mixture)
        if task.objective is not None
        for name in task.objective.extra_features
    }
    aligned = tuple(name for name in extra if name != "loss_weights")
    if isinstance(model, DecoderOnly) and "prefix_mask" in aligned:
        return BlankInfillingFeatureConverter(pack=pack, pad_id=pad_id, aligned_features=aligned)
    if isinstance(model, DecoderOnly):
        return DecoderFeatureConverter(
            pack=pack, pad_id=pad_id, bos_id=model.tokens.start, aligned_features=aligned
        )
    return EncoderFeatureConverter(pack=pack, pad_id=pad_id, aligned_features=aligned)
