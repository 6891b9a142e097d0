"""Models trained by minimising the softmax cross-entropy of linear scores, as scikit-learn estimators."""
