"""Rows of logits and their targets as arrays: the door to the compiled kernels, and what goes with them."""
