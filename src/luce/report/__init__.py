"""The facts of a training run, and the page about them in one HTML file."""
