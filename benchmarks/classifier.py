"""Time to the optimum: luce.SoftmaxClassifier beside the classifiers that minimise the same objective."""

import statistics
from dataclasses import dataclass, field

from benchmarks import fits, machine
from benchmarks.classifiers import CLASSIFIERS, OURS, RIVALS
from benchmarks.tables import TABLES

SECTION = "classifier"
WITHIN = 1e-6  # of the best known optimum, relatively: what every program has to reach
SHORT, LONG = 1.0, 10.0  # seconds: fits below are timed in turns, fits above once
REFERENCES = ("luce", "newton-cholesky", "newton-cg", "saga")  # the first that answers gives the first optimum known
TIGHT = 1e-12
AT_LEAST, AT_LEAST_BADLY_SCALED, AT_LEAST_SAGA, AT_LEAST_MEDIAN = 1.0, 10.0, 3.0, 5.0
PATIENCE = 1.5  # times the limit that a program's fits at all tolerances may take together
BLOCK = 32 << 20  # what luce holds of X and scores at a time


def run(names, limit, shrink):
    """Yield name, result of each table; a table whose data are not there is left out with a line that says so."""
    for name in names:
        shape = list(fits.answers(fits.describe, name, shrink, limit=limit))[-1]
        if "rows" not in shape:
            print(f"  {name} left out: {shape.get('error', 'its data took too long')}", flush=True)
            continue
        yield name, _measure(name, shape, limit, shrink)


@dataclass
class Ladder:
    """A program's fits at tighter and tighter tolerances; ``ended`` says why there are no more."""

    program: str
    tried: list = field(default_factory=list)
    ended: str | None = None

    def within(self, best):
        """The first fit close enough to the best known optimum, or None."""
        return next((rung for rung in self.tried if _gap(rung, best) <= WITHIN), None)

    def climb(self, best, limit, name, shrink):
        """Go on until a fit is close enough."""
        tolerances = CLASSIFIERS[self.program].tolerances[len(self.tried) :]
        threads = self.tried[-1]["threads"] if self.tried else None
        for answer in fits.answers(fits.fits, name, shrink, self.program, tolerances, threads, limit=limit):
            if "objective" not in answer:
                self.ended = answer.get("error") or f"not within {answer['over']:g} s"
                return
            self.tried.append(answer)
            if _gap(answer, best) <= WITHIN:
                return
            spent = sum(rung["seconds"] for rung in self.tried)
            if spent > PATIENCE * limit:
                self.ended = f"not within {spent:.0f} s over {len(self.tried)} tolerances"
                return
        self.ended = "at no tolerance"


def _gap(rung, best):
    return (rung["objective"] - best) / abs(best)


def _measure(name, shape, limit, shrink):
    table = TABLES[name]
    ladders = {
        program: Ladder(program) for program, classifier in CLASSIFIERS.items() if classifier.available(table, shape)
    }
    tight = _reference(name, ladders, limit, shrink)

    def best():
        rungs = [tight, *(rung for ladder in ladders.values() for rung in ladder.tried)]
        return min(rung["objective"] for rung in rungs if rung["objective"] == rung["objective"])

    # a program that goes lower than any before it may put one that had arrived out of reach again
    while waiting := [one for one in ladders.values() if not one.ended and one.within(best()) is None]:
        for ladder in waiting:
            ladder.climb(best(), limit, name, shrink)
            print(f"    {ladder.program}: {_outcome(ladder, best())}", flush=True)
    programs = {program: _told(ladder, best()) for program, ladder in ladders.items()}
    _time(name, shrink, limit, programs)
    result = {
        "machine": machine.description(machine.CLASSIFIERS),
        "shape": shape,
        "dtype": table.dtype,
        "C": table.C,
        "l1_ratio": table.l1_ratio,
        "what": table.what,
        "badly_scaled": table.badly_scaled,
        "growth": table.growth,
        "limit": limit,
        "best": best(),
        "non_zero": tight["non_zero"] / tight["coefficients"],
        "programs": programs,
        **compare(programs, limit, table.l1_ratio, table.badly_scaled),
    }
    if programs["luce"]["within"]:
        result["memory"] = _memory(name, shape, limit, shrink)
    return result


def _reference(name, ladders, limit, shrink):
    for program in (one for one in REFERENCES if one in ladders):
        answer = next(fits.answers(fits.fits, name, shrink, program, [TIGHT], limit=limit))
        if "objective" in answer:
            return answer
    return {"objective": float("inf"), "non_zero": 0, "coefficients": 1}


def _outcome(ladder, best):
    rung = ladder.within(best)
    if rung is not None:
        return f"{rung['seconds']:.3g} s at tol={rung['tol'] or 'default'}"
    nearest = f", gap {_gap(ladder.tried[-1], best):.1e}" if ladder.tried else ""
    return f"{ladder.ended}{nearest}"


def _told(ladder, best):
    """What the results keep of a program: the fit that counts, or the nearest it came and why it ended there."""
    counts = ladder.within(best) or min(ladder.tried, key=lambda rung: rung["objective"], default=None)
    told = {"within": ladder.within(best) is not None, "ended": ladder.ended, "ladder": ladder.tried}
    if counts is not None:
        told |= {key: counts[key] for key in ("seconds", "tol", "threads")} | {"gap": _gap(counts, best), "fits": 1}
    return told


def _time(name, shrink, limit, programs):
    """Several fits at the settled tolerance: short ones in turns, longer ones a process each; the longest are timed."""
    settled = {
        program: told
        for program, told in programs.items()
        if "seconds" in told and (told["within"] or program in OURS) and told["seconds"] <= LONG
    }
    short = {program: (told["tol"], told["threads"]) for program, told in settled.items() if told["seconds"] < SHORT}
    if short:
        rounds = 3 if sum(settled[program]["seconds"] for program in short) > SHORT else 5
        [answer] = fits.answers(fits.turns, name, shrink, short, rounds, limit=fits.PREPARATION)
        for program in short.keys() & answer.keys():  # else the fits that settled them stay
            programs[program] |= {"seconds": answer[program], "fits": rounds}
    for program, told in settled.items():
        if program not in short:
            arguments = name, shrink, program, [told["tol"]] * 3, told["threads"]
            again = list(fits.answers(fits.fits, *arguments, limit=limit))
            times = [answer["seconds"] for answer in again if "seconds" in answer]
            if times:
                told |= {"seconds": statistics.median(times), "fits": len(times)}


def _memory(name, shape, limit, shrink):
    """NumPy's peak beside what the fit needs: the logits, a dozen arrays like the coefficients, a block of rows."""
    [answer] = fits.answers(fits.memory, name, shrink, limit=limit)
    if "peak" not in answer:
        return None
    n, d, k = shape["rows"], shape["columns"], shape["classes"]
    bound = answer["itemsize"] * (n * k + 12 * k * d) + BLOCK
    return {"peak": answer["peak"], "bound": bound, "ratio": answer["peak"] / bound}


def compare(programs, limit, l1_ratio, badly_scaled):
    """Our time beside the fastest rival's, and beside saga's where the penalty is L1; the limit stands for never."""
    arrived = {program: told["seconds"] for program, told in programs.items() if program in RIVALS and told["within"]}
    fastest = min(arrived, key=arrived.get, default=None)
    ours = programs["luce"]
    if not ours["within"]:
        return {"fastest": fastest, "ratio": None, "target": None, "met": False}
    ratio = arrived.get(fastest, limit) / ours["seconds"]
    target = AT_LEAST_BADLY_SCALED if badly_scaled else AT_LEAST
    compared = {"fastest": fastest, "ratio": ratio, "target": target, "met": ratio >= target}
    if l1_ratio:
        saga = arrived.get("saga", limit) / ours["seconds"]
        compared |= {"saga": saga, "saga_target": AT_LEAST_SAGA, "met": compared["met"] and saga >= AT_LEAST_SAGA}
    return compared


def summary(results):
    """The last line: median and worst ratio against the fastest rival."""
    ratios = {name: one["ratio"] for name, one in results.items() if not one["growth"] and one["ratio"] is not None}
    missing = [name for name, one in results.items() if one["ratio"] is None]
    if not ratios:
        return "no table was fitted"
    worst = min(ratios, key=ratios.get)
    median = statistics.median(ratios.values())
    line = (
        f"{len(ratios)} tables: against the fastest rival {median:.1f} times as fast in the median "
        f"(target {AT_LEAST_MEDIAN:g}), {ratios[worst]:.2f} times at worst ({worst}; target {AT_LEAST:g})"
    )
    return line + (f"; not fitted by luce: {', '.join(missing)}" if missing else "")
