"""The judgement of a model on rows that it did not learn from: folds, measures with standard errors, calibration."""
