"""What evaluation generates is what `Predictor` does."""

import collections
import dataclasses
import itertools

import jax
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import Feature
from t2t.data.objectives import GlmBlankInfilling
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.predictor import Predictor
from t2t.decoding.reading import TextReader
from t2t.errors import UserError
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.generation import Generation, generates
from t2t.evaluation.metrics import exact_match
from t2t.evaluation.policy import EvalPolicy
from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly
from t2t.trained_model import TrainedModel
from t2t.training.partitioning import MeshShape
from tests.decoding.numbers import VOCAB, Numbers, stack, texts
from tests.decoding.predicting import BOTH, GPT, PREFIX_LM, T5, params_of

LENGTHS = {"inputs": 8, "targets": 6}
INPUTS = texts([1, 2, 3, 4, 5, 6, 7, 0, 3, 2, 6])
TASK = Task(
    "numbers",
    InMemoryDataSource({"validation": [{"inputs": x, "targets": "3 4"} for x in INPUTS]}),
    BOTH,
    metric_fns=(exact_match,),
)


def evaluate(config, shape=MeshShape(), **policy):  # noqa: B008
    mesh = shape.mesh()
    evaluator = Evaluator(Model(config), mesh, TASK, LENGTHS, EvalPolicy(batch_size=8, **policy))
    return evaluator.evaluate(params_of(config))["numbers"]


def predict(config, decoding):
    reader = TextReader(config, BOTH, decoding.max_length)
    predictor = Predictor(Model(config), params_of(config), reader, decoding, batch_size=16)
    return [found[0].text for found in predictor.predict(INPUTS)]


@pytest.mark.parametrize("shape", [MeshShape(), MeshShape(2, 2, 2)], ids=["data", "all"])
@pytest.mark.parametrize("config", [T5, PREFIX_LM], ids=["t5", "prefix_lm"])
def test_predictions_are_those_of_infer(config, shape):
    result = evaluate(config, shape)
    predictions = [p["prediction"] for p in result.predictions]
    assert predictions == predict(config, Decoding(max_length=LENGTHS["targets"]))
    assert len(set(predictions)) > 3
    assert "exact_match" in result.metrics


def test_a_policy_says_how_to_generate():
    decoding = Decoding(Beam(3), max_length=4)
    found = [p["prediction"] for p in evaluate(PREFIX_LM, decoding=decoding).predictions]
    assert found == predict(PREFIX_LM, decoding)


def test_a_token_that_ends_an_output_is_no_part_of_it():
    plain = predict(T5, Decoding(max_length=6))
    stop = collections.Counter(" ".join(plain).split()).most_common(1)[0][0]
    decoding = Decoding(max_length=6, stop_tokens=(int(stop),))
    found = [p["prediction"] for p in evaluate(T5, decoding=decoding).predictions]
    assert found == predict(T5, decoding)
    until = [itertools.takewhile(lambda word: word != stop, text.split()) for text in plain]
    assert found == [" ".join(words) for words in until]


def test_an_imported_model_keeps_to_its_settings():
    words = collections.Counter(" ".join(predict(T5, Decoding(max_length=6))).split())
    often, other, _ = (int(word) for word, _ in words.most_common(3))
    settings = {"eos_token_id": [1, other], "suppress_tokens": [often], "forced_bos_token_id": 9}
    imported = TrainedModel({}, Model(T5), params_of(T5), 0, TASK, None, settings)
    result = imported.evaluate(sequence_length=LENGTHS, batch_size=8)["numbers"]
    found = [p["prediction"].split() for p in result.predictions]
    predicted = imported.predictor(Decoding(max_length=6)).predict(INPUTS)
    assert found == [one[0].text.split() for one in predicted]
    assert {text[0] for text in found} == {"9"}
    assert not {str(often), str(other)} & {word for text in found for word in text}
    assert len(set(map(tuple, found))) > 3


@pytest.mark.parametrize(
    ("policy", "length"),
    [
        (EvalPolicy(), 6),
        (EvalPolicy(max_decode_length=3), 3),
        (EvalPolicy(decoding=Decoding(max_length=9)), 9),
        (EvalPolicy(decoding=Decoding(Beam(2), max_length=9), max_decode_length=3), 3),
    ],
)
def test_how_much_is_generated(policy, length):
    assert policy.decoding_of(LENGTHS).max_length == length
    if policy.decoding:
        assert policy.decoding_of(LENGTHS).strategy == policy.decoding.strategy


def test_tasks_of_the_same_lengths_compile_once():
    generation = Generation(Model(T5), MeshShape().mesh(), Decoding(max_length=3), LENGTHS)
    examples = EvaluationSet(TASK, "validation", LENGTHS)
    found = [generation.predict(params_of(T5), examples, 8) for _ in range(2)]
    fewer = dataclasses.replace(examples, num_examples=3)
    assert len(generation.predict(params_of(T5), fewer, 8)) == 3
    assert found[0] == found[1]
    assert generation._generate._cache_size() == 1


def test_positions_must_suffice():
    mesh = MeshShape().mesh()
    most = {"inputs": 60, "targets": 4}
    Generation(Model(GPT), mesh, Decoding(max_length=4), most)  # 1 + 60 + 3 = 64 positions
    with pytest.raises(UserError, match=r"5 tokens after inputs of 60, but .* 64 positions"):
        Generation(Model(GPT), mesh, Decoding(max_length=5), most)


def test_what_generates_what():
    language_model = TASK.replace(output_features={"targets": BOTH["targets"]})
    blanks = TASK.replace(
        objective=GlmBlankInfilling(mask_id=23, start_id=22, end_id=21),
        output_features=dict.fromkeys(BOTH, Feature(Numbers(), add_eos=False)),
    )
    assert generates(T5, TASK)
    assert generates(GPT, TASK)
    assert not generates(GPT, language_model)
    assert not generates(GPT, blanks)
    assert not generates(EncoderOnly(VOCAB, stack()), TASK)
    assert jax.device_count() == 8  # rows were shared
