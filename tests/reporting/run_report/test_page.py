import json
import re
from html.parser import HTMLParser

import pytest

from t2t.cli import main
from t2t.reporting.run_report.page import page
from t2t.reporting.run_report.runs import RunReader
from tests.reporting.run_report.made_runs import SCRIPT, make_run


class Elements(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.found, self.ids = [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder / "one"), make_run(folder / "two", scale=2.0, batch_size=32)]
    return page([RunReader(str(path)).read(path.name) for path in runs])


def test_it_needs_nothing_else(source):
    elements = Elements(source)
    assert not {tag for tag, _ in elements.found} & {"link", "img", "iframe", "object", "form"}
    for _, attributes in elements.found:
        assert not attributes.keys() & {"src", "srcset", "onclick", "onload"}
    assert len(elements.ids) == len(set(elements.ids))
    assert "default-src 'none'" in source
    assert "connect-src" not in source
    scripts = [a for tag, a in elements.found if tag == "script"]
    assert [a.get("type") for a in scripts] == ["application/json", None]


def test_what_examples_say_is_text(source):
    assert SCRIPT not in source
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in source


def test_its_data(source):
    text = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', source, re.S)[1]
    data = json.loads(text)
    assert [run["name"] for run in data["runs"]] == ["one", "two"]
    assert data["runs"][0]["events"][-1] == {"step": 300, "kind": "rollback"}
    figures = [a for tag, a in Elements(source).found if a.get("class") == "chart"]
    assert [int(figure["data-chart"]) for figure in figures] == list(range(len(data["charts"])))
    assert figures[0]["aria-label"].startswith("loss: one train 0.25 at step 400; two train 0.5")


def test_predictions_and_settings_are_told(source):
    two = source[source.index("es: two") :]
    assert re.search(r'100 to 200</span><span class="verdict wrong".*?<mark>tw</mark>', two)
    assert re.search(r'300 to 400</span><span class="verdict right"[^>]*>.</span>'
                     r'<span class="text">dos<', two)  # fmt: skip
    assert re.search(r"train\.batch_size</td><td>16</td><td>32</td>", source)


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "one")
    make_run(tmp_path / "two")
    assert main(["report", "one"]) == 0
    assert capsys.readouterr().out == "Wrote report.html.\n"
    assert main(["report", "one", "two", "--output=both.html"]) == 0
    assert "<h1>2 runs</h1>" in (tmp_path / "both.html").read_text()
    capsys.readouterr()
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert main(["report", "one", "--output", "pages/x.html"]) == 1
    assert "Cannot write 'pages/x.html'" in capsys.readouterr().err
    assert main(["report", "none", "--output", "x.html"]) == 1
    assert "'none' is no folder" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
    assert main(["report", "one", "one"]) == 1
    assert "'one' is given twice" in capsys.readouterr().err
    assert main(["report", "one", "--serve", "--output=x"]) == 1
    assert main(["report", "one", "--port=1"]) == 1
    assert main(["report", "one", "--serve", "--port=70000"]) == 1
    assert "from 0 to 65535" in capsys.readouterr().err


def test_many_tasks_and_lines_stay_small(tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    names = [f"train/task{i}/loss" for i in range(40)]
    with (folder / "metrics.jsonl").open("w") as file:
        for step in range(1, 3001):
            values = {name: 1.0 / (step + i) for i, name in enumerate(names)}
            file.write(json.dumps({"step": step, **values}) + "\n")
    assert len(page([RunReader(str(folder)).read("long")] * 4)) < 2_000_000
