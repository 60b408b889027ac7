import json
import pickle
import shutil

import numpy as np
import pytest

from t2t.data.sources import BadRecordError, TfdsDataSource, TfdsSplit
from t2t.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:::tensorflow_datasets", "ignore:::etils")
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("google_crc32c")


@pytest.fixture(scope="session")
def array_record_dir(tmp_path_factory):
    """`pairs:1.0.0` as TFDS itself prepares it: 20 and 5 examples in two shards each."""
    folder = tmp_path_factory.mktemp("tfds")

    class Pairs(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            text = tfds.features.Text()
            features = {
                "inputs": text,
                "label": tfds.features.ClassLabel(names=["a", "b"]),
                "ids": tfds.features.Sequence(np.int32),
                "tags": tfds.features.Sequence(text),
                "qas": tfds.features.Sequence({"question": text, "n": np.int32}),
                "languages": tfds.features.Translation(["de", "en"]),
                "raw": tfds.features.Tensor(shape=(), dtype=np.object_),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, _):
            return {"train": self._generate_examples(20), "test": self._generate_examples(5)}

        def _generate_examples(self, count):
            for i in range(count):
                yield (
                    i,
                    {
                        "inputs": f"é{i}",
                        "label": i % 2,
                        "ids": [i, i],
                        "tags": ["ü"] * (i % 3),
                        "qas": [{"question": f"q{i}", "n": i}] * 2,
                        "languages": {"de": f"ä{i}", "en": f"e{i}"},
                        "raw": b"\xff",
                    },
                )

    builder = Pairs(data_dir=str(folder), file_format="array_record")
    config = tfds.download.DownloadConfig(num_shards=2)
    builder.download_and_prepare(download_config=config)
    return folder


@pytest.fixture(scope="session")
def tfrecord_dir(array_record_dir, tmp_path_factory, write_tfrecord):
    """The same as TFRecord, which TFDS does not write without TensorFlow."""
    module = pytest.importorskip("array_record.python.array_record_module")
    folder = tmp_path_factory.mktemp("tfds")
    shutil.copytree(array_record_dir / "pairs", folder / "pairs")
    version = folder / "pairs" / "1.0.0"
    for shard in version.glob("*.array_record-*"):
        reader = module.ArrayRecordReader(str(shard), "")
        records = reader.read(list(range(reader.num_records())))
        write_tfrecord(shard.with_name(shard.name.replace("array_", "tf")), records)
        shard.unlink()
    info = json.loads((version / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (version / "dataset_info.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(params=["array_record_dir", "tfrecord_dir"])
def data_dir(request):
    return request.getfixturevalue(request.param)


def test_examples_are_read_in_any_order_with_text_as_str(data_dir):
    source = TfdsDataSource("pairs:1.0.0", tfds_data_dir=data_dir)
    assert source.splits == ("train", "test")
    examples = source.examples("train")
    assert len(examples) == 20
    by_label = {examples[i]["inputs"]: examples[i] for i in reversed(range(20))}
    assert set(by_label) == {f"é{i}" for i in range(20)}
    example = by_label["é17"]
    assert example["label"] == 1
    assert list(example["ids"]) == [17, 17]
    assert example["tags"] == ["ü", "ü"]
    assert example["qas"]["question"] == ["q17", "q17"]
    assert list(example["qas"]["n"]) == [17, 17]
    assert example["languages"] == {"de": "ä17", "en": "e17"}
    assert example["raw"] == b"\xff"


def test_the_order_is_that_of_tfds(array_record_dir):
    theirs = tfds.builder_from_directory(array_record_dir / "pairs" / "1.0.0").as_data_source()
    ours = TfdsDataSource("pairs:1.0.0", tfds_data_dir=array_record_dir)
    for split in ("train", "test"):
        expected = [example["inputs"].decode() for example in theirs[split]]
        assert [example["inputs"] for example in ours.examples(split)] == expected


def test_slices_and_other_data_sets_are_splits(data_dir):
    source = TfdsDataSource(
        "pairs:1.0.0",
        {
            "train": "train[20%:70%]",
            "few": "train[:3]",
            "test": TfdsSplit("pairs:1.0.0", "test", data_dir),
        },
        data_dir,
    )
    whole = [e["inputs"] for e in TfdsDataSource("pairs:1.0.0", None, data_dir).examples("train")]
    assert source.splits == ("train", "few", "test")
    assert [e["inputs"] for e in source.examples("train")] == whole[4:14]
    assert [e["inputs"] for e in source.examples("few")] == whole[:3]
    assert len(source.examples("test")) == 5
    assert {source.fingerprint(s) for s in source.splits} == {
        source.fingerprint(s) for s in source.splits
    }
    assert len({source.fingerprint(s) for s in source.splits}) == 3
    assert len(source.files("train")) == 2
    assert len(source.files("few")) == 1


def test_splits_as_a_list_and_a_version_with_stars(data_dir):
    source = TfdsDataSource("pairs:1.*.*", ["test"], data_dir)
    assert source.splits == ("test",)
    assert len(source.examples("test")) == 5


def test_the_folder_comes_from_the_environment(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert len(TfdsDataSource("pairs:1.0.0").examples("test")) == 5


def test_of_several_versions_the_first_that_is_there_is_read(data_dir):
    source = TfdsDataSource("pairs:0.9.0|1.0.0|2.0.0", ["test"], data_dir)
    assert len(source.examples("test")) == 5
    absent = TfdsDataSource("pairs:0.9.0|2.0.0", ["test"], data_dir)
    message = r"'pairs:2.0.0' is not prepared: .*pairs/2\.0\.0' \(nor 0\.9\.0\)\. There is: pairs:1"
    with pytest.raises(UserError, match=message):
        absent.examples("test")


def test_source_goes_to_other_processes(data_dir):
    source = TfdsDataSource("pairs:1.0.0", tfds_data_dir=data_dir)
    examples = pickle.loads(pickle.dumps(source.examples("test")))
    assert examples[0] == pickle.loads(pickle.dumps(source)).examples("test")[0]


def test_a_configuration_may_be_named_or_be_the_default(data_dir, tmp_path):
    folder = tmp_path / "pairs"
    shutil.copytree(data_dir / "pairs", folder / "plain")
    name = "pairs/plain:1.0.0"
    assert len(TfdsDataSource(name, ["test"], tmp_path).examples("test")) == 5
    with pytest.raises(UserError, match=r"no '.*pairs/1\.0\.0'\. There is: pairs/plain:1\.0\.0\."):
        TfdsDataSource("pairs:1.0.0", ["test"], tmp_path).examples("test")
    (folder / ".config").mkdir()
    (folder / ".config" / "metadata.json").write_text('{"default_config_name": "plain"}')
    assert len(TfdsDataSource("pairs:1.0.0", ["test"], tmp_path).examples("test")) == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pairs:2.0.0", r"no '.*/pairs/2\.0\.0'\. There is: pairs:1\.0\.0\."),
        ("pears:1.0.0", r"no '.*/pears/1\.0\.0'\. Did you mean 'pairs:1\.0\.0'\?"),
        (
            "glue/cola:2.0.0",
            r"import tensorflow_datasets as tfds, tensorflow_datasets\.text\.glue;",
        ),
        ("c4/en:3.1.0", r"Prepare it, after `pip install tensorflow 'tensorflow-datasets\[c4\]'`,"),
    ],
)
def test_what_is_not_prepared_is_named_with_how_to(data_dir, name, message):
    source = TfdsDataSource(name, ["train"], data_dir)
    with pytest.raises(UserError, match=message) as error:
        source.examples("train")
    assert f"tfds.builder('{name}', data_dir='{data_dir}', file_format='array_record')" in str(
        error.value
    )


def test_without_tfds_it_is_to_be_installed_first(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        UserError, match=r"not prepared: .* Install TFDS, `pip install 't2t\[tfds\]'`"
    ):
        TfdsDataSource("glue/cola:2.0.0", ["train"], tmp_path).examples("train")


def test_a_name_without_version_is_an_error():
    with pytest.raises(UserError, match="TFDS name 'pairs' lacks its version"):
        TfdsDataSource("pairs")
    with pytest.raises(UserError, match="TFDS name 'pairs' lacks its version"):
        TfdsDataSource(splits={"train": TfdsSplit("pairs", "train")})
    with pytest.raises(UserError, match="needs a tfds_name"):
        TfdsDataSource(splits=["train"])
    with pytest.raises(UserError, match="needs a tfds_name"):
        TfdsDataSource()


@pytest.mark.parametrize("split", ["trian", "trian[:10%]"])
def test_an_unknown_split_is_named_with_the_nearest(data_dir, split):
    source = TfdsDataSource("pairs:1.0.0", {"train": split}, data_dir)
    with pytest.raises(UserError, match=r"no split 'trian.*only 'train', 'test' .*mean 'train'\?"):
        source.examples("train")


def test_a_flipped_bit_is_named_with_shard_and_record(tfrecord_dir, tmp_path):
    shutil.copytree(tfrecord_dir / "pairs", tmp_path / "pairs")
    shard = tmp_path / "pairs" / "1.0.0" / "pairs-train.tfrecord-00001-of-00002"
    content = bytearray(shard.read_bytes())
    content[-10] ^= 1
    shard.write_bytes(content)
    examples = TfdsDataSource("pairs:1.0.0", None, tmp_path).examples("train")
    with pytest.raises(
        BadRecordError, match=r"train\.tfrecord-00001-of-00002', record 10 .*damage"
    ):
        examples[19]
    source = TfdsDataSource("pairs:1.0.0", None, tmp_path, on_bad_record="skip")
    assert [e is None for e in source.examples("train")] == [False] * 19 + [True]
    assert len(source.skipped) == 1


def test_a_missing_or_foreign_shard_is_named(data_dir, tmp_path):
    shutil.copytree(data_dir / "pairs", tmp_path / "pairs")
    version = tmp_path / "pairs" / "1.0.0"
    [train] = version.glob("*train*-00001-*")
    [test] = version.glob("*test*-00001-*")
    train.write_bytes(test.read_bytes())
    with pytest.raises(UserError, match=r"has \d records, but by dataset_info\.json it has 10"):
        TfdsDataSource("pairs:1.0.0", None, tmp_path).examples("train")
    train.unlink()
    with pytest.raises(UserError, match="-00001-of-00002' cannot be read: No such file"):
        TfdsDataSource("pairs:1.0.0", None, tmp_path).examples("train")


def test_a_format_without_random_access_is_refused(data_dir, tmp_path):
    shutil.copytree(data_dir / "pairs", tmp_path / "pairs")
    path = tmp_path / "pairs" / "1.0.0" / "dataset_info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"fileFormat": "riegeli"}))
    with pytest.raises(UserError, match="prepared as riegeli, which cannot be read in any order"):
        TfdsDataSource("pairs:1.0.0", None, tmp_path).examples("train")
