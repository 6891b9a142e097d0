"""Threads change the time and nothing else: same bits, one precedence, safe after fork and with many callers."""

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import luce
from levels import at_every_level
from luce.check.inputs import cases
from luce.check.truth.tolerance import assert_same_bits
from subprocesses import OURS, output

SHAPES = [(20000, 10), (3000, 100), (700, 1000), (40, 32000), (1, 200000)]


def drawn(n, v, dtype, target="index"):
    rng = np.random.default_rng(n)
    return (3 * rng.standard_normal((n, v))).astype(dtype), cases.target(target, rng, n, v, dtype)


def same(a, b):
    for x, y in zip(a, b, strict=True):
        assert_same_bits(x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_for_any_number_of_threads(shape, dtype):
    z, y = drawn(*shape, dtype)
    for _ in at_every_level():

        def everything(n):
            return [
                *luce.cross_entropy_and_grad(z, y, label_smoothing=0.1, n_threads=n),
                luce.cross_entropy(z, y, reduction="sum", n_threads=n),
                luce.cross_entropy_hvp(z, y, z, n_threads=n),
                luce.softmax(z, n_threads=n),
                luce.logsumexp(z, n_threads=n),
                luce.softmax_jvp(z, z, n_threads=n),
                *luce.sigmoid_cross_entropy_and_grad(z, np.ones_like(z), n_threads=n),
            ]

        alone = everything(1)
        for n in (2, 3, 8):
            same(everything(n), alone)


@pytest.mark.parametrize("target", ["distribution", "top-k", "ignored"])
def test_same_bits_for_other_targets(target):
    z, t = drawn(3000, 100, "float32", target)
    alone = luce.cross_entropy_and_grad(z, t, n_threads=1)
    for n in (2, 3, 8):
        same(luce.cross_entropy_and_grad(z, t, n_threads=n), alone)


def test_same_losses_of_a_layer_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, w, y = (
        rng.standard_normal((3000, 16)).astype("f4"),
        rng.standard_normal((500, 16)).astype("f4"),
        np.arange(3000) % 500,
    )
    alone = luce.linear_cross_entropy(x, w, y, reduction="none", n_threads=1)
    for n in (2, 3, 8):
        assert_same_bits(luce.linear_cross_entropy(x, w, y, reduction="none", n_threads=n), alone)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("v", [1, 2, 3, 5, 8, 10, 15, 16, 17, 31, 33, 64, 100, 257, 1000])
def test_same_bits_at_any_position_in_the_batch(v, dtype):
    z, y = drawn(50, v, dtype)
    for _ in at_every_level():
        whole = luce.cross_entropy_and_grad(z, y, reduction="none", z_loss=0.01)
        shares = luce.softmax(z)
        for start, stop in ((0, 1), (1, 2), (17, 18), (3, 19), (7, 50), (49, 50)):
            part = luce.cross_entropy_and_grad(z[start:stop], y[start:stop], reduction="none", z_loss=0.01)
            same(part, [whole[0][start:stop], whole[1][start:stop]])
            assert_same_bits(luce.softmax(z[start:stop]), shares[start:stop])


COUNT = "import luce; print(luce.show_config()['n_threads'])"


@pytest.mark.parametrize(
    ("code", "environment", "count"),
    [
        (COUNT, {"OMP_NUM_THREADS": "3"}, "3"),
        (COUNT, {"OMP_NUM_THREADS": "3", "LUCE_NUM_THREADS": "2"}, "2"),
        (COUNT, {"OMP_NUM_THREADS": "4,2"}, "4"),
        (
            "import luce; luce.set_num_threads(5); print(luce.show_config()['n_threads'])",
            {"LUCE_NUM_THREADS": "2"},
            "5",
        ),
        (
            "import luce; luce.set_num_threads(5); luce.set_num_threads(None); print(luce.show_config()['n_threads'])",
            {"LUCE_NUM_THREADS": "2"},
            "2",
        ),
        ("import luce, os; print(luce.show_config()['n_threads'] == len(os.sched_getaffinity(0)))", {}, "True"),
    ],
)
def test_precedence(code, environment, count):
    assert output(code, **environment).splitlines()[-1] == count


# a busy machine may end a thread before the last one starts: then it takes more calls to see them all
PEAK = """
import os, threading, time
import numpy as np, luce
z, y = np.zeros((6000, 2000), np.float32), np.zeros(6000, int)
{setting}
peak, done = [0], threading.Event()
def watch():
    while not done.is_set():
        peak[0] = max(peak[0], len(os.listdir("/proc/self/task")))
watcher = threading.Thread(target=watch)
watcher.start()
before = len(os.listdir("/proc/self/task"))
calls, end = 0, time.monotonic() + 60
while calls < 60 or (peak[0] - before + 1 < {count} and time.monotonic() < end):
    luce.cross_entropy(z, y, {argument})
    calls += 1
done.set()
watcher.join()
print(peak[0] - before + 1)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux shows them")
@pytest.mark.parametrize(
    ("setting", "argument", "count"),
    [
        ("", "", "2"),
        ("luce.set_num_threads(5)", "", "5"),
        ("luce.set_num_threads(5)", "n_threads=3", "3"),
        ("luce.set_num_threads(5)", "n_threads=1", "1"),
    ],
)
def test_as_many_threads_run_as_were_asked_for(setting, argument, count):
    code = PEAK.format(setting=setting, argument=argument, count=count)
    assert output(code, LUCE_NUM_THREADS="2", OMP_NUM_THREADS="7", OPENBLAS_NUM_THREADS="1") == count


# Fork


def forked_work(seed):
    z, y = drawn(3000, 100, "float32")
    return luce.cross_entropy_and_grad(z + np.float32(seed), y, n_threads=2)[0]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's own threads, where another test has loaded it
def test_a_fork_pool_works_after_threads_were_used():
    here = [forked_work(seed) for seed in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        there = pool.map_async(forked_work, range(4)).get(timeout=60)
    same(there, here)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_during_a_call_of_another_thread():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            forked_work(0)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            there = pool.map_async(forked_work, range(4)).get(timeout=60)
    finally:
        stop.set()
        thread.join()
    same(there, [forked_work(seed) for seed in range(4)])


# Concurrent callers


def test_many_python_threads_at_once():
    jobs = [(n, v, dtype) for n, v in ((500, 7), (300, 100), (60, 3000)) for dtype in ("float32", "float64")] * 6

    def work(job):
        z, y = drawn(*job)
        return [*luce.cross_entropy_and_grad(z, y, n_threads=2), luce.softmax(z, n_threads=3)]

    alone = {job: work(job) for job in set(jobs)}
    with ThreadPoolExecutor(8) as pool:
        for job, found in zip(jobs, pool.map(work, jobs), strict=True):
            same(found, alone[job])


def test_the_interpreter_runs_while_a_kernel_does():
    """The lock is released: another thread counts on while one long call is under way."""
    z, y = drawn(4000, 4000, "float64")
    luce.cross_entropy(z, y)
    ticks, inside, done = [], threading.Event(), threading.Event()

    def count():
        inside.wait()
        while not done.is_set():
            ticks.append(None)
            threading.Event().wait(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    inside.set()
    for _ in range(10):
        luce.cross_entropy(z, y, n_threads=1)
    done.set()
    thread.join()
    assert len(ticks) > 10


def test_variables_of_the_environment_are_those_that_are_tested():
    assert OURS == ("LUCE_ISA", "LUCE_NUM_THREADS", "OMP_NUM_THREADS")
