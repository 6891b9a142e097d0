"""What is said before a table takes more memory than there is, and that many levels take little."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from luce.tables import memory
from luce.tables.memory import available_memory


def system(root, available, **limits):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 9999999 kB\nMemAvailable:  {available} kB\n")
    (root / "proc/self/statm").write_text("500 100 20 1 0 40 0\n")
    for name, value in limits.items():
        place = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{value}\n")


def test_what_is_available(tmp_path):
    page = available_memory.__globals__["os"].sysconf("SC_PAGE_SIZE")
    system(tmp_path / "a", 2048)
    assert available_memory(tmp_path / "a") == 2048 * 1024
    system(tmp_path / "b", 2048, memory_dot_max="max")
    assert available_memory(tmp_path / "b") == 2048 * 1024
    system(tmp_path / "c", 2048, memory_dot_max=1_000_000)
    assert available_memory(tmp_path / "c") == 1_000_000 - 100 * page
    system(tmp_path / "d", 2048, memory__memory_dot_limit_in_bytes=1_000_000)
    assert available_memory(tmp_path / "d") == 1_000_000 - 100 * page
    assert available_memory(tmp_path / "nowhere") is None


def test_too_little_memory_names_the_stream(luce, monkeypatch):
    rng = np.random.default_rng(0)
    pl.DataFrame({"x": rng.normal(size=2000), "y": rng.integers(0, 2, 2000)}).write_csv("t.csv")
    monkeypatch.setattr(memory, "available_memory", lambda: 47_999)
    result = luce("fit", "t.csv", "-t", "y")
    assert result.code == 2 and not Path("t.luce").exists()
    assert result.err == (
        "luce: t.csv: 2,000 rows of 1 features take about 0 MB of memory, 0 MB are there: "
        "--stream learns batch by batch\n"
    )
    monkeypatch.setattr(memory, "available_memory", lambda: 48_000)
    assert luce("fit", "t.csv", "-t", "y").code == 0
    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    assert luce("fit", "t.csv", "-t", "y", "--stream").code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss differ between systems")
@pytest.mark.parametrize("options", [["--folds", "2"], ["--stream"]])
def test_many_levels_take_little_memory(tmp_path, options):
    """20,000 rows of 6 columns with 200 levels: 192 MB as a dense table of features, 2 MB without its zeros."""
    rng = np.random.default_rng(0)
    rows = 20_000
    y = rng.integers(0, 2, rows)
    levels = {f"t{j}": [f"level {k}" for k in rng.integers(0, 200, rows)] for j in range(6)}
    pl.DataFrame(levels).with_columns(y=y).write_csv(tmp_path / "t.csv")
    program = (
        "import resource, sys; from luce.cli import main; import luce.tables.training.in_memory;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; code = main(sys.argv[1:]);"
        "print(code, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    words = ["fit", "t.csv", "-t", "y", "-q", *options, "--max-iter", "10", "--json"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=tmp_path)
    code, peak = map(int, done.stdout.split()[-2:])
    assert code == 0, done.stderr
    assert peak < 100
