"""The page that a fitted classifier writes about itself."""

import re

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import luce


def text(path):
    return re.sub(r"<[^>]+>", " ", path.read_text("utf-8"))


def test_it_says_what_cross_validation_found(tmp_path):
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = luce.SoftmaxClassifier(standard_errors=True).fit(X, y)
    model.report(tmp_path / "wine.html", X, y, folds=4, title="Three cultivars")
    page = text(tmp_path / "wine.html")
    assert "Three cultivars" in page
    assert "stratified cross-validation, 4 folds" in page
    assert "malic" in page and "178" in page
    assert model.coef_.shape == (3, 13)  # the model itself is left alone


def test_it_judges_on_test_rows_where_they_are_given(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    model = luce.SoftmaxClassifier().fit(X, y)
    model.report(tmp_path / "test.html", X, y, test=(X_test, y_test))
    page = text(tmp_path / "test.html")
    assert "171 rows" in page
    assert f"{log_loss(y_test, model.predict_proba(X_test)):.3f}" in page
    assert f"{model.score(X_test, y_test):.1%}" in page


@pytest.mark.parametrize("kind", ["soft", "sparse", "sigmoid", "weights", "L1", "unjudged", "cross-validated"])
def test_every_kind_of_model_has_a_page(kind, tmp_path):
    X, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y)) if kind == "weights" else None
    X = csr_array(X) if kind == "sparse" else X
    y = 0.9 * np.eye(3)[y] + 0.1 / 3 if kind == "soft" else y
    model = luce.SoftmaxClassifier(
        loss="sigmoid" if kind == "sigmoid" else "softmax", l1_ratio=1.0 if kind == "L1" else 0.0
    )
    if kind == "cross-validated":
        model = luce.SoftmaxClassifierCV(Cs=[0.1, 10.0], cv=3)
    model.fit(X, y, weight)
    model.report(tmp_path / "page.html", X, y, weight, folds=0 if kind == "unjudged" else 3)
    page = text(tmp_path / "page.html")
    assert ("3 folds" in page) == (kind != "unjudged")
    assert not re.search(r"\bnan\b", page)


def test_a_model_that_knows_nothing_is_told_so(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), rng.integers(0, 2, 100)
    luce.SoftmaxClassifier().fit(X, y).report(tmp_path / "page.html", X, y)
    assert "No better than the class shares alone" in text(tmp_path / "page.html")


def test_several_labels_a_row_are_refused_and_nothing_is_written(tmp_path):
    X, y = load_iris(return_X_y=True)
    table = np.column_stack([y > 0, y > 1]).astype(int)
    model = luce.SoftmaxClassifier(loss="sigmoid").fit(X, table)
    with pytest.raises(ValueError, match="one label a row"):
        model.report(tmp_path / "page.html", X, table)
    with pytest.raises(OSError):
        luce.SoftmaxClassifier().fit(X, y).report(tmp_path / "no folder" / "page.html", X, y)
    assert not list(tmp_path.iterdir())
