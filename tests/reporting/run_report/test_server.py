import json
import threading
import urllib.error
import urllib.request

import pytest

from t2t.errors import UserError
from t2t.reporting.run_report import server as module
from t2t.reporting.run_report.runs import RunReader
from t2t.reporting.run_report.server import LivePage, Server
from tests.reporting.run_report.made_runs import entry, make_run


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.0)
    run = make_run(tmp_path / "run", steps=range(10, 201, 10))
    with Server(LivePage([RunReader(str(run))]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield run, server
        server.shutdown()
        thread.join()


def get(server, path=""):
    with urllib.request.urlopen(server.address + path, timeout=10) as response:
        return response.read().decode()


def test_a_new_line_makes_a_new_page(served):
    run, server = served
    version, page = get(server, "version"), get(server)
    assert get(server, "version") == version
    assert f'data-version="{version}"' in page
    assert "200 of 400" in page
    assert "connect-src 'self'" in page
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(entry(210)) + "\n")
    assert get(server, "version") != version
    assert "210 of 400" in get(server)


def test_nothing_else_is_served(served):
    _, server = served
    assert server.server_address[0] == "127.0.0.1"
    for path in ("config.gin", "favicon.ico", "../x"):
        with pytest.raises(urllib.error.HTTPError) as error:
            get(server, path)
        error.value.close()
        assert error.value.code == 404


def test_a_port_that_is_taken(served):
    run, server = served
    with pytest.raises(UserError, match=r"Address already in use.*--port=0"):
        Server(LivePage([RunReader(str(run))]), server.server_address[1])
