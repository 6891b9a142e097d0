"""Text files as people have them: their form, their quotes, and how each column's values are read."""
