"""A clone of Super-NaturalInstructions with few and small tasks, in the published layout."""

import json

CATEGORIES = {"task1_counting": "Counting", "task2_odd-one-out": "Word Analogy"}


def write_clone(folder, tasks=("task1_counting", "task2_odd-one-out"), test=("task3_titles",)):
    """Tasks of 30 instances each; returns the folder."""
    (folder / "tasks").mkdir(parents=True)
    for number, name in enumerate([*tasks, *test]):
        instances = [
            {"id": f"{name}-{i}", "input": f"What is {i}?", "output": [f"number {i}", f"no {i}"]}
            for i in range(30)
        ]
        task = {
            "Contributors": ["Someone"],
            "Source": ["somewhere"],
            "URL": ["https://example.org"],
            "Categories": [CATEGORIES.get(name, "Title Generation")],
            "Reasoning": [],
            "Definition": [f"Do what task {number} says."],
            "Input_language": ["English"],
            "Output_language": ["English"],
            "Instruction_language": ["English"],
            "Domains": ["News"],
            "Positive Examples": [
                {"input": "What is 7?", "output": "number 7", "explanation": "It is 7."}
            ],
            "Negative Examples": [{"input": "What is 8?", "output": "what", "explanation": "No."}],
            "Instances": instances,
            "Instance License": ["Unknown"],
        }
        path = folder / "tasks" / f"{name}.json"
        path.write_text(json.dumps(task, indent=4, ensure_ascii=False), encoding="utf-8")
    for track in ("default", "xlingual"):
        lists = folder / "splits" / track
        lists.mkdir(parents=True)
        (lists / "train_tasks.txt").write_text("\n".join(tasks) + "\n")
        (lists / "test_tasks.txt").write_text("\n".join(test) + "\n")
    return folder
