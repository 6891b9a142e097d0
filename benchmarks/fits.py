"""Fits in a process of their own, which ends at a time limit: what runs there, and how its answers come back."""

import functools
import multiprocessing
import time
import tracemalloc
import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.classifiers import CLASSIFIERS
from benchmarks.tables import TABLES
from benchmarks.timing import interleaved

PREPARATION = 600  # seconds: imports, data, and what a rival compiles in its first fit


def answers(work, *arguments, limit):
    """What the generator ``work(*arguments)`` yields in a fresh process.

    Its first answer, which says that it is ready, is not passed on. Ends with {"over": seconds} when an answer took
    longer than ``limit``, with {"error": text} when the work failed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send_all, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        allowed = PREPARATION
        while True:
            if not ours.poll(allowed):
                yield {"over": allowed}
                return
            answer = ours.recv()
            if answer is None:
                return
            if answer:
                yield answer
            allowed = limit
    except EOFError:
        yield {"error": "its process ended (out of memory?)"}
    finally:
        process.kill()
        process.join()
        ours.close()


def _send_all(connection, work, arguments):
    warnings.simplefilter("ignore")
    try:
        for answer in work(*arguments):
            connection.send(answer)
        connection.send(None)
    except Exception as error:
        connection.send({"error": f"{type(error).__name__}: {error}"[:300]})
        connection.send(None)


READY = {}


def describe(name, shrink):
    """The table's numbers of rows, columns, classes and entries."""
    X, y = TABLES[name].data(shrink)
    yield READY
    shape = {"rows": X.shape[0], "columns": X.shape[1], "classes": len(np.unique(y))}
    yield {**shape, "entries": X.nnz} if hasattr(X, "nnz") else shape


def fits(name, shrink, program, tolerances, threads=None):
    """One fit after another, each with its seconds, its objective, and how many coefficients are not zero.

    ``threads``: a pair of its settings, or None to choose the best of them.
    """
    table = TABLES[name]
    X, y = table.data(shrink)
    codes = np.unique(y, return_inverse=True)[1]
    make = CLASSIFIERS[program].make
    _warm_up(make, table, X, y)
    threads = threads or _best_threads(program, table, X, y)
    _set_threads(threads)
    yield READY
    for tol in tolerances:
        model = make(table, tol, len(y))
        seconds = _seconds(model, X, y)
        yield {
            "tol": tol,
            "threads": threads,
            "seconds": seconds,
            "objective": objective(table, X, codes, model.coef_, model.intercept_),
            "non_zero": int(np.count_nonzero(model.coef_)),
            "coefficients": int(np.size(model.coef_)),
        }


def turns(name, shrink, settings, rounds):
    """Seconds of several programs, each at its tolerance and with its threads, in turns."""
    table = TABLES[name]
    X, y = table.data(shrink)
    for program in settings:
        _warm_up(CLASSIFIERS[program].make, table, X, y)
    yield READY

    def fit(program, tol):
        return lambda: CLASSIFIERS[program].make(table, tol, len(y)).fit(X, y)

    yield interleaved(
        {program: fit(program, tol) for program, (tol, _) in settings.items()},
        rounds,
        {program: functools.partial(_set_threads, threads) for program, (_, threads) in settings.items()},
    )


def memory(name, shrink):
    """The most bytes that NumPy held during our fit beyond X and y."""
    table = TABLES[name]
    X, y = table.data(shrink)
    make = CLASSIFIERS["luce, default"].make
    _warm_up(make, table, X, y)
    yield READY
    tracemalloc.start()
    make(table, None, len(y)).fit(X, y)
    yield {"peak": tracemalloc.get_traced_memory()[1], "itemsize": X.dtype.itemsize}


def objective(table, X, codes, coef, intercept):
    """C Σ loss + penalty in float64, by the same arithmetic for everyone; two classes have one row of coefficients."""
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    X = X.astype(np.float64, copy=False)
    scores = X @ coef.T + np.asarray(intercept, dtype=np.float64)
    if scores.shape[1] == 1:
        losses = np.logaddexp(0, np.where(codes == 1, -1, 1) * scores[:, 0])
    else:
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(codes)), codes]
    penalty = table.l1_ratio * np.abs(coef).sum() + (1 - table.l1_ratio) / 2 * (coef**2).sum()
    return float(table.C * losses.sum() + penalty)


def _seconds(model, X, y):
    begin = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - begin


def _set_threads(threads):
    openmp, blas = threads
    threadpool_limits({"openmp": openmp, "blas": blas})


def _best_threads(program, table, X, y):
    """The setting with which its first iterations are fastest; the shortest of three times where they are short."""
    classifier = CLASSIFIERS[program]
    if len(classifier.threads) == 1:
        return classifier.threads[0]

    def seconds(threads):
        _set_threads(threads)
        times = []
        while len(times) < 3 and sum(times) < 1:
            times.append(_seconds(classifier.make(table, 1e-10, len(y)).set_params(max_iter=3), X, y))
        return min(times)

    return min(classifier.threads, key=seconds)


def _warm_up(make, table, X, y):
    """Five iterations on a few rows of each class and a few columns: imports, threads and compilation are paid."""
    rows = np.concatenate([np.flatnonzero(y == label)[:3] for label in np.unique(y)])
    make(table, 1e-2, len(rows)).set_params(max_iter=5).fit(X[rows][:, :20], y[rows])
