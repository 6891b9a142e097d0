"""The reports of a training run: on the terminal, as JSON, and which of them are published."""
