"""The truth: the loss in many digits, and how far a number may be from it."""
