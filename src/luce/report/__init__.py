"""The page that a training run leaves: what was learnt from what, how well, and where it fails, in one HTML file."""
