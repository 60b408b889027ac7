import dataclasses
import json

import pytest

from t2t.errors import UserError
from t2t.models.config import Compute, Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead, TokenClasses
from t2t.models.initializers import NormalInit
from t2t.models.lora import LoRA
from t2t.models.positions import RoPE
from t2t.models.positions.rope_scaling import LinearScaling
from t2t.training.run_directory import RunDirectory
from tests.training.conftest import TINY

RELU = dataclasses.replace(TINY.encoder, feed_forward=FeedForward(32, ("relu",)))
VOCABULARIES = {"inputs": "bytes+100", "targets": "bytes+100"}


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create()
    run.write_identity(TINY, VOCABULARIES)
    return run


def test_the_same_model_is_welcome(run):
    run.check_identity(TINY, VOCABULARIES)
    run.check_identity(TINY)


@pytest.mark.parametrize("text", ["", '{"model"', "[]", "{}", "\x00"])
def test_a_damaged_identity_is_a_message(run, text):
    run.identity.write_text(text)
    with pytest.raises(UserError, match=r"model\.json' is damaged"):
        run.check_identity(TINY, VOCABULARIES)
    run.identity.write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"model\.json' is damaged"):
        run.check_trainable()


def test_how_it_computes_may_change(run):
    compute = Compute(dtype="bfloat16", remat="full")
    run.check_identity(
        dataclasses.replace(TINY, compute=compute, dropout=Dropout(0.1), init=NormalInit())
    )


@pytest.mark.parametrize(
    ("changes", "vocabularies", "message"),
    [
        (
            {"vocab_size": 400, "share_embeddings": False},
            VOCABULARIES,
            r"model\.vocab_size is 384 there and 400 now; model\.share_embeddings is True there",
        ),
        ({"encoder": RELU}, VOCABULARIES, r"activations is \['gelu_tanh', 'linear'\] there"),
        ({"head": LMHead(tied=True)}, VOCABULARIES, r"model\.head\.tied is False there and True"),
        ({}, VOCABULARIES | {"targets": "bytes+9"}, "vocabularies.targets is 'bytes.100' there"),
    ],
)
def test_another_model_is_named_by_its_differences(run, changes, vocabularies, message):
    with pytest.raises(UserError, match=message):
        run.check_identity(dataclasses.replace(TINY, **changes), vocabularies)


@pytest.mark.parametrize(("before", "now"), [(None, 2.0), (2.0, None), (2.0, 4.0)])
def test_what_only_one_side_has_differs_too(tmp_path, before, now):
    def model(factor):
        scaling = None if factor is None else LinearScaling(factor)
        positions = dataclasses.replace(TINY.encoder, positions=RoPE(scaling=scaling))
        return dataclasses.replace(TINY, encoder=positions)

    run = RunDirectory(tmp_path)
    run.write_identity(model(before), VOCABULARIES)
    with pytest.raises(UserError, match=rf"scaling.factor is {before} there and {now} now"):
        run.check_identity(model(now))


@pytest.mark.parametrize("now", [LoRA(2, 8.0), None])
def test_adapters_are_part_of_the_run_but_not_of_the_architecture(tmp_path, now):
    run, before = RunDirectory(tmp_path), LoRA(2, 4.0)
    run.write_identity(TINY, VOCABULARIES, lora=before)
    run.check_identity(TINY, VOCABULARIES, before)
    run.check_identity(TINY)  # as a source of parameters
    with pytest.raises(UserError, match=r"lora\.alpha is 4\.0 there"):
        run.check_identity(TINY, VOCABULARIES, now)


def test_dropout_of_a_part_of_the_model_may_change(tmp_path):
    stack = dataclasses.replace(TINY.encoder, positions=RoPE())
    generator = EncoderOnly(384, stack, (LMHead(),))
    electra = Electra(generator, EncoderOnly(384, stack, (TokenClasses(1),)))
    dropping = dataclasses.replace(generator, dropout=Dropout(residual=0.1))
    run = RunDirectory(tmp_path)
    run.write_identity(electra, VOCABULARIES)
    run.check_identity(dataclasses.replace(electra, generator=dropping))
    with pytest.raises(UserError, match=r"model\.share_embeddings is True there"):
        run.check_identity(dataclasses.replace(electra, share_embeddings=False))


def test_settings_that_came_later_have_their_defaults(run):
    identity = run.stored_identity()
    del identity["model"]["continuing_positions"]
    run.write(run.identity, json.dumps(identity))
    run.check_identity(TINY, VOCABULARIES)
    with pytest.raises(UserError, match=r"share_embeddings is True there and False now"):
        run.check_identity(dataclasses.replace(TINY, share_embeddings=False), VOCABULARIES)


def test_another_task_may_lack_a_feature(run):
    run.check_identity(TINY, {"targets": VOCABULARIES["targets"]})


def test_another_architecture_is_refused(run):
    with pytest.raises(
        UserError, match=r"model\.class is 'EncoderDecoder' there and 'DecoderOnly'"
    ):
        run.check_identity(DecoderOnly(384, TINY.encoder))


def test_an_empty_folder_belongs_to_nobody(tmp_path):
    RunDirectory(tmp_path).check_identity(TINY, VOCABULARIES)


def test_writing_is_whole_or_not_at_all(run, monkeypatch):
    run.write(run.config, "first")
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(UserError, match=r"Cannot write .*config.gin.*No space left"):
        run.write(run.config, "second")
    assert run.config.read_text() == "first"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot make the folder '.*file/run'"):
        RunDirectory(tmp_path / "file" / "run").create()
