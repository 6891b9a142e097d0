"""A model trained on a table, in memory or batch by batch, and the record that the training leaves."""
