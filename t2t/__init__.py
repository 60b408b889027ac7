"""t2t: text-to-text pretraining in JAX.

Names are imported when first used, so `import t2t` is quick and loads neither JAX nor Grain.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ByteVocabulary": "t2t.data.vocabularies",
    "SentencePieceVocabulary": "t2t.data.vocabularies",
    "TokenizersVocabulary": "t2t.data.vocabularies",
    "BertWordPieceVocabulary": "t2t.data.vocabularies",
    "Feature": "t2t.data.features",
    "FunctionDataSource": "t2t.data.sources",
    "InMemoryDataSource": "t2t.data.sources",
    "TextLineDataSource": "t2t.data.sources",
    "JsonLinesDataSource": "t2t.data.sources",
    "CsvDataSource": "t2t.data.sources",
    "ParquetDataSource": "t2t.data.sources",
    "TFExampleDataSource": "t2t.data.sources",
    "TfdsDataSource": "t2t.data.sources",
    "HuggingFaceDataSource": "t2t.data.sources",
    "FewShotDataSource": "t2t.data.sources",
    "SplitDataSource": "t2t.data.sources",
    "HashSplitDataSource": "t2t.data.sources",
    "TruncatedDataSource": "t2t.data.sources",
    "SpanCorruption": "t2t.data.objectives",
    "CacheDatasetPlaceholder": "t2t.data.preprocessors",
    "rekey": "t2t.data.preprocessors",
    "text_to_text": "t2t.data.preprocessors",
    "mixing_rate_num_examples": "t2t.data.mixtures",
    "add_collection": "t2t.data.task_collections",
    "TaskRegistry": "t2t.data.registry",
    "MixtureRegistry": "t2t.data.registry",
    "get_mixture_or_task": "t2t.data.registry",
    "get_dataset": "t2t.data.dataset",
    "TrainPipeline": "t2t.data.pipeline",
    "exact_match": "t2t.evaluation.metrics",
    "t5": "t2t.models.presets",
    "EncoderDecoder": "t2t.models.encoder_decoder",
    "DecoderOnly": "t2t.models.decoder_only",
    "EncoderOnly": "t2t.models.encoder_only",
    "Model": "t2t.models.definition",
    "train": "t2t.training.loop",
    "load_trained": "t2t.trained",
    "UserError": "t2t.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 't2t' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
