import json

from t2t.data.vocabularies import SentencePieceVocabulary
from t2t.data.vocabularies.sentence_piece_proto import new_model
from t2t.interop.tokenizer_writing import write_tokenizer

# SentencePiece's ModelProto.SentencePiece.Type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
PIECES = [
    ("<pad>", 0.0, CONTROL),
    ("</s>", 0.0, CONTROL),
    ("<unk>", 0.0, UNKNOWN),
    ("\u2581a", -1.5, NORMAL),
    ("<sep>", 0.0, USER_DEFINED),
    ("old", -2.5, UNUSED),
    ("<0x41>", -3.5, BYTE),
]


def written(folder, pieces, model_type=1):
    model = new_model()
    for piece, score, kind in pieces:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = model_type
    spec = model.trainer_spec
    spec.pad_id, spec.eos_id, spec.unk_id, spec.bos_id = 0, 1, 2, -1
    (folder / "own.model").write_bytes(model.SerializeToString())
    (folder / "out").mkdir()
    write_tokenizer(SentencePieceVocabulary(str(folder / "own.model"), 2), folder / "out")
    path = folder / "out" / "tokenizer.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def test_pieces_of_every_type(tmp_path):
    definition = written(tmp_path, PIECES)
    model = definition["model"]
    sentinels = ["<extra_id_1>", "<extra_id_0>"]
    assert model["type"] == "Unigram"
    assert model["unk_id"] == 2
    assert model["vocab"] == [
        *([piece, score] for piece, score, _ in PIECES),
        *([name, 0.0] for name in sentinels),
    ]
    special = {token["content"]: token["id"] for token in definition["added_tokens"]}
    assert special == {"<pad>": 0, "</s>": 1, "<unk>": 2, "<extra_id_1>": 7, "<extra_id_0>": 8}
    assert definition["post_processor"]["special_tokens"]["</s>"]["ids"] == [1]


def test_bytes_are_a_fallback_only_where_there_are_byte_pieces(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    assert written(tmp_path / "with", PIECES)["model"]["byte_fallback"] is True
    assert written(tmp_path / "without", PIECES[:-1])["model"]["byte_fallback"] is False


def test_another_kind_of_model_has_no_such_file(tmp_path):
    assert written(tmp_path, PIECES[:4], model_type=2) is None  # BPE


def test_sentinels_that_the_model_has_are_written_once(tmp_path):
    held = [("\u2581<extra_id_1>", 0.0, 4), ("\u2581<extra_id_0>", 0.0, 4)]
    plain = [piece for piece in PIECES if piece[2] != 6]
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    definition = written(tmp_path / "without", plain)
    again = written(tmp_path / "with", [*plain, *held])
    assert again["model"]["vocab"] == definition["model"]["vocab"]
    assert again["added_tokens"] == definition["added_tokens"]
    config = json.loads((tmp_path / "with/out/tokenizer_config.json").read_text())
    assert config["extra_ids"] == 0
