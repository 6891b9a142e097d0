"""The gradient doctor: runs a function on probes, compares it with the oracle, says what to change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from luce.check.calling.call import Call
from luce.check.calling.errors import NotRunnable, place_of
from luce.check.calling.roles import TARGETS, TASKS
from luce.check.calling.ways import ways_of_calling
from luce.check.doctor.diagnosis import FAIR, TIGHT, Case, Diagnosis, agrees, diagnose, part
from luce.check.doctor.mistakes import behaviours
from luce.check.doctor.mistakes.entry import Finding, Mistake
from luce.check.doctor.mistakes.reduction import gradient_stored_as_integers
from luce.check.doctor.report import Example, Report
from luce.check.inputs import probes
from luce.check.inputs.probes import Probe
from luce.check.truth.oracle import to_float

__all__ = ["assert_gradient", "gradient"]

Array = NDArray[Any]
Sizes = tuple[int | None, int | None]

BUILT_IN = ("label_smoothing", "temperature", "reduction", "ignore_index", "weight", "sample_weight")
"""Options that can be said of a function that has them built in."""

SIZES = ((None, None), (None, 10), (None, 3), (None, 2), (5, 5))
"""Rows and classes to try, one after the other, where a function runs on no probe: it may have a size built in."""

FEW = 3
"""Ways of calling in which two mistakes are looked for: the likeliest ones."""

MISUSED = (IndexError, KeyError, RuntimeError)
"""What a label out of range raises."""


def gradient(
    fn: Any,
    *,
    task: Literal["loss", "layer", "softmax", "vjp"] | None = None,
    framework: Literal["numpy", "torch", "jax", "list"] | None = None,
    target: Literal["index", "one-hot", "column"] | None = None,
    layout: Literal["rows", "columns"] | None = None,
    classes: int | None = None,
    dtype: str = "float64",
    descent: bool = False,
    **options: Any,
) -> Report:
    """Say whether a softmax cross-entropy, its gradient or both are right, and if not, which known mistake was made.

    The function is run on probes that tell every known mistake from every other, and what it returns is compared with
    multi-precision arithmetic. How it is called is found out from the names of its parameters and by trial.

    Parameters
    ----------
    fn : callable
        One of: (logits, target) → loss, gradient or both, of a batch or of one row; (x, W, b, y) → any of loss, dW, db,
        dx; (logits) → softmax or its Jacobian; (vector, logits or softmax) → the Jacobian times the vector. It takes
        NumPy arrays, PyTorch tensors, JAX arrays or lists. Also a ``torch.nn.Module``, a ``torch.autograd.Function``,
        or a class with ``forward`` and ``backward``. What a loss returns alone is differentiated by its framework.
    task, framework, target : str, optional
        What would be found out otherwise: what it computes, what it takes, the form of the target, where "column" is
        labels of shape (N, 1).
    layout : {"rows", "columns"}, optional
        Whether an example is a row of the logits or a column, likewise.
    classes : int, optional
        The number of classes that it has built in, likewise.
    dtype : str, default "float64"
        The dtype of the floats that it is given.
    descent : bool, default False
        The function returns minus the gradient on purpose.
    **options
        ``label_smoothing``, ``temperature``, ``reduction``, ``ignore_index``, ``weight`` (of the classes) or
        ``sample_weight`` (of the rows) of a function that has them built in; where it has a parameter of that name, the
        value is passed, and where that has a default, it counts as said. Anything else is passed as it is.

    Returns
    -------
    Report
        ``report.correct``, ``report.diagnosis``; ``print(report)`` for people, ``to_json()`` and ``to_html()``.

    Raises
    ------
    ValueError
        When an argument has no such value.

    Examples
    --------
    >>> import numpy as np
    >>> import luce.check
    >>> def loss_and_gradient(z, y):
    ...     e = np.exp(z - z.max(axis=1, keepdims=True))
    ...     p = e / e.sum(axis=1, keepdims=True)
    ...     rows = np.arange(len(y))
    ...     loss = -np.log(p[rows, y]).mean()
    ...     p[rows, y] -= 1
    ...     return loss, p
    >>> report = luce.check.gradient(loss_and_gradient)
    >>> report.correct, report.diagnosis[0].name
    (False, 'gradient not divided by N')
    """
    choices = (("task", task, TASKS), ("layout", layout, ("rows", "columns")), ("target", target, TARGETS))
    for argument, value, values in (*choices, ("reduction", options.get("reduction"), ("mean", "sum", "none"))):
        if value is not None and value not in values:
            raise ValueError(f"{argument} must be one of {', '.join(values)}, got {value!r}")
    name = getattr(fn, "__name__", type(fn).__name__)
    said = {key: value for key, value in options.items() if key in BUILT_IN}
    fixed = {key: value for key, value in options.items() if key not in BUILT_IN}
    how: dict[str, Any] = {"task": task, "framework": framework, "target": target, "layout": layout, "dtype": dtype}
    rows = _length(said, "sample_weight", None)
    classes = _length(said, "weight", classes)
    with _one_thread():
        return _examined(name, lambda sizes: _visits(fn, how, fixed, said, sizes, descent), rows, classes)


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch with one thread: probes are small, and threads would wait for each other."""
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before)


def _examined(
    name: str, visit: Callable[[Sizes], tuple[list[_Visit], str]], rows: int | None, classes: int | None
) -> Report:
    """The report on a function, of the first numbers of rows and classes for which it runs."""
    failure = ""
    ran: list[_Visit] = []
    for sizes in [(rows, classes)] if rows or classes else SIZES:
        visits, why = visit(sizes)
        failure = failure or why
        ran = ran or visits
        if any(v.call.usual or v.explained(1) for v in visits):
            if sizes != (None, None) and not (rows or classes):
                what = f"{sizes[1]} classes" if sizes[0] is None else "as many rows as classes"
                visits[0].notes.append(f"it runs for {what} only; otherwise {failure}")
            return _likeliest(visits).report(name)
        if why.startswith("it "):  # it ran, and what it returned can't be judged
            break
    return ran[0].report(name) if ran else Report(name, "not runnable", reason=failure or "no way to call it was found")


def _length(said: dict[str, Any], option: str, number: int | None) -> int | None:
    """How many weights were said; they must be as many as there are."""
    if said.get(option) is None:
        return number
    if np.ndim(said[option]) != 1 or number not in (None, len(said[option])):
        needed = "one dimension" if number is None else f"one dimension and {number} entries"
        raise ValueError(f"{option} must have {needed}, got shape {np.shape(said[option])}")
    return len(said[option])


def _visits(
    fn: Any, how: dict[str, Any], fixed: dict[str, Any], said: dict[str, Any], sizes: Sizes, descent: bool
) -> tuple[list[_Visit], str]:
    """The function called in all ways until it is right in one, and why it was not called in the first that failed."""
    visits: list[_Visit] = []
    failure = ""
    try:
        for call in ways_of_calling(fn, fixed=fixed, **how):
            if visits and (call.framework, call.derives) != (visits[0].call.framework, visits[0].call.derives):
                break
            try:
                visit = _Visit(call, said, sizes, descent)
            except NotRunnable as error:
                if call.usual and not failure.startswith("it returns"):
                    failure = str(error)
                if error.final:
                    break
            except Exception as error:
                failure = failure or place_of(error, fn)
            else:
                visits.append(visit)
                if visit.right and call.usual:
                    break
    except NotRunnable as error:
        failure = str(error)
    return visits, failure


def _likeliest(visits: Sequence[_Visit]) -> _Visit:
    """The way of calling that is right, or takes the fewest mistakes to explain; the usual ways come first.

    What is right of one row may be one mistake away from right of a batch. A function of one row, or of another layout,
    is taken for one only where more than one mistake would be needed otherwise.
    """
    usual = [visit for visit in visits if visit.call.usual]
    batch, rows = ([v for v in usual if v.call.rowwise == one] for one in (False, True))
    others = sorted((v for v in visits if not v.call.usual), key=lambda v: (v.call.rowwise, not v.right))
    right = [visit for visit in rows if visit.right]
    first = (*right, *batch) if usual and usual[0].call.task == "softmax" else (*batch, *right)
    best = next((visit for visit in first if visit.explained(1)), None)
    if best is not None and best in right:
        wrong = next((v for v in batch[:FEW] if v.explained(2) and v.mistakes() == 1), None)
        for mistake in wrong.diagnosis.found or () if wrong else ():
            if mistake.kind == "mistake":
                said = f"Of one row it is right, of a batch not. {mistake.said}"
                best.behaviours.append(replace(mistake, kind="limit", said=said))
    tried = (v for v in (*rows, *others) if v.telling() and (v.right or best is None))
    other = next((visit for visit in tried if visit.explained(1)), None)
    if best is None and other is not None:
        best = next((v for v in batch[:FEW] if v.explained(2) and v.mistakes() <= 1), other)
    if best is None:  # numbers of float64 may have been computed in float32
        ways = [*((visit, False) for visit in usual[:FEW]), *((visit, True) for visit in usual[:1])]
        best = next((visit for visit, coarse in ways if visit.explained(2, coarse)), (usual or others)[0])
    if other is not None and other is not best and not best.right and not other.mistakes():
        best.notes.append(f"it is right if it is meant to be called as {other.call.describe()}")
    return best


def assert_gradient(fn: Any, **options: Any) -> None:
    """Fail with the diagnosis unless :func:`gradient` finds the function right; for people's own tests.

    Parameters
    ----------
    fn : callable
    **options
        As for :func:`gradient`.

    Raises
    ------
    AssertionError
        When it is wrong or can't be run; the message is the report.

    Examples
    --------
    >>> import luce, luce.check
    >>> luce.check.assert_gradient(luce.cross_entropy_and_grad)
    """
    __tracebackhide__ = True  # pytest then shows the caller's line and the report
    report = gradient(fn, **options)
    if not report.correct:
        raise AssertionError(f"\n{report}")


class _Visit:
    """A function called in one way: what it returned, and what follows from that."""

    def __init__(self, call: Call, said: dict[str, Any], sizes: Sizes, descent: bool) -> None:
        self.call, self.descent, self.sizes, self.told = call, descent, sizes, said
        self.said = {**call.defaults, **said}
        base = probes.LAYERS if call.task == "layer" else (*probes.ORDINARY, probes.SMALL)
        self.behaviours: list[Finding] = []
        self.notes: list[str] = []
        self.cases: list[Case] = []
        for probe in base:
            try:
                case = self._case(probe)
            except NotRunnable:
                if probe is base[0]:
                    raise
            except Exception as error:
                if probe is base[0] and call.task != "layer":
                    raise
                self._label_out_of_range(probe, error)
            else:
                self.cases.append(case)
                if len(self.cases) == 1 and self._keeps_state(case):
                    break
        if not self.cases:
            raise NotRunnable(self.notes[0].partition(": ")[2])
        if self.cases[0][1].dtype in ("float16", "bfloat16"):  # too narrow for small probabilities
            self.cases = [case for case in self.cases if case[0].name != probes.SMALL.name]
        if not self.behaviours:
            self._with_options()
        if self.cases[0][1].overwritten:
            self.behaviours.append(behaviours.INPUT_OVERWRITTEN)
        self.right = not self.behaviours and all(self._fair(case) for case in self.cases)
        self.diagnosis = Diagnosis(())
        self.searched: dict[tuple[int, bool], Diagnosis] = {}

    def _case(self, probe: Probe, call: Call | None = None) -> Case:
        call = call or self.call
        probe = probes.resized(probe, *self.sizes)
        if probe.layer is not None and "b" not in call.roles:
            x, W, b = probe.layer
            probe = replace(probe, layer=(x, W, 0 * b), logits=x @ W.T)
        options = {**self.said, **probe.options}
        target = probe.target
        if "ignore_index" in self.said and probe.target.ndim == 1 and "ignore_index" not in probe.options:
            target = np.where(np.arange(len(target)) == len(target) // 2, self.said["ignore_index"], target)
        probe = replace(probe, options=options, target=target, rowwise=call.rowwise)
        returned = call(probe)
        each = np.shape(returned.outputs.get("loss", 0.0)) == (len(probe.logits),)
        if call.task == "loss" and each and "reduction" not in self.said:
            probe = replace(probe, options={**options, "reduction": "none"})
        if self.descent and "gradient" in returned.outputs:
            returned.outputs["gradient"] = -returned.outputs["gradient"]
        return probe, returned

    def _keeps_state(self, case: Case) -> bool:
        """Whether a second call with the same input gives something else; the mistake is noted."""
        probe, first = case
        second = self._case(probe)[1].outputs
        for name, value in first.outputs.items():
            if name in second and not agrees(value, second[name], TIGHT[first.dtype]):
                twice = agrees(2 * value, second[name], TIGHT[first.dtype])
                self.behaviours.append(behaviours.ACCUMULATED if twice else behaviours.SECOND_CALL_DIFFERS)
                return True
        return False

    def _label_out_of_range(self, probe: Probe, error: Exception) -> None:
        if probe is probes.ORDINARY[2] and self.sizes == (None, None) and isinstance(error, MISUSED):
            self.notes.append(f"with labels from 0 to V − 1 it raises {place_of(error, self.call.fn)}")
            self.behaviours.append(behaviours.LABELS_ONE_TOO_HIGH)
        else:
            self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")

    def _with_options(self) -> None:
        if self.call.task != "loss":
            return
        has = [name for name in self.call.parameters if name not in self.told]
        groups: list[tuple[str, ...]] = [(name,) for name in has]
        together = (("weight", "ignore_index"), ("label_smoothing", "ignore_index"), ("label_smoothing", "weight"))
        groups += [pair for pair in together if {*pair} <= {*has}]
        wanted = [probes.with_options(*group) for group in groups]
        if "reduction" in has:
            wanted.append(probes.with_options(reduction="none"))
        if self.cases[0][1].derived and "upstream" not in has:
            each = self.cases[0][1].outputs["loss"].ndim and not self.call.rowwise
            above = np.linspace(0.5, 2, 7) if each else 1.75
            wanted.append(replace(probes.with_options(), name="an upstream gradient other than 1", upstream=above))
        for probe in wanted:
            if self.call.target == "one-hot" and "ignore_index" in probe.options:
                continue
            try:
                self.cases.append(self._case(probe))
            except Exception as error:
                self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")
        if self.call.target == "one-hot":
            self._soft()

    def _soft(self) -> None:
        """Distributions as targets, where one-hot rows are taken: a known mistake counts, anything else is a note."""
        try:
            case = self._case(probes.SOFT)
        except Exception:
            self.notes.append("targets that are distributions are not taken")
            return
        if self._fair(case) or not all(self._fair(other) for other in self.cases) or diagnose([case], most=1).found:
            self.cases.append(case)
        else:
            self.notes.append("right for one-hot targets only, not for distributions")

    @cached_property
    def extremes(self) -> list[Case]:
        """What it returns for logits that leave the range of exp."""
        found: list[Case] = []
        if {*self.behaviours} - {behaviours.LABELS_ONE_TOO_HIGH} or self.call.task == "layer":
            return found
        for probe in probes.EXTREME:
            try:
                found.append(self._case(probe))
            except Exception as error:
                self.notes.append(f"{probe.name}: {place_of(error, self.call.fn)}")
        return found

    def _impossible_class(self) -> None:
        """Note where a logit of −inf, a class that is masked out, is not taken: that is beyond what most promise."""
        try:
            fair = self.call.task == "layer" or self._fair(self._case(probes.HOLES))
        except Exception:
            fair = False
        if not fair:
            self.notes.append("not right where a class is masked out by a logit of −inf")

    def _fair(self, case: Case) -> bool:
        return _error(case) <= FAIR[case[1].dtype]

    def telling(self) -> bool:
        """Whether it returns more than zeros, as a loss does that finds one class only."""
        return any(value.any() for _, returned in self.cases for value in returned.outputs.values())

    def explained(self, most: int, coarse: bool = False) -> bool:
        """Look for at most so many mistakes that explain everything; whether some were found."""
        cases = [*self.cases, *self.extremes]
        if coarse:
            cases = [(p, replace(o, dtype="float32" if o.dtype == "float64" else o.dtype)) for p, o in cases]
        if self.right and not all(_error(case) <= TIGHT[case[1].dtype] for case in self.cases):
            worst = max(_error(case) for case in self.cases)
            narrow = "float32" if worst < TIGHT["float32"] else self.cases[0][1].dtype
            cases = [(probe, replace(returned, dtype=narrow)) for probe, returned in cases]
        if (most, coarse) not in self.searched:
            found = diagnose(cases, most=most)
            nothing = "softmax" in self.call.roles and "softmax applied twice" in _names(found)  # it took no logits
            self.searched[most, coarse] = Diagnosis(None) if nothing else found
        self.diagnosis = self.searched[most, coarse]
        if self.diagnosis.found is None and most > 1 and self._half():
            self.behaviours.append(behaviours.HALF_PRECISION)
            self.diagnosis = Diagnosis(())
        return self.diagnosis.found is not None

    def named(self) -> str:
        """The diagnosis in a few words."""
        return " + ".join(_names(self.diagnosis))

    def mistakes(self) -> int:
        """How many mistakes explain it, conventions and limits aside."""
        return sum(mistake.kind == "mistake" for mistake in self.diagnosis.found or ())

    def _half(self) -> bool:
        """Whether the numbers are right to half precision and no further, without having that dtype."""
        dtype = self.cases[0][1].dtype
        worst = max(min(_error(case), 1.0) for case in self.cases if case[0].name != probes.SMALL.name)
        known = behaviours.HALF_PRECISION in self.behaviours
        return dtype in ("float64", "float32") and FAIR[dtype] < worst < FAIR["float16"] and not known

    def report(self, name: str) -> Report:
        """Put all of it into words."""
        found = self.diagnosis.found
        if found is not None:
            found = tuple(self._as_said(mistake) for mistake in found)
        if self.right:
            self._impossible_class()
        mistakes = (*(found or ()), *(b for b in self.behaviours if b.name not in {m.name for m in found or ()}))
        kinds = {kind: tuple(m for m in mistakes if m.kind == kind) for kind in ("mistake", "convention", "limit")}
        unknown = found is None and not self.right
        wrong = bool(kinds["mistake"]) or unknown
        order = [*self.cases, *self.extremes]
        broken = [case for case in order if _error(case) > FAIR[case[1].dtype]]
        return Report(
            name,
            "wrong" if wrong else "correct",
            called=self.call.describe(),
            task=self.call.task,
            checked=tuple(self.cases[0][1].outputs),
            diagnosis=(*kinds["mistake"], *kinds["convention"], *kinds["limit"]),
            ties=self.diagnosis.ties,
            part=part(*broken[0]) if unknown and broken else "",
            digits=None if wrong or kinds["convention"] else _digits(max(_error(case) for case in self.cases)),
            dtypes={} if wrong or kinds["convention"] else self._dtypes(),
            range={case[0].name: _error(case) <= FAIR[case[1].dtype] for case in self.extremes if self.right},
            example=self._example(broken) if wrong else None,
            notes=tuple(self.notes),
        )

    def _as_said(self, mistake: Mistake) -> Mistake:
        """A convention that contradicts what was said is a mistake; a derivative by what it takes is none."""
        if mistake.unless in self.said:
            return replace(mistake, kind="mistake")
        if "softmax" in self.call.roles and mistake.name == "gradient at the probabilities":
            return replace(mistake, kind="convention")
        if mistake.name == "gradient zero" and "gradient" in self.cases[0][1].whole:
            return gradient_stored_as_integers
        return mistake

    def _dtypes(self) -> dict[str, str]:
        """How many digits are right for inputs of other dtypes."""
        said = {}
        for dtype in ("float64", "float32", "float16", *(("bfloat16",) if self.call.framework == "torch" else ())):
            if self.call.framework == "list" and dtype != "float64":
                continue
            try:
                probe = probes.LAYERS[0] if self.call.task == "layer" else probes.ORDINARY[0]
                said[dtype] = f"{_digits(_error(self._case(probe, replace(self.call, dtype=dtype))))} digits"
            except Exception as error:
                said[dtype] = f"not taken, {type(error).__name__}"
        return said

    def _example(self, broken: Sequence[Case]) -> Example | None:
        """The smallest case that shows that something is wrong."""
        if self.call.task != "layer":
            try:
                smallest = self._case(probes.SMALLEST)
            except Exception:
                smallest = None
            if smallest and _error(smallest) > FAIR[smallest[1].dtype]:
                broken = [smallest]
        if not broken:
            return None
        probe, returned = min(broken, key=lambda case: case[0].logits.size)
        if not returned.outputs:
            return Example(probe.name, probe.logits[0], probe.target[0], "", None, None, 0)
        names = list(returned.outputs)[::-1]
        name = max(names, key=lambda n: _distance(probe, n, returned.outputs[n]) > FAIR[returned.dtype])
        right, value = _truth(probe, name), returned.outputs[name]
        row = 0
        if right.shape == value.shape and value.ndim and len(value) == len(probe.logits):
            off = np.abs(np.where(np.isfinite(value), value, 1e300) - right).reshape(len(value), -1).max(axis=1)
            row = int(off.argmax())
            right, value = right[row], value[row]
        return Example(probe.name, probe.logits[row], probe.target[row], name, right, value, row)


def _names(diagnosis: Diagnosis) -> list[str]:
    return [mistake.name for mistake in diagnosis.found or ()]


def _error(case: Case) -> float:
    """The largest error of an output, relative to its largest entry; infinite where one is not finite or misshapen."""
    probe, returned = case
    if returned.arithmetic:
        return np.inf
    return max(_distance(probe, name, value) for name, value in returned.outputs.items())


def _distance(probe: Probe, name: str, value: Array) -> float:
    right = _truth(probe, name)
    if right.shape != value.shape or not np.isfinite(value).all():
        return np.inf
    return float(np.abs(value - right).max(initial=0.0) / max(np.abs(right).max(initial=0.0), 1e-300))


@lru_cache(maxsize=256)
def _truth(probe: Probe, name: str) -> Array:
    return to_float(probe.truth(name).value)


def _digits(error: float) -> int:
    return int(min(16, max(0, np.floor(-np.log10(max(error, 1e-16)))))) if np.isfinite(error) else 0
