"""Where the figures come from, and two threads for everyone: call ``prepare`` before NumPy or any peer is imported."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

THREADS = 2
PEERS = ["numpy", "scipy", "scikit-learn", "torch", "jax", "optax"]
CLASSIFIERS = ["numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "skglm"]


def prepare():
    """Bind the process to two CPUs and tell every thread pool so.

    XLA has no switch for its number of threads: it counts the CPUs that the process may use.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LUCE_NUM_THREADS"):
        os.environ[name] = str(THREADS)
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_X64"] = "1"


def processor():
    """The CPU's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine()


def description(peers=PEERS):
    """CPU, threads, versions, date."""
    import luce

    config = luce.show_config()
    versions = {}
    for name in peers:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": processor(),
        "cpus_of_the_machine": os.cpu_count(),
        "threads_of_every_side": THREADS,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "luce": config["version"],
        "isa": config["isa"],
        "compiler": config["compiler"],
        **versions,
    }
