"""ELECTRA from the command line: pretraining, evaluation, export, fine-tuning of a part."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t import config
from t2t.cli import main
from t2t.data.features import Feature
from t2t.data.objectives import ElectraInputs, SentenceOrderPrediction
from t2t.data.preprocessors import rekey
from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.interop.hugging_face import load_hf
from t2t.models.definition import Model
from t2t.models.parameter_paths import flatten
from t2t.models.serialization import from_dict, to_gin
from t2t.trained import load_trained
from t2t.training.initialization import Initialization, ParameterSource
from t2t.training.loop import train

SIZES = """
VOCAB_SIZE = 384
D_MODEL = 16
D_FF = 16
NUM_HEADS = 2
HEAD_DIM = 8
NUM_LAYERS = 1
LearnedPositions.max_length = 32
"""
PRETRAIN = f"""
include 'models/electra.gin'
{SIZES}
EMBEDDING_SIZE = 12
GENERATOR_D_MODEL = 8
GENERATOR_D_FF = 8
GENERATOR_NUM_HEADS = 1
train.loss = @ElectraLoss()
"""
RUN = """
MODEL_DIR = 'electra'
train.model_dir = %MODEL_DIR
train.mixture = 'electra_text'
train.total_steps = 3
train.log_every = 3
train.model = %MODEL
train.sequence_length = {'inputs': 32, 'targets': 32}
train.batch_size = 8
train.optimizer = @adamw()
train.evaluation = @EvalPolicy()
adamw.learning_rate = @constant_schedule()
constant_schedule.peak = 1e-3
EvalPolicy.batch_size = 8
"""
FINETUNE = f"""
include 'models/bert_encoder.gin'
include 'runs/finetune_electra.gin'
{SIZES}
Embedding.size = 12
MODEL_DIR = 'tuned'
INIT_FROM = 'electra'
MIXTURE = 'electra_pairs'
TRAIN_STEPS = 1
Compute.dtype = 'float32'
constant_schedule.peak = 0.0
train.batch_size = 8
train.sequence_length = {{'inputs': 32, 'targets': 32}}
train.loss = @SentencePairLoss()
EvalPolicy.batch_size = 8
EncoderOnly.heads = (@LMHead(), @SequenceClasses())
LMHead.tied = False
SequenceClasses.num_classes = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with the run of an ELECTRA."""
    texts = [{"text": f"the {i}th word of many words is number {7 * i}"} for i in range(24)]
    names = ("mask_token", "cls_token", "sep_token")
    specials = {name: f"<extra_id_{97 + i}>" for i, name in enumerate(names)}
    feature = Feature(ByteVocabulary(extra_ids=100, **specials), add_eos=False)
    objectives = {"electra_text": ElectraInputs(), "electra_pairs": SentenceOrderPrediction()}
    for name, objective in objectives.items():
        TaskRegistry.add(
            name,
            source=InMemoryDataSource({"train": texts[:16], "validation": texts[16:]}),
            preprocessors=[rekey({"targets": "text"})],
            objective=objective,
            output_features={"inputs": feature, "targets": feature},
        )
    path = tmp_path_factory.mktemp("electra")
    (path / "pretrain.gin").write_text(PRETRAIN + RUN)
    (path / "finetune.gin").write_text(FINETUNE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        assert main(["train", "--gin_file=pretrain.gin"]) == 0
        yield path
    for name in objectives:
        TaskRegistry.remove(name)


def params_of(run):
    return load_trained(run).params


@pytest.mark.usefixtures("folder")
def test_both_terms_are_logged_and_evaluated():
    lines = [json.loads(line) for line in Path("electra/metrics.jsonl").read_text().splitlines()]
    trained = next(line for line in lines if "train/loss" in line)
    evaluated = next(line for line in lines if "eval/loss" in line)
    for name in ("loss", "accuracy", "replaced"):
        assert 0 <= trained[f"train/discriminator/{name}"] < 2
        assert 0 <= evaluated[f"eval/electra_text/discriminator_{name}"] < 2
    assert 0.05 < trained["train/discriminator/replaced"] < 0.2  # most of 15 %
    assert trained["train/electra_text/loss"] == pytest.approx(np.log(384), abs=0.5)


@pytest.mark.usefixtures("folder")
def test_evaluation_afterwards_is_that_of_training(capsys):
    lines = Path("electra/metrics.jsonl").read_text().splitlines()
    logged = next(json.loads(line) for line in lines if "eval/loss" in line)
    (result,) = load_trained("electra").evaluate().values()
    for name, value in result.metrics.items():
        assert value == pytest.approx(logged[f"eval/electra_text/{name}"], rel=1e-6)
    interval = result.intervals["discriminator_loss"]
    assert interval.low < result.metrics["discriminator_loss"] < interval.high
    assert main(["eval", "--model_dir=electra"]) == 0
    assert "discriminator_replaced" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_infer_marks_what_seems_to_be_replaced(capsys):
    asked = ["the 3th [MASK]ord", "the 4th word", "many words"]
    Path("in.jsonl").write_text("".join(json.dumps({"inputs": t}) + "\n" for t in asked))
    capsys.readouterr()
    assert main(["infer", "--model_dir=electra", "--input=in.jsonl", "--scores"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert re.search(r"3 records in .* read tokens/s", printed.err)
    assert [len(line["fills"]) for line in lines] == [1, 0, 0]
    found = load_trained("electra").replaced_token_detector().predict(asked)
    for line, text, (prediction,) in zip(lines, asked, found, strict=True):
        assert line["prediction"] == prediction.text
        assert line["replaced"] == [
            [token, pytest.approx(p, abs=1e-4)] for token, p in prediction.details["replaced"]
        ]
        assert line["scores"] == [pytest.approx(prediction.score, abs=1e-4)]
        plain = line["prediction"].replace("[", "").replace("]", "")
        assert plain == text.replace("[MASK]", "".join(line["fills"]))
    _refuses_to_generate("electra", "tells which tokens are replaced", capsys)


def _refuses_to_generate(run, does, capsys):
    Path("in.txt").write_text("many words\n")
    for flag in (
        "--beams=2",
        "--prefix=x",
        "--max_decode_length=9",
        "--gin.Decoding.max_length=64",
    ):
        capsys.readouterr()
        assert main(["infer", f"--model_dir={run}", "--input=in.txt", flag]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"This model {does} and generates no text" in " ".join(printed.err.split())


@pytest.mark.usefixtures("folder")
def test_model_json_and_gin_give_the_model_again():
    config.load(["pretrain.gin"])
    model = config.arguments_of(train)["model"]
    stored = json.loads(Path("electra/model.json").read_text())["model"]
    assert from_dict(stored) == model
    Path("again.gin").write_text(to_gin(model))
    config.load(["again.gin"], ["train.model = %MODEL", *RUN.strip().splitlines()])
    assert config.arguments_of(train)["model"] == model


@pytest.mark.usefixtures("folder")
def test_dry_run_reports_both_parts(capsys):
    assert main(["train", "--gin_file=pretrain.gin", "--model_dir=other", "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "generator/encoder/layers/mlp/wi/kernel" in printed
    assert printed.count("token_embedder/embedding") == 1
    assert not Path("other").exists()


@pytest.mark.usefixtures("folder")
def test_the_discriminator_is_fine_tuned_alone(capsys):
    assert main(["train", "--gin_file=finetune.gin"]) == 0
    _refuses_to_generate("tuned", "fills in masked tokens", capsys)
    electra, tuned = params_of("electra")["discriminator"], params_of("tuned")
    for part in ("encoder", "token_embedder"):  # at a rate of 0, they are what they were
        jax.tree.map(np.testing.assert_array_equal, tuned[part], electra[part])
    assert "token_head" not in tuned


@pytest.mark.usefixtures("folder")
def test_the_discriminator_is_exported_alone():
    assert main(["export", "--model_dir=electra", "--to_hf=exported"]) == 0
    imported = load_hf("exported")
    electra = load_trained("electra")
    assert imported.config.heads == electra.model.config.discriminator.heads
    expected = Model(electra.model.config).expanded(electra.params)["discriminator"]
    jax.tree.map(np.testing.assert_array_equal, imported.params, expected)


@pytest.mark.usefixtures("folder")
def test_released_parts_go_on_together():
    config.load(["pretrain.gin"])
    electra = config.arguments_of(train)["model"]
    parts = [Model(part).abstract_params for part in (electra.generator, electra.discriminator)]
    names = ("generator", "discriminator")
    sources = [
        ParameterSource(name, include=(f"{name}/.*",), renames=((f"{name}/(.*)", r"\1"),))
        for name in names
    ]
    transfer = Initialization(tuple(sources)).plan(Model(electra).abstract_params, parts)
    assert set(transfer.takes) == set(flatten(Model(electra).abstract_params))
    assert {names[t.source] + "/" + t.name for t in transfer.takes.values()} == set(transfer.takes)
