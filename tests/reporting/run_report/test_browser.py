"""The report in a headless Chromium of the system, driven by Playwright.

It is looked for in $CHROME and on the PATH; without one these tests are skipped.
"""

import contextlib
import json
import os
import shutil
import threading

import pytest

from t2t.reporting.run_report import server as module
from t2t.reporting.run_report.page import page as page_of
from t2t.reporting.run_report.runs import RunReader
from t2t.reporting.run_report.server import LivePage, Server
from tests.reporting.run_report.made_runs import entry, make_run

playwright = pytest.importorskip("playwright.sync_api")

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROME = os.environ.get("CHROME") or next(filter(None, map(shutil.which, _NAMES)), None)

pytestmark = pytest.mark.skipif(
    CHROME is None, reason=f"no Chromium: neither $CHROME nor any of {', '.join(_NAMES)} on PATH"
)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROME, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    runs = [make_run(folder / "first"), make_run(folder / "second", scale=2.0, batch_size=32)]
    path = folder / "report.html"
    read = [RunReader(str(run)).read(run.name) for run in runs]
    path.write_text(page_of(read), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser):
    """Opens a page of a width; after the test, there must be no message and no request."""
    pages = []

    def opening(address, width=1280, **settings):
        page = browser.new_page(viewport={"width": width, "height": 900}, **settings)
        page.set_default_timeout(15_000)
        messages, requests = [], []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        pages.append((page, address, messages, requests))
        page.goto(address)
        page.wait_for_selector("#loss svg path")
        return page

    yield opening
    for page, address, messages, requests in pages:
        page.close()
        assert messages == []
        assert {url.removesuffix("version") for url in requests} == {address}


def paths(page, selector="#loss"):
    return page.eval_on_selector_all(
        f"{selector} .plot path.curve", "found => found.map((e) => e.getAttribute('d'))"
    )


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws_and_fits(opened, report, width, scheme):
    page = opened(report, width, color_scheme=scheme)
    for part in ("#tasks .band", "#speed svg path"):
        page.locator(part.split()[0]).scroll_into_view_if_needed()
        page.wait_for_selector(part, state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, svg, pre')"
        " && e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.outerHTML)"
    )
    assert beyond == []
    page.evaluate("scrollTo(0, 0)")
    assert len(paths(page)) == 6  # two runs: loss of training and evaluation, token accuracy
    colours = page.eval_on_selector_all(
        "#loss .curve", "found => found.map((e) => getComputedStyle(e).stroke)"
    )
    assert len(set(colours)) == 2
    assert page.locator("#tasks .band").count() == 2
    assert page.locator("#tasks .baseline").count() == 2
    assert page.locator("#loss line.rollback").count() == 4
    assert page.locator("#predictions .verdict.right").count() > 0


def test_values_under_the_pointer_and_by_keys(opened, report):
    page = opened(report)
    chart = page.locator("#loss .chart").first
    box = chart.locator(".plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 13, box["y"] + 100)
    tip = chart.locator(".tip")
    assert tip.inner_text().split("\n") == [
        "step 400", "first train", "0.25", "second train", "0.5", "first eval", "2",
        "second eval", "4",
    ]  # fmt: skip
    page.mouse.move(5, 5)
    assert tip.is_hidden()
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert tip.inner_text().startswith("step 390\nfirst train\n0.2564")
    page.keyboard.press("Home")
    assert tip.inner_text().startswith("step 10\n")
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_scale_smoothing_axis_and_runs(opened, report):
    page = opened(report)
    linear = paths(page)
    page.check("#log")
    assert paths(page) != linear
    page.uncheck("#log")
    assert paths(page) == linear
    page.locator("#smoothing").fill("90")
    assert page.locator("#loss path.raw").count() == 6
    assert page.inner_text("#smoothed") == "0.9"
    page.locator("#smoothing").fill("0")
    ticks = page.locator("#loss .plot").first.inner_text()
    page.select_option("#axis", "tokens")
    assert "4000" in page.locator("#loss .plot").first.inner_text()
    assert page.locator("#loss .plot").first.inner_text() != ticks
    page.select_option("#axis", "hours")
    button = page.locator(".tools button", has_text="second")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert len(paths(page)) == 3
    page.locator(".tools button", has_text="first").click()
    assert "hidden" in page.locator("#loss .plot").first.inner_text()


@contextlib.contextmanager
def serving(run, monkeypatch):
    """The address of a run's live page."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.0)
    with Server(LivePage([RunReader(str(run))]), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


def append(run, line):
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_the_live_page_shows_what_is_new_and_keeps_its_place(opened, tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", steps=range(10, 201, 10))
    with serving(run, monkeypatch) as address:
        page = opened(address)
        page.check("#log")
        page.locator("#config-0 summary").click()
        page.locator("#others summary").click()
        page.evaluate("scrollTo(0, 500)")
        page.wait_for_timeout(200)
        before = page.evaluate("scrollY")
        append(run, entry(210))
        page.wait_for_selector("text=210 of 400")
        assert page.evaluate("scrollY") == before > 0
        assert page.is_checked("#log")
        assert page.locator("#config-0").get_attribute("open") is not None
        assert page.locator("#others").get_attribute("open") is not None
        page.evaluate("scrollTo(0, 0)")
        chart = page.locator("#loss .chart").first
        chart.focus()
        page.keyboard.press("End")
        assert chart.locator(".tip").inner_text().startswith("step 210")


def test_a_run_that_began_late_fills_its_charts_and_gets_a_key_with_its_first_evaluation(
    opened, tmp_path, monkeypatch
):
    run = make_run(tmp_path / "run", steps=range(610, 700, 10))
    with serving(run, monkeypatch) as address:
        page = opened(address)
        assert "0" not in page.locator("#loss .plot text").all_text_contents()
        assert page.locator(".tools .key").count() == 0
        append(run, {"step": 700, "eval/loss": 2.0})
        page.wait_for_selector(".tools .key")
