"""Running a few lines of Python in a fresh interpreter with a changed environment."""

import os
import subprocess
import sys

OURS = ("LUCE_ISA", "LUCE_NUM_THREADS", "OMP_NUM_THREADS")


def python(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess:
    """Run ``code``; the variables that Luce reads are only those given."""
    inherited = {k: v for k, v in os.environ.items() if k not in OURS}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def output(code: str, *options: str, **environment: str) -> str:
    """What it prints, once it has succeeded."""
    done = python(code, *options, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
