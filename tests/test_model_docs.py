"""The pages on models and their uses: their gin gives models, their tables are complete."""

import json
import re

import jax
import jax.numpy as jnp
import pytest

from t2t import config
from t2t.interop.families import all_families
from t2t.models.definition import Model
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.training.initialization import Initialization
from t2t.training.loop import train
from tests.docs.pages import ROOT

MODELS, INTEROP, PARTS = [ROOT / "docs" / f"{n}.md" for n in ("models", "interop", "finetuning")]
PAGES = [page for page in (MODELS, INTEROP, PARTS) if page.exists()]
NEEDED = ["MODEL_DIR = 'run'", "MIXTURE = 'spelling'"]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def examples():
    """The gin of each row of the table of choices."""
    table = MODELS.read_text(encoding="utf-8").split("## Every choice")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): re.findall(r"`(.*?)`", cells[3]) for cells in rows[1:]}


def computed(model):
    """The shape of logits of a small batch, without computing them."""
    tokens = jnp.ones((2, 8), jnp.int32)
    batch = {f"{side}_input_tokens": tokens for side in ("encoder", "decoder")}

    def logits(params):
        module = model.bind(params)
        return module(batch) if model.config.head else module.outputs(batch, "sequence_head")

    return jax.eval_shape(logits, model.abstract_params).shape


def check_sources(initialization, model):
    """Plans from the sources of a page: runs of T5 as its preset is, or models of the same body."""
    if not isinstance(model.config, EncoderDecoder):
        initialization.plan(model.abstract_params, [model.abstract_params])
        return
    config.load(["models/t5_1_1_small.gin", "runs/pretrain.gin"], NEEDED)
    whole = Model(config.arguments_of(train)["model"]).abstract_params
    initialization.plan(model.abstract_params, [whole] * len(initialization.sources))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working folder with the gin of the pages that is named, and a vocabulary."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nit\n")
    for page in PAGES:
        for text in blocks(page, "gin"):
            (tmp_path / re.match(r"# (\w+\.gin)", text)[1]).write_text(text)


@pytest.mark.parametrize("choice", examples())
def test_each_choice_is_a_model(choice):
    assert examples()[choice], choice
    config.load(["models/t5_1_1_small.gin", "runs/pretrain.gin"], [*NEEDED, *examples()[choice]])
    model = Model(config.arguments_of(train)["model"])
    assert computed(model) == (2, 8, 32128)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.usefixtures("files")
def test_gin_of_the_pages_loads(page):
    for text in blocks(page, "gin"):
        name = re.match(r"# (\w+\.gin)", text)[1]
        run = [] if "train.model_dir" in text or "runs/" in text else ["runs/pretrain.gin"]
        needed = [*NEEDED, *(["INIT_FROM = 'imported'"] * ("runs/finetune.gin" in text))]
        config.load([name, *run], needed)
        arguments = config.arguments_of(train)
        model = Model(arguments["model"])
        assert computed(model)
        if "trainable" in arguments:
            arguments["trainable"].select(model.abstract_params)
        if "lora" in arguments:
            assert arguments["lora"].kernels(model.abstract_params)
        initialization = arguments.get("init_from")
        if isinstance(initialization, Initialization):
            check_sources(initialization, model)


def test_the_table_of_presets_is_that_of_the_tests():
    path = ROOT / "tests" / "models" / "preset_counts.json"
    counts = json.loads(path.read_text(encoding="utf-8"))
    table = MODELS.read_text(encoding="utf-8").split("## Presets")[1]
    stated = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", table, flags=re.MULTILINE))
    assert stated == {name: f"{count['parameters']:,}" for name, count in counts.items()}


def test_the_table_of_families_is_complete():
    table = INTEROP.read_text(encoding="utf-8").split("## Which models")[1].split("\n## ")[0]
    for name, family in all_families().items():
        for kind in (*family.model_types, *family.config_classes, *getattr(family, "classes", ())):
            assert f"`{kind}`" in table, (name, kind)
