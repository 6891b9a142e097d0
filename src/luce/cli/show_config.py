"""`luce show-config`: what was built and what will run."""

from __future__ import annotations

__all__ = ["show_config"]


def show_config() -> None:
    """Show the version, the instruction set, the threads and the compiler of this installation."""
    import luce

    for name, value in luce.show_config().items():
        print(f"{name:<14} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
