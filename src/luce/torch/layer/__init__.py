"""A last layer's rows by numbers alone: a chunk at a time, by fast matrix products, and only the blocks that count."""
