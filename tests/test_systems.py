"""Every file of gin/systems: it loads, passes a dry run, has the size its header states, learns."""

import re

import jax
import numpy as np
import pytest

from t2t import config
from t2t.data.mixtures import Mixture
from t2t.data.pipeline import TrainPipeline
from t2t.data.registry import get_mixture_or_task
from t2t.data.sources import InMemoryDataSource
from t2t.interop.adaptation import adapt
from t2t.models.definition import Model
from t2t.paths import shipped
from t2t.training import loop, preparation
from t2t.training.partitioning import MeshShape
from t2t.training.state import init_state
from t2t.training.step import make_train_step

FILES = sorted((shipped("gin") / "systems").glob("*.gin"))
SYSTEMS = [path.stem for path in FILES if path.stem.endswith("_tiny")]
TUNED = [path.stem for path in FILES if path.stem.startswith("finetune_")]
SPEECH = (
    "Fellow-citizens of the Senate and the House of Representatives: the harvest was good. "
    "Peace has been kept with all nations! Our revenues exceed what was expected, and the debt of "
    "the Government has been reduced. What remains to be done is in your hands? I ask for your "
    "counsel on the matters of commerce, of the army and of the public lands. "
)
EXAMPLES = {
    "sotu": {"text": SPEECH * 4},
    "movie_review_pairs": {"inputs": "Warm and funny.", "pair": "A bore.", "targets": "first"},
    "movie_reviews": {"inputs": "A warm and funny film.", "targets": "positive"},
    "movie_reviews_text": {"inputs": "A warm and funny film.", "targets": "positive"},
    "brown_tags": {"inputs": "The cat sat .", "targets": "DET NOUN VERB ."},
    "wordnet_word": {
        "word": "cat",
        "sentence": "the cat sat",
        "definition": "a pet",
        "answers": ["cat"],
    },
    "wordnet_definition": {
        "word": "cat",
        "sentence": "the cat sat",
        "definition": "a small pet with fur",
    },
    "gramps_de_en": {"de": "Eine Person hinzufügen", "en": "Add a person to it"},
}
SMALL = {
    "D_MODEL": 32,
    "D_FF": 64,
    "NUM_HEADS": 2,
    "NUM_KV_HEADS": 1,
    "HEAD_DIM": 16,
    "NUM_LAYERS": 2,
    "NUM_ENCODER_LAYERS": 2,
    "NUM_DECODER_LAYERS": 2,
    "BATCH_SIZE": 8,
    "TRAIN_STEPS": 10,
    "WARMUP_STEPS": 1,
}


def of_one_text(name):
    """The task or mixture on one text instead of its data."""

    def changed(part):
        if isinstance(part, Mixture):
            return Mixture(part.name, tuple((changed(inner), rate) for inner, rate in part.parts))
        example = EXAMPLES.get(part.name, EXAMPLES["sotu"])
        splits = {split: [example] * 4 for split in ("train", "validation")}
        return part.replace(source=InMemoryDataSource(splits))

    return changed(get_mixture_or_task(name))


def arguments(system, small=True, **macros):
    """What the file gives to `train`; `small` shrinks whatever of it has a macro."""
    file = f"systems/{system}.gin"
    config.load([file])
    known = {name: value for name, value in SMALL.items() if small and config.has_macro(name)}
    config.load([file], [f"{name} = {value!r}" for name, value in {**known, **macros}.items()])
    return config.arguments_of(loop.train)


def pipeline_of(given):
    """The pipeline that `train` would have, on one text."""
    loss, model = given.get("loss", loop.Loss()), given["model"]
    task = of_one_text(given["mixture"])
    loss.check(model, task)
    return TrainPipeline(
        task,
        given["sequence_length"],
        given["batch_size"],
        converter=loss.converter(model, task, given.get("pack", True)),
        head_rows=loss.rows(model, task),
    )


@pytest.fixture
def one_text(monkeypatch):
    monkeypatch.setattr(preparation, "get_mixture_or_task", of_one_text)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("one_text")
def test_a_dry_run_passes_and_the_header_states_the_size(system, tmp_path, capsys):
    given = arguments(system, small=False, MODEL_DIR=str(tmp_path / "run"))
    assert loop.train(**given, dry_run=True) == {}
    assert not (tmp_path / "run").exists()
    header = (shipped("gin") / "systems" / f"{system}.gin").read_text(encoding="utf-8")
    stated = re.search(r"of ([\d,]+) parameters", header)[1]
    assert f"{stated} parameters in all" in capsys.readouterr().out
    assert 1e6 < int(stated.replace(",", "")) < 4e6
    assert f"--gin_file=systems/{system}.gin" in header


def quickly_compiled(jitted, *arguments):
    """Without most optimisations, which take longer than ten steps without them."""
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jitted.lower(*arguments).compile(compiler_options=options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_ten_steps_on_one_batch_lower_the_loss(system):
    given = arguments(system)
    model, optimizer = Model(given["model"]), given["optimizer"]
    pipeline = pipeline_of(given)
    batch, _ = next(pipeline.batches())
    mesh = MeshShape().mesh(jax.devices()[:1])
    loss, num_tasks = given.get("loss", loop.Loss()), len(pipeline.task_names)
    step = make_train_step(model, optimizer, mesh, loss=loss, num_tasks=num_tasks)
    state = quickly_compiled(jax.jit(lambda: init_state(model, optimizer, 0)))()
    step = quickly_compiled(step, state, batch)
    losses = []
    for _ in range(10):
        state, metrics = step(state, batch)
        sums = {name.split("/")[0]: 0.0 for name in metrics if name.endswith("/loss")}
        for name in sums:
            sums[name] = float(metrics[f"{name}/loss"] / metrics[f"{name}/weight"])
        sums["loss"] = float(metrics["loss"].sum() / metrics["tokens"].sum())
        losses.append(sums)
    assert all(np.isfinite(list(sums.values())).all() for sums in losses)
    assert losses[0]["loss"] == pytest.approx(np.log(4096), rel=0.1)  # knows nothing yet
    assert losses[-1]["loss"] < losses[0]["loss"] - 0.05
    expected = {"bert_tiny": "sentence", "albert_tiny": "sentence", "electra_tiny": "discriminator"}
    assert losses[0].keys() == {"loss"} | ({expected[system]} if system in expected else set())


@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_takes_all_but_the_new_parts_of_its_system(name):
    given = arguments(name, small=False)
    model = Model(given["model"])
    source = name.split("_")[1] + "_tiny"
    if name.endswith("translation_2"):
        stored = Model(arguments("finetune_bart_translation_1", small=False)["model"])
    else:
        stored = Model(arguments(source, small=False)["model"])
    transfer = given["init_from"].plan(model.abstract_params, [stored.abstract_params])
    fresh = {path for path in transfer.target if path not in transfer.takes}
    expected = {
        "finetune_bert_pair": r"sequence_head/out/.*",
        "finetune_bert_sentence": r"sequence_head/out/.*",
        "finetune_bart_translation_1": r"source_.*",
        "finetune_albert_sentence": r"sequence_head/out/.*",
        "finetune_bart_definition": r"",
        "finetune_bart_translation_2": r"",
    }.get(name, r"" if name.endswith(("_text", "_prompt")) else r"(sequence|token|span)_head/.*")
    assert all(re.fullmatch(expected, path) for path in fresh)
    assert bool(fresh) == bool(expected)
    given["optimizer"].learning_rate(0)
    if "trainable" in given:
        given["trainable"].select(model.abstract_params)


@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_has_batches_of_its_task(name):
    batch, _ = next(pipeline_of(arguments(name)).batches())
    [weights] = [array for key, array in batch.items() if key.endswith("loss_weights")]
    assert weights.any(axis=1).all()


def test_t5gemma_is_what_gemma_is_adapted_to():
    gemma, t5gemma = (arguments(f"{name}_tiny", False)["model"] for name in ("gemma", "t5gemma"))
    params = Model(gemma).abstract_params
    adapted, given = adapt(gemma, params, gemma, params)
    assert adapted == t5gemma
    assert jax.tree.structure(given) == jax.tree.structure(Model(t5gemma).abstract_params)


def test_the_page_has_every_file_and_the_sizes_of_the_headers():
    page = (shipped("gin").parent / "docs" / "systems.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"`(\w+_tiny)\.gin` \| ([\d,]+) \|", page))
    headers = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
    assert stated == {
        name: re.search(r"of ([\d,]+) parameters", headers[name])[1] for name in SYSTEMS
    }
    named = set(re.findall(r"(\w+)\.gin", page))
    assert named <= headers.keys()
    assert set(SYSTEMS) <= named
    for name in TUNED:
        _, system, kind = name.split("_", 2)
        assert name in named or (f"`{system}`" in page and f"_{kind}.gin" in page), name


def test_commands_of_the_page_are_those_of_the_readers():
    page = (shipped("gin").parent / "docs" / "systems.md").read_text(encoding="utf-8")
    names = ("reuters", "movie_reviews", "brown_tags", "wordnet_word", "gramps_de_en")
    tasks = [get_mixture_or_task(name) for name in (*names, "libreoffice_de_en")]
    archives = {archive for task in tasks for archive in task.source.archives}
    assert len(archives) == 7
    assert all(archive.fetch in page for archive in archives)


@pytest.mark.parametrize("system", TUNED)
def test_right_answers_have_perfect_scores(system):
    """Postprocessors and metrics fit the tasks: targets given as predictions."""
    task = of_one_text(arguments(system)["mixture"])
    example = EXAMPLES[task.name]
    [ready] = task.preprocess(example, np.random.default_rng(0))
    right = task.postprocess(ready["targets"], ready, is_target=False)
    wanted = task.postprocess(ready["targets"], ready, is_target=True)
    for metric in task.metric_fns:
        for name, value in metric([wanted] * 4, [right] * 4).items():
            assert value == pytest.approx(100.0), name
