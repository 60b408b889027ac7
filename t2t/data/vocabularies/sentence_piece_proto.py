"""SentencePiece's file format, as far as t2t reads and changes it.

The messages in the package of SentencePiece load with its own version of protobuf and later ones
only, and Apache Beam wants an earlier one. Fields that are not here survive reading and writing.
"""

import functools
from collections.abc import Sequence
from typing import Any

UNIGRAM = 1  # TrainerSpec.model_type
USER_DEFINED, BYTE = 4, 6  # SentencePiece.type

# Fields as (name, number, type of descriptor.proto, default).
_PIECE = (("piece", 1, "STRING", ""), ("score", 2, "FLOAT", ""), ("type", 3, "INT32", "1"))
_TRAINER = (
    ("model_type", 3, "INT32", "1"),
    ("unk_id", 40, "INT32", "0"),
    ("bos_id", 41, "INT32", "1"),
    ("eos_id", 42, "INT32", "2"),
    ("pad_id", 43, "INT32", "-1"),
)
_NORMALIZER = (
    ("name", 1, "STRING", ""),
    ("precompiled_charsmap", 2, "BYTES", ""),
    ("add_dummy_prefix", 3, "BOOL", "true"),
    ("remove_extra_whitespaces", 4, "BOOL", "true"),
    ("escape_whitespaces", 5, "BOOL", "true"),
    ("normalization_rule_tsv", 6, "STRING", ""),
)
_MODEL = (
    ("pieces", 1, "SentencePiece", None),
    ("trainer_spec", 2, "TrainerSpec", None),
    ("normalizer_spec", 3, "NormalizerSpec", None),
)


def new_model() -> Any:
    """An empty ModelProto: `pieces`, `trainer_spec`, `normalizer_spec`."""
    return _model_class()()


@functools.cache
def _model_class() -> type:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="t2t/sentencepiece.proto", package="t2t")
    fields = descriptor_pb2.FieldDescriptorProto
    messages = {
        "SentencePiece": _PIECE,
        "TrainerSpec": _TRAINER,
        "NormalizerSpec": _NORMALIZER,
        "ModelProto": _MODEL,
    }
    for message, described in messages.items():
        added = file.message_type.add(name=message)
        for name, number, kind, default in described:
            field = added.field.add(name=name, number=number, label=fields.LABEL_OPTIONAL)
            if kind in messages:
                field.type, field.type_name = fields.TYPE_MESSAGE, f".t2t.{kind}"
            else:
                field.type = getattr(fields, f"TYPE_{kind}")
                field.default_value = default
    file.message_type[-1].field[0].label = fields.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t2t.ModelProto"))


def holds(model: Any, names: Sequence[str]) -> bool:
    """Whether the model's highest pieces are sentinels of these names, in this order."""
    pieces = model.pieces[max(len(model.pieces) - len(names), 0) :]
    return [piece.piece.lstrip("\u2581") for piece in pieces] == list(names)
