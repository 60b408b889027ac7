"""BERT, RoBERTa, ALBERT and ELECTRA: what config.json and tensors say, and what is refused."""

import dataclasses

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import express, family_of
from t2t.interop.family import HFConfig
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.writing import write_tensors
from t2t.models.definition import Model
from t2t.models.heads import LMHead, SequenceClasses, Spans, TokenClasses
from t2t.models.norms import RMSNorm
from t2t.models.parameter_paths import flatten, shapes_of, unflatten

KINDS = ("albert", "bert", "electra", "roberta")
SETTINGS = {
    "vocab_size": 11,
    "hidden_size": 8,
    "embedding_size": 6,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "max_position_embeddings": 7,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def read(kind, **settings):
    settings = {"model_type": kind, **SETTINGS, **settings}
    return family_of(settings, "x").from_hf(HFConfig(settings, "config.json"))


def random_params(config, seed=0):
    rng = np.random.default_rng(seed)
    shapes = shapes_of(Model(config).abstract_params)
    return unflatten({p: rng.normal(size=s).astype(np.float32) for p, s in shapes.items()})


def written(config, kind):
    return write_tensors(family_of({"model_type": kind}, "x").table(config), random_params(config))


def with_tensors(config, kind, tensors):
    return family_of({"model_type": kind}, "x").with_tensors(config, MemorySource(tensors))


CLASSES = [
    *[
        (kind, f"{kind.title()}For{task}")
        for kind in KINDS
        for task in (
            "MaskedLM",
            "SequenceClassification",
            "TokenClassification",
            "QuestionAnswering",
        )
    ],
    *[(kind, f"{kind.title()}ForPreTraining") for kind in ("albert", "bert", "electra")],
    *[(kind, f"{kind.title()}Model") for kind in KINDS],
]


@pytest.mark.parametrize(("kind", "name"), CLASSES)
def test_every_class_and_back(kind, name):
    config = read(kind, architectures=[name], num_labels=3)
    family, settings = express(config)
    assert settings["architectures"] == [name]
    assert family.model_types == (kind,)
    assert family.from_hf(HFConfig(settings)) == config
    tensors = written(config, kind)
    assert with_tensors(config, kind, tensors) == config
    params = read_params(family.table(config), MemorySource(tensors), Model(config).abstract_params)
    for path, array in flatten(random_params(config)).items():
        np.testing.assert_array_equal(flatten(params)[path], array)


def test_heads():
    def heads(kind, name):
        return read(kind, architectures=[name], num_labels=3).heads

    assert heads("bert", "BertForPreTraining")[1] == SequenceClasses(2)
    assert heads("bert", "BertForNextSentencePrediction") == (SequenceClasses(2),)
    assert heads("albert", "AlbertForPreTraining")[1] == SequenceClasses(3)
    assert heads("electra", "ElectraForPreTraining") == (TokenClasses(1, "gelu_exact"),)
    sequences = heads("electra", "ElectraForSequenceClassification")
    assert sequences == (SequenceClasses(3, "gelu_exact"),)
    assert heads("roberta", "RobertaForQuestionAnswering") == (Spans(),)
    assert heads("electra", "ElectraModel") == ()


@pytest.mark.parametrize("kind", ["albert", "bert", "roberta"])
def test_heads_that_only_tensors_tell(kind):
    pooler, masked_lm = (
        read(kind, architectures=[f"{kind.title()}{name}"]) for name in ("Model", "ForMaskedLM")
    )
    both = dataclasses.replace(masked_lm, heads=(masked_lm.heads[0], SequenceClasses(None)))
    assert with_tensors(masked_lm, kind, written(both, kind)) == both
    assert with_tensors(read(kind), kind, written(pooler, kind)) == pooler
    family, settings = express(both)
    assert settings["architectures"] == [f"{kind.title()}ForMaskedLM", f"{kind.title()}Model"]
    assert family.from_hf(HFConfig(settings)) == both
    bare = dataclasses.replace(pooler, heads=())
    assert with_tensors(pooler, kind, written(bare, kind)) == bare
    assert express(bare)[1]["architectures"] == [f"{kind.title()}Model"]


def test_files_of_bert_with_more_than_their_class_has():
    pretraining = read("bert", architectures=["BertForPreTraining"])
    for name in ("BertForMaskedLM", "BertModel"):
        config = read("bert", architectures=[name])
        assert with_tensors(config, "bert", written(pretraining, "bert")) == pretraining


def test_next_sentence_prediction_alone():
    config = read("bert", architectures=["BertForNextSentencePrediction"])
    tensors = {
        name.replace("classifier", "cls.seq_relationship"): array
        for name, array in written(config, "bert").items()
    }
    table = family_of({"model_type": "bert"}, "x").table(config)
    read_params(table, MemorySource(tensors), Model(config).abstract_params)


def test_old_names_and_buffers():
    config = read("bert", architectures=["BertForMaskedLM"])
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in written(config, "bert").items()
    }
    tensors["bert.embeddings.position_ids"] = np.arange(7)
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    table = family_of({"model_type": "bert"}, "x").table(config)
    params = read_params(table, MemorySource(tensors), Model(config).abstract_params)
    for path, array in flatten(random_params(config)).items():
        np.testing.assert_array_equal(flatten(params)[path], array)


@every_kind
def test_tensors_tell_whether_the_head_is_tied(kind):
    name = f"{kind.title()}ForMaskedLM"
    tied = read(kind, architectures=[name])
    untied = read(kind, architectures=[name], tie_word_embeddings=False)
    assert not untied.head.tied
    tensors = written(untied, kind)
    assert with_tensors(tied, kind, tensors) == untied
    assert with_tensors(untied, kind, written(tied, kind)) == tied
    (decoder,) = (
        n for n, a in tensors.items() if "word" not in n and a.shape[0] == 11 and a.ndim == 2
    )
    words = next(array for n, array in tensors.items() if "word_embeddings" in n)
    assert with_tensors(tied, kind, {**tensors, decoder: words}) == tied


def test_unused_bias_of_untied_heads():
    config = read("bert", architectures=["BertForMaskedLM"], tie_word_embeddings=False)
    tensors = written(config, "bert")
    used, unused = "cls.predictions.decoder.bias", "cls.predictions.bias"
    np.testing.assert_array_equal(tensors[used], tensors[unused])
    table = family_of({"model_type": "bert"}, "x").table(config)

    def bias(**changed):
        source = MemorySource({n: a for n, a in {**tensors, **changed}.items() if a is not None})
        return read_params(table, source, Model(config).abstract_params)["lm_head"]["bias"]

    np.testing.assert_array_equal(bias(**{unused: np.zeros(11)}), tensors[used])
    np.testing.assert_array_equal(bias(**{unused: None}), tensors[used])
    np.testing.assert_array_equal(bias(**{used: None}), tensors[used])


def test_dropout():
    def dropout(kind, name, **settings):
        return read(kind, architectures=[name], **settings).dropout

    bert = dropout("bert", "BertForTokenClassification", hidden_dropout_prob=0.3)
    assert (bert.embedding, bert.residual, bert.attention, bert.hidden) == (0.3, 0.3, 0.1, 0.0)
    assert bert.head == 0.3
    name = "BertForSequenceClassification"
    assert dropout("bert", name, classifier_dropout=0.0).head == 0.0
    assert dropout("bert", "BertForPreTraining").head == 0.0
    assert dropout("albert", "AlbertForPreTraining").head == 0.1
    assert dropout("electra", "ElectraForPreTraining").head == 0.0
    assert dropout("roberta", "RobertaForQuestionAnswering").head == 0.0


def test_positions_of_roberta_begin_behind_the_padding_id():
    config = read("roberta", pad_token_id=3)
    assert (config.encoder.positions.max_length, config.encoder.positions.offset) == (3, 4)
    tokens = dataclasses.replace(config.tokens, pad=2)
    with pytest.raises(UserError, match=r"roberta: .*encoder.positions.offset = 4 \(only 3\)"):
        express(dataclasses.replace(config, tokens=tokens))


@every_kind
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"position_embedding_type": "relative_key"}, "position_embedding_type = 'relative_key'"),
        ({"is_decoder": True}, "is_decoder = True"),
        ({"add_cross_attention": True}, "add_cross_attention = True"),
        ({"hidden_act": "gelu_neww"}, "hidden_act = 'gelu_neww'.*Did you mean 'gelu_new'"),
        ({"hidden_size": 9}, "hidden_size = 9, which is not a multiple of num_attention_heads = 2"),
        ({"architectures": ["XForMultipleChoice"]}, "is of a XForMultipleChoice.*ForMaskedLM"),
    ],
)
def test_settings_without_a_counterpart(kind, settings, message):
    with pytest.raises(UserError, match=message):
        read(kind, **settings)


def test_inner_groups_of_albert():
    with pytest.raises(UserError, match=r"inner_group_num = 2, .*only 1 is"):
        read("albert", inner_group_num=2)
    with pytest.raises(UserError, match=r"num_layers = 2 is not a multiple of Stack.num_groups"):
        read("albert", num_hidden_groups=3)


def test_roberta_without_padding():
    with pytest.raises(UserError, match="no pad_token_id"):
        read("roberta", pad_token_id=None)


BERT = read("bert", architectures=["BertForMaskedLM"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            dataclasses.replace(BERT, encoder=dataclasses.replace(BERT.encoder, norm=RMSNorm())),
            "bert: it has learned positions and layer norms only",
        ),
        (
            dataclasses.replace(BERT, heads=(LMHead(),)),
            r"bert: it has no place for heads = \(LMHead",
        ),
        (
            dataclasses.replace(BERT, heads=(SequenceClasses(3), TokenClasses(3))),
            "bert: .* two would be its 'classifier'",
        ),
        (
            dataclasses.replace(BERT, encoder=dataclasses.replace(BERT.encoder, final_norm=True)),
            r"bert: it has no place for encoder.final_norm = True \(only False\)",
        ),
    ],
)
def test_what_no_family_expresses(config, message):
    with pytest.raises(UserError, match=message):
        express(config)


def test_the_order_of_heads_means_nothing():
    config = read("bert", architectures=["BertForPreTraining"])
    swapped = dataclasses.replace(config, heads=config.heads[::-1])
    assert express(swapped)[1] == express(config)[1]
