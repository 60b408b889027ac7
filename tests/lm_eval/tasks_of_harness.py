"""Local task files of lm-evaluation-harness, of every kind of request."""

import json

WORDS = ["the cat", "a dog sat", "the mat", "cats and dogs", "a cat on the mat"]
ENDS = [" sat", " on the mat", " and a dog", "."]
YAML = {
    "choice": """
task: t2t_choice
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_choice: "{{ends}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "rolling": """
task: t2t_rolling
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{whole}}"
metric_list: [{metric: word_perplexity}, {metric: byte_perplexity}, {metric: bits_per_byte}]
""",
    "until": """
task: t2t_until
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: generate_until
doc_to_text: "{{text}}"
doc_to_target: "{{ends[0]}}"
generation_kwargs: {until: [STOP], max_gen_toks: 8, do_sample: false}
metric_list: [{metric: exact_match}]
""",
}


def write(folder, stop='"."', repeats=40):
    """Files of tasks "t2t_choice", "t2t_rolling" and "t2t_until"; the folder for --include_path."""
    folder.mkdir(exist_ok=True)
    data = folder / "data.jsonl"
    records = [
        {"text": text, "ends": [*ENDS[i % 4 :], *ENDS[: i % 4]], "whole": f"{text} " * repeats}
        for i, text in enumerate(WORDS)
    ]
    data.write_text("".join(json.dumps(record) + "\n" for record in records))
    for name, text in YAML.items():
        text = text.replace("FILE", str(data)).replace("STOP", stop)
        (folder / f"{name}.yaml").write_text(text)
    return folder
