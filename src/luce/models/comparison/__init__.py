"""The softmax classifier beside the linear classifiers of other losses, on the same folds."""
