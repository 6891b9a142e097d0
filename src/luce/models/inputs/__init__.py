"""The data that a classifier is given, checked once: rows, weights, labels and soft labels."""
