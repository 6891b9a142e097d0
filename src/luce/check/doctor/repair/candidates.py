"""The candidates: the changes of a function's text in the order in which they are tried, by what its run tells."""

from __future__ import annotations

from dataclasses import replace

from luce.check.calling.call import Call
from luce.check.doctor.closeness import Case
from luce.check.doctor.repair.changes import changes
from luce.check.doctor.repair.recognition import Known, quantities_of, recognised
from luce.check.doctor.repair.recording import RETURNED, Left, recorded
from luce.check.doctor.repair.source import Edit, Source
from luce.check.doctor.repair.synthesis import expressions, synthesised

__all__ = ["candidates", "record_of"]

MOST_COUNTS = 2
SUSPECT = 0.35  # how much cheaper a change of a line is whose result is no step of the derivation


def candidates(source: Source, call: Call, case: Case) -> list[Edit]:
    """Return the changes, the likeliest first.

    Parameters
    ----------
    source : Source
    call : Call
        How the function is called.
    case : Case
        What it was given first, and what it returned.
    """
    record = record_of(source, call, case)
    known = quantities_of(case.probe)
    ran = {left.function.partition(".")[0] for left in record}
    seen = {(left.line, left.name): recognised(left.value, known) for left in record}
    recognised_lines = {line for (line, _), found in seen.items() if found is not None}
    unknown_lines = {line for line, _ in seen} - recognised_lines
    rows = len(case.probe.logits)
    found: dict[tuple[int, int, int, str], Edit] = {}
    for place, unit in enumerate(source.units):
        if ran and unit.name not in ran:
            continue
        own = [left for left in record if left.function.partition(".")[0] == unit.name and "[" not in left.name]
        counts = _counts(own, rows, call)
        scalars = list(dict.fromkeys(left.name for left in own if left.value.size == 1 and left.name.isidentifier()))
        words = list(expressions(_names(own, known, rows), counts, unit.text))
        made = (*changes(unit, place, counts, scalars), *synthesised(unit, place, words))
        for edit in made:
            old = unit.text[edit.start : edit.end]
            if old != edit.new and "\n" not in old:  # lines keep their numbers
                cheaper = SUSPECT if source.line_of(edit) in unknown_lines else 0.0
                key = edit.unit, edit.start, edit.end, edit.new
                cost = edit.cost - cheaper
                if key not in found or cost < found[key].cost:
                    found[key] = replace(edit, cost=cost)
    return sorted(found.values(), key=lambda edit: edit.cost)


def record_of(source: Source, call: Call, case: Case) -> list[Left]:
    """Return what the lines of the function leave when it is called with a probe."""
    return recorded(lambda: call(case.probe), [source.file])


def _counts(record: list[Left], rows: int, call: Call) -> list[str]:
    """Return expressions for the number of rows."""
    if call.rowwise:
        return []
    named = [
        left.name for left in record if left.value.size == 1 and left.value.item() == rows and left.name.isidentifier()
    ]
    of_array: dict[str, str] = {}
    for left in record:
        if left.value.ndim == 2 and left.name.removeprefix("self.").isidentifier():
            of_array.setdefault(left.function, left.name)
    if not named:
        named = [f"{name}.shape[{int(call.columns)}]" for name in of_array.values()]
    return list(dict.fromkeys(named))[:MOST_COUNTS]


def _names(record: list[Left], known: list[Known], rows: int) -> dict[str, str]:
    """Return the name that holds each quantity as it is, the first one that does."""
    found: dict[str, str] = {}
    for left in record:
        if not left.name.isidentifier() or left.name.startswith(RETURNED):
            continue
        for quantity in known:
            if quantity.value.shape == left.value.shape and quantity.value.size > 1:
                recognition = recognised(left.value, [quantity])
                if recognition is None:
                    continue
                if recognition.said == quantity.symbol:
                    found.setdefault(quantity.key, left.name)
                elif quantity.key == "t" and recognition.said.startswith(f"−1/{rows}"):
                    found.setdefault("minus_t_over_n", left.name)
    return found
