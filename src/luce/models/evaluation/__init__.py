"""How good a model is on rows that it did not learn from: folds, measures with standard errors, calibration."""
