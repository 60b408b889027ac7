from t2t import config
from t2t.gin_text import settings_of
from t2t.training.loop import train

BINDINGS = [
    "train.model_dir = 'x = 1'",
    "train.mixture = 'a # b'",
    "train.sequence_length = {'inputs': 64, 'targets': 32}",
    "train.batch_size = 8",
    "train.total_steps = %STEPS",
    "STEPS = 5",
    "train.model = %MODEL",
    "train.optimizer = @adamw()",
    "adamw.learning_rate = @constant_schedule()",
    "constant_schedule.peak = 1e-3",
]


def test_every_setting_of_an_operative_configuration():
    config.load(["models/bytes_tiny.gin"], BINDINGS)
    config.arguments_of(train)
    settings = settings_of(config.operative_config())
    assert settings["train.batch_size"] == "8"
    assert settings["train.model_dir"] == "'x = 1'"
    assert settings["train.mixture"] == "'a # b'"
    assert settings["train.total_steps"] == "%STEPS"
    assert settings["STEPS"] == "5"
    assert settings["train.optimizer"] == "@adamw()"
    assert settings["encoder/Attention.bias"] == "False"


def test_values_of_several_lines_and_a_file_that_is_cut_off():
    text = (
        "import my.tasks\n# Macros:\nA = \\\n    'long'\nB = {'x': 1,\n     'y': 2}\n\n"
        "  stray\nb/c.d = None\nb.cut"
    )
    assert settings_of(text) == {"A": "'long'", "B": "{'x': 1, 'y': 2}", "b/c.d": "None"}
