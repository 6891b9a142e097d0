"""The page in a browser: nothing on its console, and nothing wider than the window, on a phone and at a desk."""

import html
import os
import subprocess

import pytest

from browsers import installed_browser
from luce.report.page import page
from reports import EVIL, NAMES, facts_of

# the page in a frame of a phone's or a desk's width, and what the browser then finds
FRAME = """<!doctype html><meta charset="utf-8"><title>not measured</title><body style="margin:0">
<iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe><script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  page.querySelectorAll("details").forEach(element => element.open = {opened});
  const root = page.documentElement, figure = page.querySelector(".figure");
  document.title = [root.clientWidth, root.scrollWidth, figure.getBoundingClientRect().width > 200].join(" ");
}}</script>"""


@pytest.fixture(scope="module")
def browser():
    return installed_browser()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a document; returns what became of it and what came to the console."""

    def open_it(source):
        place = tmp_path / "page.html"
        place.write_text(source, "utf-8")
        quietly = "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"
        asked = "--window-size=1280,1000", "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"
        run = subprocess.run(
            [browser, *quietly, *asked, place.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]

    return open_it


PAGES = {
    "plain": facts_of(K=3, D=12),
    "unkind names": facts_of(K=8, D=8, labels=NAMES, features=NAMES[::-1]),
    "20 classes": facts_of(K=20, n=400, labels=[EVIL * 5 + str(k) for k in range(20)]),
    "300 classes": facts_of(K=300, n=600, D=300),
    "not judged": facts_of(judged=False, K=2, D=1),
}


@pytest.mark.parametrize("facts", PAGES.values(), ids=PAGES)
def test_the_console_stays_empty(opened, facts):
    seen, console = opened(page(facts))
    assert "</footer>" in seen
    assert console == []


def test_the_console_would_tell(opened):
    _, console = opened(page(facts_of()).replace("</main>", "<img src='missing.png'></main>"))
    assert len(console) == 1 and "Content Security Policy" in console[0]


def measured(opened, source, width, unfolded=True):
    framed = FRAME.format(width=width, page=html.escape(source), opened=str(unfolded).lower())
    seen, _ = opened(framed)
    client, scroll, drawn = seen.partition("<title>")[2].partition("</title>")[0].split()
    assert drawn == "true"
    return int(client), int(scroll)


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("facts", PAGES.values(), ids=PAGES)
def test_nothing_is_wider_than_the_window(opened, facts, width):
    client, scroll = measured(opened, page(facts), width)
    assert width - 20 <= client <= width
    assert scroll == client


def test_what_is_wider_would_be_seen(opened):
    client, scroll = measured(opened, page(facts_of()).replace("</main>", "<p style='width:400px'>x</p></main>"), 390)
    assert scroll > client
