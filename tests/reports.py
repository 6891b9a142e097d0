"""Facts for pages, of any size and as unkind as asked; and what a reader of HTML finds in a page."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from luce.report.facts import Coefficients, Column, Data, Facts, Model
from luce.report.held_out import HeldOut

EVIL = "<script>alert('&amp;')</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
NAMES = [
    EVIL,
    "שלום עולם",
    "مرحبا\u202e",
    "🌋 volcano",
    "long " * 4000,
    "",
    "naïve_café_" + "x" * 300,
    "\x00 bell \x07",
]
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


def facts_of(K=3, D=4, n=120, *, labels=None, features=None, sharpness=2.0, seed=0, judged=True, errors=True):
    rng = np.random.default_rng(seed)
    labels = labels or [f"class {k}" for k in range(K)]
    features = features or [f"feature_{j}" for j in range(D)]
    true = np.arange(n) % K
    logits = rng.normal(size=(n, K))
    logits[np.arange(n), true] += sharpness
    p, warm = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (logits, logits / 1.5))
    counts = np.bincount(true, minlength=K)
    rows = 1 if K == 2 else K
    coef = rng.normal(size=(rows, D))
    falling = 10.0 ** -np.arange(6)
    columns = [Column(name, "number", "standardised") for name in features]
    values = {name: [f"{value:.2f}" for value in rng.normal(size=n)] for name in features[:50]}
    judgement = HeldOut("5-fold cross-validation", true, p, counts / n, np.arange(n) + 1000, warm, 1.5, values)
    return Facts(
        "A title",
        Data("table.csv", "kind", labels, counts, n, 2, columns),
        Model("Softmax classifier", {"C": 1.0}, "newton", 0.25, 5, 0.1 + falling, falling, 3e-9),
        Coefficients(features, coef, rng.normal(size=rows), np.full(coef.shape, 0.5) if errors else None),
        judgement if judged else None,
    )


def held(facts, **changes):
    """The facts with another held-out judgement."""
    return replace(facts, held_out=replace(facts.held_out, **changes))


class Reading(HTMLParser):
    """The elements of a page in order, the text of each, and whether every one that is opened is closed in its turn."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.faults = [], [], [], [], []
        self.feed(source)
        self.close()
        self.faults += [f"never closed: {tag}" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("wbr", "bdi", "span", "strong"):
            self.text.append(" ")
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self):
        """All the text, single spaces between."""
        return " ".join("".join(self.text).split())
