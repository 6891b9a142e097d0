"""The command line, run in this process."""

from commands import luce, one_blas_thread

__all__ = ["luce", "one_blas_thread"]
