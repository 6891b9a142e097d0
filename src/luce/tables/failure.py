"""What the user can put right: one line on standard error, exit code 2."""

__all__ = ["Failure"]


class Failure(Exception):
    """Carries the line; `luce.cli.app.run` prints it."""
