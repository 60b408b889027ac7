"""Wrong flags of `t2t import` and `t2t export`."""

from pathlib import Path

import jax
import pytest

from t2t.cli import main


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["import", "--model_dir=x"], 2, "--from_hf --from_t5x is required"),
        (["import", "--from_hf=a", "--from_t5x=b", "--model_dir=x"], 2, "not allowed with"),
        (["import", "--from_hf=a"], 2, "--model_dir"),
        (["import", "--from_hf=a", "--model_dir=x", "--step=0"], 1, "--step is for --from_t5x"),
        (["import", "--from_hf=a", "--model_dir=x", "--with_optimizer"], 1, "--with_optimizer is"),
        (["import", "--from_hf=a", "--model_dir=x", "--activations=relu"], 1, "--activations is"),
        (["import", "--from_hf=a", "--model_dir=x"], 1, "'a' is no folder"),
        (["import", "--from_t5x=a", "--model_dir=x"], 1, "'a' is no folder"),
        (["import", "--from_hf=a", "--model_dir=x", "--gin.B=1"], 1, "take gin bindings"),
        (["export", "--model_dir=a", "--to_hf=x"], 1, "not the folder of a training run"),
        (["export", "--model_dir=a", "--to_hf=x", "--dtype=int8"], 2, "invalid choice: 'int8'"),
        (["export", "--model_dir=a"], 2, "--to_hf"),
    ],
)
def test_wrong_flags(words, status, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    if status == 2:
        with pytest.raises(SystemExit, match="2"):
            main(words)
    else:
        assert main(words) == 1
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not Path("x").exists()


def test_a_run_whose_configuration_was_cut_off_is_named(tmp_path, capsys):
    (tmp_path / "config.gin").write_text("import t2t\n")
    assert main(["export", f"--model_dir={tmp_path}", f"--to_hf={tmp_path / 'x'}"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "config.gin' is not as training wrote it: these have no value: train." in said
