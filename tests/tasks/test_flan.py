"""The Flan Collection in the files it is published in."""

import gzip
import json

import pytest

from t2t.data.mixtures import mixing_rates
from t2t.data.registry import MixtureRegistry, TaskRegistry, import_shipped_tasks
from t2t.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))
    import_shipped_tasks()
    (tmp_path / "flan2022").mkdir()
    return tmp_path / "flan2022"


def test_weights_of_the_parts_and_of_their_files(folder):
    for prefix in ("", "byt5_"):
        rates = mixing_rates(MixtureRegistry.get(f"{prefix}flan2022"))
        assert len(rates) == 14
        assert rates[f"{prefix}flan2022_flan_zs_opt"] == pytest.approx(0.1)
        assert rates[f"{prefix}flan2022_niv2_fs_opt"] == pytest.approx(0.1)
        assert rates[f"{prefix}flan2022_dialog_zs_opt"] == pytest.approx(0.015)
    assert len(mixing_rates(MixtureRegistry.get("flan2022_t0"))) == 4


def test_a_file_is_read_packed_or_not(folder):
    task = TaskRegistry.get("flan2022_cot_zs_opt")
    with pytest.raises(
        UserError, match=r"cot_zs_opt_train.jsonl.gz' is not in .* && hf download --repo"
    ):
        task.raw_examples("train")
    example = {"inputs": "Why?", "targets": "Because.", "task": "cot"}
    packed = gzip.compress((json.dumps(example) + "\n").encode())
    (folder / "cot_zs_opt_train.jsonl.gz").write_bytes(packed)
    assert task.preprocess(task.raw_examples("train")[0], rng=None) == [example]
    task.source._opened.clear()
    (folder / "cot_zs_opt_train.jsonl").write_text(json.dumps(example) + "\n" + json.dumps(example))
    assert len(task.raw_examples("train")) == 2
    task.source._opened.clear()
