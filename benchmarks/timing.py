"""Times of several programs for the same job: in turns within one process, the median of the rounds."""

import gc
import statistics
import time

TURN = 0.04  # seconds: a program shorter than this runs several times in its turn
LONG = 2.0  # seconds: a program longer than this runs once in its turn, whatever the one before it left


def interleaved(programs, rounds, before=None):
    """Median seconds of each program.

    Every round gives each program one turn, beginning with another program each time. A turn is one call that is not
    timed, so that nobody pays for the heap, the caches and the still busy threads that the program before left, then as
    many timed calls as fit; of a long program, one timed call alone.

    Parameters
    ----------
    programs : dict of name to callable
        Each does the whole job and drops what it made.
    rounds : int
        Timed rounds; one more, whose times are not used, warms up.
    before : dict of name to callable, optional
        What runs, untimed, before each call of that program.
    """
    names = list(programs)
    nothing = dict.fromkeys(names, lambda: None)
    before = {**nothing, **(before or {})}
    medians = {name: [] for name in names}
    lengths = {name: _seconds(programs[name], before[name], 2)[-1] for name in names}
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                calls = max(1, min(20, round(TURN / lengths[name])))
                untimed = int(lengths[name] < LONG)
                times = _seconds(programs[name], before[name], calls + untimed)
                medians[name].append(statistics.median(times[untimed:]))
            gc.collect()
    finally:
        if enabled:
            gc.enable()
    return {name: statistics.median(values) for name, values in medians.items()}


def _seconds(program, before, calls):
    times = []
    for _ in range(calls):
        before()
        begin = time.perf_counter()
        program()
        times.append(time.perf_counter() - begin)
    return times


def compared(section, case, times, against, *, ours="luce", at_least=None, at_most=None, floor=False):
    """One line of the results: our time beside another's, with the target for their ratio if there is one.

    ``at_least``: theirs must be that many times ours. ``at_most``: ours must be no more than that many times theirs.
    ``floor``: what ours is measured against has less to do, so the ratio is ours by theirs.
    """
    mine, theirs = times[ours], times[against]
    floor = floor or at_most is not None
    ratio = mine / theirs if floor else theirs / mine
    target = at_most if floor else at_least
    return {
        "section": section,
        "case": case,
        "ours": ours,
        "against": against,
        "ours_seconds": mine,
        "theirs_seconds": theirs,
        "ratio": ratio,
        "ratio_is": "ours / theirs" if floor else "theirs / ours",
        "target": target,
        "target_is": None if target is None else ("at most" if floor else "at least"),
        "met": None if target is None else (ratio <= target if floor else ratio >= target),
    }
