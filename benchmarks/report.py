"""The measured lines as Markdown and JSON in ``results/``, and as the README's table of figures."""

import json
import math
import re
from pathlib import Path

from benchmarks import classifier
from benchmarks.machine import CLASSIFIERS, PEERS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE.parent / "README.md"
LOGITS = "loss and gradient"
PEERS_IN_COLUMNS = (LOGITS, "torch logits")  # sections of logits: a table a type, a row a shape
IN_README = ("PyTorch eager", "torch.compile", "JAX", "SciPy", "scikit-learn")
BLOCK = re.compile(r"(<!-- figures: .*? -->\n).*?(<!-- end of figures -->)", re.S)


def load(name="speed"):
    """What earlier runs left: section -> {"machine", "lines"}, or table -> result for the classifier."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(name, results, text):
    """Replace the JSON and the Markdown file of this name."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)


def fill_readme(sections):
    """Put one table between the README's marks: how many times as long as ours the others take, on both levels."""
    levels = [sections[name] for name in (LOGITS, f"{LOGITS}, avx2") if name in sections]
    found = [_by_shape_and_peer(section["lines"], "float32") for section in levels]
    head = ["rows × classes, float32", "luce", *IN_README]
    rows = [
        [
            f"{shape[0]} × {shape[1]}",
            " / ".join(_time(one[(*shape, IN_README[0])]["ours_seconds"]) for one in found),
            *(_both([one.get((*shape, peer)) for one in found]) for peer in IN_README),
        ]
        for shape in dict.fromkeys((rows, classes) for rows, classes, _ in found[0])
    ]
    names = " / ".join(
        {"avx512": "AVX-512", "avx2": "AVX2"}.get(s["machine"]["isa"], s["machine"]["isa"]) for s in levels
    )
    text = f"{_table(head, rows)}\n\n{names}. {_provenance(levels[0]['machine'])}"
    README.write_text(BLOCK.sub(lambda found: found[1] + "\n" + text + "\n" + found[2], README.read_text()))


def _by_shape_and_peer(lines, dtype):
    """(rows, classes, peer) -> line."""
    return {
        (line["case"]["N"], line["case"]["V"], line["against"]): line
        for line in lines
        if line["case"]["dtype"] == dtype
    }


def _both(lines):
    return " / ".join(f"{line['ratio']:.1f}×" for line in lines if line) or "–"


def markdown(sections):
    """All sections, each with the machine that it was measured on."""
    parts = ["# Speed", "", "How it is measured: [README.md](../README.md)."]
    for name, section in sections.items():
        lines = section["lines"]
        parts += ["", f"## {name[0].upper()}{name[1:]}", ""]
        if name.partition(",")[0] in PEERS_IN_COLUMNS:
            for dtype, what in dict.fromkeys((line["case"]["dtype"], line["case"].get("what")) for line in lines):
                title = ", ".join(filter(None, [dtype, what]))
                parts += [
                    f"{title}, time of the other divided by ours (target in brackets):",
                    "",
                    _shapes(lines, dtype, what),
                    "",
                ]
        else:
            parts += [_lines(lines), ""]
        parts.append(_provenance(section["machine"]))
    return "\n".join(parts) + "\n"


def classifier_markdown(results):
    """All tables in one, each in its own, how the times grow, and the last line."""
    parts = ["# Time to the optimum", "", "How it is measured: [README.md](../README.md).", ""]
    compared = {name: one for name, one in results.items() if not one["growth"]}
    rows = [[f"[{name}](#{name})", *_compared(one)] for name, one in compared.items()]
    parts += [_table(["table", *_HEAD], rows), ""]
    for name, one in compared.items():
        parts += [f"## {name}", "", _what(one), "", _programs(one), "", *_memory(one), _provenance(one["machine"]), ""]
    growth = {name: one for name, one in results.items() if one["growth"]}
    if growth:
        programs = list(dict.fromkeys(program for one in growth.values() for program in one["programs"]))
        rows = [
            [f"{one['shape']['rows']:,}", *(_told(one["programs"].get(program), one["limit"]) for program in programs)]
            for one in growth.values()
        ]
        parts += ["## Growth", "", _what(next(iter(growth.values()))).split(", best")[0], ""]
        parts += [_table(["rows", *programs], rows), "", "![Time of a fit by rows](growth.png)", ""]
        parts += [_provenance(next(iter(growth.values()))["machine"]), ""]
    parts.append(classifier.summary(results))
    return "\n".join(parts) + "\n"


def classifier_line(one):
    """A table's result in a few words."""
    return ", ".join(f"{head} {text}" for head, text in zip(_HEAD, _compared(one), strict=True))


_HEAD = ["n × d × K", "luce", "by default (gap)", "fastest rival", "ratio", "target"]


def _what(one):
    shape, penalty = one["shape"], "L1" if one["l1_ratio"] else "L2"
    size = " × ".join(f"{shape[key]:,}" for key in ("rows", "columns", "classes"))
    entries = f", {shape['entries']:,} entries" if "entries" in shape else ""
    sparsity = f" ({one['non_zero']:.0%} of the coefficients not 0)" if one["l1_ratio"] else ""
    return (
        f"{one['what'][0].upper()}{one['what'][1:]}: {size}{entries}, {one['dtype']}, {penalty}, C={one['C']:g}"
        f"{sparsity}, best known optimum {one['best']:.9g}."
    )


def _compared(one):
    shape, programs, limit = one["shape"], one["programs"], one["limit"]
    default = programs.get("luce, default", {})
    ratio = "–"
    if one["ratio"] is not None:
        ratio = f"{'' if one['fastest'] else 'over '}{one['ratio']:.1f}×"
        if "saga" in one:
            ratio += f"; saga {one['saga']:.1f}×"
    target = f"{one['target']:g}×" if one["target"] else "–"
    target += f"; saga {one['saga_target']:g}×" if "saga" in one else ""
    rival = f"{one['fastest']}: {_time(programs[one['fastest']]['seconds'])}" if one["fastest"] else "none arrived"
    return [
        " × ".join(str(shape[key]) for key in ("rows", "columns", "classes")),
        _told(programs["luce"], limit),
        f"{_time(default['seconds'])} ({default['gap']:.0e})" if "seconds" in default else default.get("ended", "–"),
        rival,
        ratio,
        target + ("" if one["met"] else ", missed"),
    ]


def _told(program, limit):
    """A time, or why there is none."""
    if program is None:
        return "–"
    if program["within"]:
        return _time(program["seconds"])
    nearest = f" (gap {program['gap']:.0e})" if "gap" in program else ""
    return f"{program['ended'] or f'not within {limit:g} s'}{nearest}".replace("|", "/").replace("\n", " ")


def _programs(one):
    """A row a program, the fastest first."""
    programs, limit = one["programs"], one["limit"]
    ours = programs["luce"]["seconds"] if programs["luce"]["within"] else None
    rows = []
    for name in sorted(programs, key=lambda name: programs[name]["seconds"] if programs[name]["within"] else math.inf):
        told = programs[name]
        arrived = told["within"]
        rows.append(
            [
                name,
                _told(told, limit),
                f"{told['tol']:.0e}" if arrived and told["tol"] else "",
                " + ".join(map(str, told["threads"])) if arrived else "",
                f"{max(told['gap'], 0):.0e}" if arrived else "",
                f"{told['seconds'] / ours:.2f}" if arrived and ours else "",
            ]
        )
    return _table(["", "time", "tol", "OpenMP + BLAS threads", "gap", "time ÷ luce's"], rows)


def _memory(one):
    memory = one.get("memory")
    if not memory:
        return []
    return [
        f"Memory of luce's fit at its peak, without X: {_bytes(memory['peak'])}; n·K + 12·K·d numbers and a block of "
        f"32 MiB are {_bytes(memory['bound'])}{'' if memory['ratio'] <= 1 else ', exceeded'}.",
        "",
    ]


def _provenance(machine):
    parts = [
        f"{machine['cpu']}, {machine['threads_of_every_side']} of {machine['cpus_of_the_machine']} CPUs for every side",
        f"luce {machine['luce']} ({machine['isa']}, {machine['compiler']})",
        *(f"{name} {machine[name]}" for name in dict.fromkeys(["python", *PEERS, *CLASSIFIERS]) if machine.get(name)),
    ]
    return f"{', '.join(parts)}; {machine['date']}."


def _shapes(lines, dtype, what=None):
    """A row a shape, a column a peer."""
    lines = [line for line in lines if (line["case"]["dtype"], line["case"].get("what")) == (dtype, what)]
    peers = list(dict.fromkeys(line["against"] for line in lines))
    shapes = list(dict.fromkeys((line["case"]["N"], line["case"]["V"]) for line in lines))
    rows = []
    for shape in shapes:
        here = {line["against"]: line for line in lines if (line["case"]["N"], line["case"]["V"]) == shape}
        ours = next(iter(here.values()))["ours_seconds"]
        rows.append([f"{shape[0]} × {shape[1]}", _time(ours), *(_against(here.get(peer)) for peer in peers)])
    return _table([f"N × V, {dtype}", "luce", *(f"vs {peer}" for peer in peers)], rows)


def _against(line):
    if line is None:
        return "–"
    if line["target"] is None:
        return f"{line['ratio']:.1f}×"
    return f"{line['ratio']:.1f}× ({line['target']:g}×{'' if line['met'] else ', missed'})"


def _lines(lines):
    """A row a line: the case, both figures, their ratio, the target."""
    rows = []
    for line in lines:
        case = line["case"]
        shape = " × ".join(str(case[key]) for key in ("N", "D", "V") if key in case)
        what = ", ".join(filter(None, [shape, case["dtype"], case.get("what")]))
        figure = _bytes if "ours_bytes" in line else _time
        unit = "bytes" if "ours_bytes" in line else "seconds"
        theirs = figure(line[f"theirs_{unit}"]) if line["ratio_is"] != "bytes / 128 MiB" else ""
        target = "" if line["target"] is None else f"{line['target_is']} {line['target']:.2f}"
        rows.append(
            [
                what,
                f"{line.get('ours', 'luce')}: {figure(line[f'ours_{unit}'])}",
                f"{line['against']}: {theirs}".rstrip(": "),
                f"{line['ratio']:.2f} ({line['ratio_is']})",
                target + ("" if line["met"] in (None, True) else ", missed"),
            ]
        )
    return _table(["case", "ours", "beside", "ratio", "target"], rows)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _time(seconds):
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.2f} µs"


def _bytes(count):
    return f"{count / 2**20:.1f} MiB"
