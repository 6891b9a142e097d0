"""Where the figures come from, and two threads and one instruction set for everyone.

Call ``prepare`` before NumPy or any peer is imported.
"""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

THREADS = 2
PEERS = ["numpy", "scipy", "scikit-learn", "torch", "jax", "optax"]
# what keeps the others to AVX2: PyTorch and its compiler, OpenBLAS, XLA, NumPy
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "OPENBLAS_CORETYPE": "Haswell",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # names of NumPy 2.4
}
CLASSIFIERS = ["numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "skglm"]


def prepare():
    """Bind the process to two CPUs and tell every thread pool so; with ``LUCE_ISA=avx2`` keep every side to AVX2.

    XLA has no switch for its number of threads: it counts the CPUs that the process may use.
    """
    if os.environ.get("LUCE_ISA") == "avx2":
        os.environ.update(AVX2)
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
