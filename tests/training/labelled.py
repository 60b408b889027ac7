"""Toy tasks with labels, one for each kind of head, and small models that learn them."""

import dataclasses

from t2t.data.features import Feature
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary, LabelVocabulary
from t2t.evaluation.metrics import accuracy, exact_match
from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import SequenceClasses, Spans, TokenClasses
from t2t.models.norms import LayerNorm
from t2t.models.positions import LearnedPositions
from t2t.models.stack import Stack
from t2t.training.losses.heads import SequenceClassification, SpanExtraction, TokenClassification

BYTES = ByteVocabulary(2, cls_token="<extra_id_0>", sep_token="<extra_id_1>")
TEXT = Feature(BYTES, add_eos=False)
LENGTHS = {"inputs": 32, "targets": 1}

SENTENCES = [
    {"inputs": text, "targets": "good" if "x" in text else "bad"}
    for text in ("ab x", "x", "a x b", "bxb", "ab", "b", "a b a", "bab")
]
PAIRS = [
    {"inputs": first, "pair": second, "targets": "same" if first == second else "other"}
    for first in "abc"
    for second in "abc"
]
WORDS = {"the": "D", "a": "D", "dog": "N", "cat": "N", "sees": "V", "and": "C"}
TAGGED = [
    {"inputs": text, "targets": " ".join(WORDS[word] for word in text.split())}
    for text in ("the dog sees a cat", "a cat and a dog", "dog and cat", "the cat", "sees", "and")
]
ANSWERED = [
    {"inputs": question, "pair": "Ann is in Oslo; Bob, 30, in Rome.", "targets": answer}
    for question, answer in {
        "Ann?": "Oslo", "Bob?": "Rome", "who?": "Ann", "age?": "30", "why?": "", "how?": "Bob, 30",
    }.items()
]  # fmt: skip


def task(name, examples, targets, metric):
    features = {feature: TEXT for feature in ("inputs", "pair") if feature in examples[0]}
    return Task(
        name,
        InMemoryDataSource(dict.fromkeys(("train", "validation"), examples)),
        {**features, "targets": targets},
        metric_fns=(metric,),
    )


def labels(*names):
    return Feature(LabelVocabulary(names), add_eos=False)


TASKS = {
    "sentences": task("toy_sentences", SENTENCES, labels("good", "bad"), accuracy),
    "pairs": task("toy_pairs", PAIRS, labels("same", "other"), accuracy),
    "tags": task("toy_tags", TAGGED, labels("D", "N", "V", "C"), exact_match),
    "spans": task("toy_spans", ANSWERED, TEXT, exact_match),
}
LOSSES = {
    "sentences": SequenceClassification(),
    "pairs": SequenceClassification(),
    "tags": TokenClassification(),
    "spans": SpanExtraction(max_answer_words=5),
}
HEADS = {
    "sentences": SequenceClasses(2),
    "pairs": SequenceClasses(2),
    "tags": TokenClasses(4),
    "spans": Spans(),
}
STACK = Stack(
    2,
    32,
    Attention(2, 16, bias=True),
    FeedForward(64, bias=True),
    norm=LayerNorm(),
    positions=LearnedPositions(64),
    embedding=Embedding(token_types=2),
)
CROSS = dataclasses.replace(STACK, num_layers=1, cross_attention=STACK.attention)


def encoder(kind):
    return EncoderOnly(BYTES.vocab_size, STACK, (HEADS[kind],))


def encoder_decoder(kind):
    return EncoderDecoder(BYTES.vocab_size, STACK, CROSS, heads=(_last(HEADS[kind]),))


def decoder(kind):
    return DecoderOnly(BYTES.vocab_size, STACK, heads=(_last(HEADS[kind]),))


def _last(head):
    is_class = isinstance(head, SequenceClasses)
    return dataclasses.replace(head, position="last") if is_class else head
