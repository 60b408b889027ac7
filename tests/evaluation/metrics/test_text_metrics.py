"""BLEU, ROUGE and edit distance, beside the libraries called directly."""

import pytest
import sacrebleu
from rouge_score import rouge_scorer, scoring

from t2t.errors import UserError
from t2t.evaluation.confidence import bootstrap_metric
from t2t.evaluation.metrics import bleu, edit_distance, rouge, rouge_mean

TARGETS = [
    "The cat is on the mat.",
    "There is a quick brown fox jumping over the lazy dog!",
    "Hello world, this is a test . It has two sentences .",
]
PREDICTIONS = [
    "The cat sat on the mat.",
    "A quick brown fox jumps over the lazy dog!",
    "Hello, this was a test . It had two sentences .",
]


@pytest.mark.parametrize("tokenizer", ["intl", "13a", "char", "none"])
def test_bleu_is_sacrebleus(tokenizer):
    expected = sacrebleu.corpus_bleu(PREDICTIONS, [TARGETS], tokenize=tokenizer).score
    assert bleu(TARGETS, PREDICTIONS, tokenizer=tokenizer)["bleu"] == pytest.approx(expected)


def test_identical_texts_score_100():
    assert bleu(TARGETS, TARGETS)["bleu"] == pytest.approx(100)
    assert rouge_mean(TARGETS, TARGETS) == {"rouge1": 100, "rouge2": 100, "rougeLsum": 100}
    assert edit_distance(TARGETS, TARGETS)["max_edit"] == 0
    assert bleu(TARGETS, ["", "", ""])["bleu"] == 0


def test_several_references_belong_to_their_example():
    targets = [["a b c d", "a b c e"], ["f g h i", "f g h j"], ["k l m n", "k l m o"]]
    assert bleu(targets, ["a b c d", "f g h j", "k l m n"])["bleu"] == pytest.approx(100)
    with_fewer = [targets[0], "f g h i", targets[2][:1]]
    assert bleu(with_fewer, ["a b c e", "f g h i", "k l m n"])["bleu"] == pytest.approx(100)
    assert bleu([[t] for t in TARGETS], PREDICTIONS) == bleu(TARGETS, PREDICTIONS)


def test_bleu_on_pairs_drawn_again():
    [interval] = bootstrap_metric(bleu, TARGETS, PREDICTIONS, 0, samples=30).values()
    assert interval.low < bleu(TARGETS, PREDICTIONS)["bleu"] < interval.high


def test_rouge_is_rouge_scores():
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeLsum"])
    aggregator = scoring.BootstrapAggregator()
    scores = []
    for target, prediction in zip(TARGETS, PREDICTIONS, strict=True):
        scores.append(
            scorer.score(target.replace(" . ", " .\n"), prediction.replace(" . ", " .\n"))
        )
        aggregator.add_scores(scores[-1])
    mean, median = rouge_mean(TARGETS, PREDICTIONS), rouge(TARGETS, PREDICTIONS)
    for name, bootstrapped in aggregator.aggregate().items():
        assert mean[name] == pytest.approx(sum(100 * s[name].fmeasure for s in scores) / 3)
        assert median[name] == pytest.approx(100 * bootstrapped.mid.fmeasure, abs=2)
    assert rouge(TARGETS, PREDICTIONS) == median


def test_rouge_takes_other_keys():
    assert set(rouge_mean(TARGETS, PREDICTIONS, score_keys=["rougeL"])) == {"rougeL"}


def test_rouge_sees_sentences():
    target, prediction = "the cat ran . a dog sat .", "a dog sat . the cat ran ."
    assert rouge_mean([target], [prediction])["rougeLsum"] == 100
    joined = [text.replace(" . ", " ") for text in (target, prediction)]
    assert rouge_mean(joined[:1], joined[1:])["rougeLsum"] < 60


def test_edit_distance_counts_words():
    targets = ["a b c", "a", "x y"]
    predictions = ["a C b", "", "X y"]
    assert edit_distance(targets, predictions) == {
        "min_edit": 0,
        "max_edit": 2,
        "mean_edit": 1,
        "median_edit": 1,
        "sum_edit": 3,
    }
    assert edit_distance(targets, predictions, lower=False)["sum_edit"] == 4
    assert edit_distance(predictions, targets) == edit_distance(targets, predictions)


def test_words_of_the_edit_distance_are_between_single_characters():
    assert edit_distance(["Hi, you"], ["hi you"])["sum_edit"] == 1
    assert edit_distance(["it's"], ["it s"])["sum_edit"] == 0


def test_bleu_of_unequal_numbers():
    with pytest.raises(UserError, match="metric bleu was given 3 targets and 2 predictions"):
        bleu(TARGETS, PREDICTIONS[:2])


def test_the_nearest_of_several_references_counts():
    targets = [["a b c d", "x y"], "c d", ["no match", "e f g"]]
    predictions = ["x y", "c d", "e f"]
    values = rouge_mean.per_example(targets, predictions, score_keys=["rouge1", "rougeL"])
    assert values["rougeL"] == pytest.approx([100, 100, 80])
    assert values["rouge1"] == pytest.approx([100, 100, 80])
    assert rouge([[t] for t in TARGETS], PREDICTIONS) == rouge(TARGETS, PREDICTIONS)
    with pytest.raises(UserError, match="no reference at all"):
        rouge_mean([[]], ["a"])


def test_rouge_of_stems_and_of_other_scripts():
    assert rouge_mean(["the cats"], ["the cat"], score_keys=["rouge1"])["rouge1"] == pytest.approx(
        50
    )
    assert (
        rouge_mean(["the cats"], ["the cat"], score_keys=["rouge1"], use_stemmer=True)["rouge1"]
        == 100
    )
    for target, prediction, expected in [
        ("Привет, мир!", "привет мир", 100),
        ("हिन्दी भाषा", "हिन्दी", 200 / 3),
        ("我爱你", "我爱他", 200 / 3),
        ("Für das", "für den", 50),
    ]:
        found = rouge_mean([target], [prediction], score_keys=["rouge1"], any_script=True)
        assert found["rouge1"] == pytest.approx(expected)
    assert rouge_mean(["Привет"], ["Привет"], score_keys=["rouge1"])["rouge1"] == 0
