"""Folders of runs as training leaves them, with known contents."""

import json

CONFIG = """import my.tasks
# Macros:
MODEL_DIR = '{name}'
TRAIN_STEPS = 400

# Parameters for train:
train.batch_size = {batch_size}
train.mixture = 'both'
train.model_dir = %MODEL_DIR
train.total_steps = %TRAIN_STEPS
"""
STARTS = [
    {"time": 1000.0, "step": 0, "device": "TPU v5e", "devices": 8, "processes": 2, "host": "a"},
    {"time": 5000.0, "step": 200, "device": "TPU v5e", "devices": 4, "processes": 1, "host": "b"},
]
WORDS = {"one": "uno", "two": "dos", "three": "tres", "four": "cuatro"}
SCRIPT = "</script><script>alert(1)</script>"


def entry(step, scale=1.0):
    """A log line of training; 8 tokens a step for "spanish", 2 for "spanish/few"."""
    return {
        "step": step,
        "train/loss": scale * 100 / step,
        "train/token_accuracy": 1 - 10 / step,
        "train/learning_rate": 1e-3,
        "train/grad_norm": 2.0,
        "train/grad_norm/encoder": 1.0,
        "train/spanish/loss": scale * 90 / step,
        "train/spanish/target_tokens": 5.0,
        "data/spanish/tokens": 8.0 * step,
        "data/spanish/examples": 1.0 * step,
        "data/spanish/few/tokens": 2.0 * step,
        "data/spanish/few/examples": 0.5 * step,
        "guard/skipped": 0.0 if step < 300 else 3.0,
        "guard/rollbacks": 0.0 if step < 300 else 1.0,
        "perf/step_seconds": 6.0,
        "perf/data_seconds": 2.0,
        "perf/productive_seconds": 6.0,
        "perf/memory_bytes": 2.0**31,
        "perf/mfu": 0.4,
        "custom/value": 7.0,
    }


def said(step, word):
    """Learnt one after the other; "four" is never right, "three" was right once."""
    right = {"one": step >= 100, "two": step >= 300, "three": step == 200}.get(word, False)
    return WORDS[word] if right else f"{word}o"


def make_run(folder, steps=range(10, 401, 10), scale=1.0, batch_size=16, words=WORDS):
    """A run of 400 steps, logged every 10 and evaluated every 100."""
    folder.mkdir(parents=True)
    lines = []
    for step in steps:
        lines.append(entry(step, scale))
        if step % 100 == 0:
            scores = {"loss": 2.0 * scale, "accuracy": step / 4}
            lines.append({"step": step, **{f"eval/spanish/{k}": v for k, v in scores.items()},
                          "eval/loss": 2.0 * scale})  # fmt: skip
            write_evaluation(folder, step, scores, words)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = CONFIG.format(name=folder.name, batch_size=batch_size)
    (folder / "config.gin").write_text(config)
    (folder / "started.txt").write_text("1000.000\n")
    (folder / "starts.jsonl").write_text("".join(json.dumps(s) + "\n" for s in STARTS))
    (folder / "parameters.txt").write_text("a  1\n1,234,567 parameters in all\n")
    for step in (300, 400):
        (folder / "checkpoints" / str(step)).mkdir(parents=True)
    (folder / "checkpoints" / "400.orbax-checkpoint-tmp").mkdir()
    return folder


def write_evaluation(folder, step, scores, words):
    (folder / "eval").mkdir(exist_ok=True)
    records = [
        {"inputs": f"es: {word}", "targets": target, "prediction": said(step, word)}
        for word, target in words.items()
    ]
    records[0]["inputs"] = f"es: {SCRIPT}"
    path = folder / "eval" / f"spanish-{step:06d}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    results = {
        "metrics": scores,
        "intervals": {"accuracy": [scores["accuracy"] - 5, scores["accuracy"] + 5]},
        "baselines": {"accuracy": 30.0, "unigram_loss": 4.0},
    }
    found = {"step": step, "settings": {}, "metrics": {}, "tasks": {"spanish": results}}
    (folder / "eval" / f"results-{step:06d}.json").write_text(json.dumps(found))
