"""Every shipped model is one of Hugging Face's, but for those that have no counterpart there."""

import json
from pathlib import Path

import pytest

import gin
from t2t import config
from t2t.errors import UserError
from t2t.interop.families import equivalent, express
from t2t.models.definition import Model
from t2t.models.parameter_paths import shapes_of

WITHOUT = {
    **dict.fromkeys(("glm_base", "glm_large", "glm_10b"), "it has rotary positions"),
}
COUNTS = Path(__file__).parents[1] / "models" / "preset_counts.json"
NAMES = sorted(json.loads(COUNTS.read_text(encoding="utf-8")))


def preset(name):
    config.load([f"models/{name}.gin"], configurables=config.MODEL)
    return gin.query_parameter("MODEL/macro.value").scoped_configurable_fn()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT])
def test_a_family_has_it(name):
    model, _ = equivalent(preset(name))
    family, _ = express(model)
    family.table(model).parts(shapes_of(Model(model).abstract_params))


@pytest.mark.parametrize("name", WITHOUT)
def test_no_family_has_it(name):
    with pytest.raises(UserError, match=WITHOUT[name]):
        express(preset(name))
