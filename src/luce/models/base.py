"""What every fitted linear classifier can do, however it came by its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from luce.models.evaluation.calibration import temperature
from luce.models.inputs.kinds import Array, Features, Labels, Weights
from luce.models.inputs.labels import check_kind, plain_labels
from luce.models.inputs.rows import checked_rows, checked_weights
from luce.models.inputs.targets import is_table, targets
from luce.models.linear.scores import scores
from luce.models.probabilities import as_logits, log_probabilities, probabilities
from luce.models.summary import Summary

__all__ = ["LinearClassifier"]

Self = TypeVar("Self", bound="LinearClassifier")


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predictions from `coef_`, `intercept_`, `classes_`, `temperature_` and, for the sigmoid loss, `multilabel_`."""

    loss: str
    n_threads: int | None
    fit_intercept: bool
    classes_: Array
    coef_: Any
    intercept_: Array
    temperature_: float
    multilabel_: bool
    solver_: str
    fit_seconds_: float
    n_iter_: Array
    loss_curve_: Array
    grad_norm_curve_: Array
    gap_: float
    n_features_in_: int
    covariance_: Array
    log_likelihood_: float
    null_log_likelihood_: float
    degrees_of_freedom_: float
    observations_: float

    def decision_function(self, X: Features) -> Array:
        """Return the scores W x + b: (N, K), or (N,) log-odds of ``classes_[1]`` for two classes."""
        found, dtype = self._scores(X)
        if dtype != found.dtype:
            found = np.clip(found, *(np.finfo(dtype).min, np.finfo(dtype).max)).astype(dtype)
        return found[:, 0] if found.shape[1] == 1 else found

    def predict(self, X: Features) -> Array:
        """Return the most probable class of each row, (N,); for several labels a row 0 or 1 for each class, (N, K)."""
        found, _ = self._scores(X)
        if self.multilabel_:
            return (found > 0).astype(np.int64)
        codes = (found[:, 0] > 0).astype(np.intp) if found.shape[1] == 1 else np.argmax(found, axis=1)
        return np.asarray(self.classes_[codes])

    def predict_proba(self, X: Features) -> Array:
        """Return the probabilities of the classes, (N, K), in the order of `classes_`.

        For ``loss="sigmoid"`` with one label a row the K sigmoids are divided by their sum, as scikit-learn's
        ``OneVsRestClassifier`` does; with several labels a row they are left as they are.
        """
        logits, dtype = self._logits(X)
        if self.multilabel_:
            found = np.asarray(expit(logits))
        else:
            found = probabilities(logits, sigmoids=self._sigmoids(), n_threads=self.n_threads)
        return found.astype(dtype, copy=False)

    def predict_log_proba(self, X: Features) -> Array:
        """Return the logarithms of the probabilities, (N, K), exact also where a probability underflows."""
        logits, dtype = self._logits(X)
        if self.multilabel_:
            found = np.asarray(log_expit(logits))
        else:
            found = log_probabilities(logits, sigmoids=self._sigmoids(), n_threads=self.n_threads)
        return np.asarray(np.clip(found, np.finfo(dtype).min, None), dtype)

    def score(self, X: Features, y: Labels, sample_weight: Weights = None) -> float:
        """Return the accuracy.

        Where y holds distributions, it is the probability that they give to the predicted classes, on average; for
        several labels a row, the share of the rows with every label right.
        """
        check_is_fitted(self, "coef_")
        sample_weight = checked_weights(sample_weight, X)
        if self.multilabel_:
            return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))
        if not is_table(y):
            y = plain_labels(y)
            check_kind(np.asarray(y), self.classes_)
            return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))
        logits, _ = self._logits(X)
        found = targets(y, None, None, loss="softmax", dtype=np.float64, classes=self.classes_)
        check_consistent_length(logits, found.target)
        codes = np.argmax(logits, axis=1)
        return float(np.average(found.target[np.arange(len(codes)), codes], weights=sample_weight))

    def calibrate(self: Self, X: Features, y: Labels, sample_weight: Weights = None) -> Self:
        r"""Fit the temperature T on rows that were not trained on: probabilities become softmax(scores / T).

        T minimises the cross-entropy of these rows, a convex problem in 1/T. Predicted classes, scores and coefficients
        stay as they are.

        Parameters
        ----------
        X : (N, D) array-like or sparse matrix
        y : (N,) labels or (N, K) probabilities
        sample_weight : (N,) array-like or None

        Returns
        -------
        LinearClassifier
            The estimator itself, with `temperature_` set.

        Raises
        ------
        ValueError
            For classes that the model does not know, or with ``loss="sigmoid"`` for K > 2.

        References
        ----------
        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017), "On calibration of modern neural networks", ICML.
        """
        check_is_fitted(self, "coef_")
        if self._sigmoids():
            raise ValueError("calibrate fits the softmax's temperature; this model has loss='sigmoid'")
        before = self.temperature_
        self.temperature_ = 1.0
        try:
            logits, _ = self._logits(X)
            found = targets(
                y,
                checked_weights(sample_weight, logits),
                None,
                loss="softmax",
                dtype=logits.dtype,
                classes=self.classes_,
            )
            logits = logits if found.rows is None else logits[found.rows]
            before = temperature(logits, found.target, found.weights)
        finally:
            self.temperature_ = before
        return self

    def summary(self, *, reference: Any = None, level: float = 0.95) -> Summary:
        """Return coefficients with standard errors, z, p and confidence intervals, and measures of the fit.

        Parameters
        ----------
        reference : label or None
            A class whose coefficients are subtracted from the others', as statsmodels' ``MNLogit`` has them; None for
            coefficients that sum to 0 over the classes. With two classes the table is that of the log-odds.
        level : float
            Of the confidence intervals.

        Returns
        -------
        Summary
            Prints as a table; `to_frame` makes a pandas DataFrame of it.

        Raises
        ------
        ValueError
            If the model was fitted without `standard_errors`, the reference is no class, or the level no probability.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from luce.models.classifier import SoftmaxClassifier
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> summary = SoftmaxClassifier(standard_errors=True).fit(X, y).summary()
        >>> round(summary.mcfadden, 3)
        0.891
        """
        check_is_fitted(self, "coef_")
        if not hasattr(self, "covariance_"):
            raise ValueError("summary needs the covariance: fit with standard_errors=True")
        if not 0 < level < 1:
            raise ValueError(f"level must be a probability between 0 and 1, got {level!r}")
        rows, columns = self.coef_.shape
        coefficients = np.hstack([self.dense_coef(), self.intercept_[:, None]])
        labels = [str(label) for label in self.classes_.tolist()]
        covariance, named, against = self.covariance_, labels, None
        if rows == 1:
            named, against = labels[1:], labels[0]
            if reference is not None and str(reference) != against:
                raise ValueError(f"reference: with two classes it is the first, {labels[0]!r}, got {reference!r}")
        elif reference is not None and self._sigmoids():
            raise ValueError("reference: the sigmoids' coefficients have no shift in common that could be subtracted")
        elif reference is not None:
            if str(reference) not in labels:
                raise ValueError(f"reference must be one of the classes {labels}, got {reference!r}")
            at = labels.index(str(reference))
            change = np.delete(np.eye(rows) - np.eye(rows)[at], at, axis=0)
            wide = np.kron(change, np.eye(columns + 1))
            coefficients, covariance = change @ coefficients, wide @ covariance @ wide.T
            named, against = labels[:at] + labels[at + 1 :], labels[at]
        errors = np.sqrt(np.maximum(np.diagonal(covariance), 0)).reshape(coefficients.shape)
        terms = self._terms()
        if self.fit_intercept:
            terms.append("intercept")
        else:
            coefficients, errors = coefficients[:, :-1], errors[:, :-1]
        return Summary(
            named,
            terms,
            coefficients,
            errors,
            level,
            against,
            self.log_likelihood_,
            self.null_log_likelihood_,
            self.degrees_of_freedom_,
            self.observations_,
        )

    def report(
        self,
        path: Any,
        X: Features,
        y: Labels,
        sample_weight: Weights = None,
        *,
        test: Sequence[Any] | None = None,
        folds: int = 5,
        seed: int = 0,
        title: str = "Softmax classifier",
    ) -> None:
        """Write a page about the model: one HTML file that opens offline.

        It shows what the model learnt from, how it does on rows that it did not see beside the class shares alone, the
        way to the optimum, confusions, reliability before and after calibration, the strongest coefficients (with
        intervals, if there are standard errors), and the rows with the largest loss.

        Parameters
        ----------
        path : str or Path
            The file; it appears whole or not at all.
        X, y, sample_weight
            What the model was fitted to.
        test : (X, y) or (X, y, sample_weight), optional
            Rows to judge the model on; without them copies of it are judged by cross-validation.
        folds, seed : int
            Of the cross-validation; 0 folds to judge nothing.
        title : str
            Of the page.

        Raises
        ------
        ImportError
            Without Jinja2: ``pip install 'luce[report]'``.
        ValueError
            For a model of several labels a row, or labels that the model does not know.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self, "coef_")
        try:
            from luce.report.classifier_page import write_classifier_page
        except ModuleNotFoundError as error:
            raise ImportError(f"report needs {error.name}: pip install 'luce[report]'") from error
        write_classifier_page(self, path, (X, y, sample_weight), test=test, folds=folds, seed=seed, title=title)

    def sparsify(self: Self) -> Self:
        """Turn `coef_` into a sparse matrix, which saves memory and time where L1 left few coefficients."""
        check_is_fitted(self, "coef_")
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self: Self) -> Self:
        """Turn `coef_` back into an array."""
        check_is_fitted(self, "coef_")
        self.coef_ = self.dense_coef()
        return self

    def dense_coef(self) -> Array:
        """Return `coef_` as an array, also where it is sparse."""
        return np.asarray(self.coef_.toarray() if hasattr(self.coef_, "toarray") else self.coef_)

    def __sklearn_tags__(self) -> Any:
        """Say that sparse data are welcome, and tables of labels with the sigmoid loss."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = self.loss == "sigmoid"
        return tags

    def _checked(
        self, X: Features, y: Labels, sample_weight: Weights, *, reset: bool = True
    ) -> tuple[Any, Any, Array | None]:
        """Return the data as arrays, a frame of probabilities as it is, and the weights."""
        if sparse.issparse(y):
            y = y.toarray()  # type: ignore[attr-defined]
        table = is_table(y)
        given, y = y, y if table else plain_labels(y)
        X, y = checked_rows(self, X, y, reset=reset, multi_output=table)
        weights = checked_weights(sample_weight, X)
        return X, given if hasattr(given, "columns") and table else y, weights

    def _terms(self) -> list[str]:
        """Return the names of the columns, x0, x1, … where they have none."""
        names = getattr(self, "feature_names_in_", None)
        return [f"x{j}" for j in range(self.n_features_in_)] if names is None else [str(name) for name in names]

    def _several_labels(self, y: Labels) -> bool:
        """Tell whether each column of y is a label of its own."""
        return self.loss == "sigmoid" and is_table(y)

    def _sigmoids(self) -> bool:
        return self.loss == "sigmoid" and (self.multilabel_ or len(self.classes_) > 2)

    def _scores(self, X: Features) -> tuple[Array, Any]:
        """Return the scores, (N, K) or (N, 1), as they were computed, and X's dtype, which results are to have."""
        check_is_fitted(self, "coef_")
        X = checked_rows(self, X, reset=False)
        return scores(X, self.coef_, self.intercept_, self.n_threads), X.dtype

    def _logits(self, X: Features) -> tuple[Array, Any]:
        found, dtype = self._scores(X)
        found = as_logits(found)
        return found if self.temperature_ == 1 else found / found.dtype.type(self.temperature_), dtype
