"""The measured lines as Markdown, JSON and a plot in ``results/``, and as the README's table of figures."""

import json
import re
from pathlib import Path

from benchmarks.machine import PEERS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE.parent / "README.md"
BLOCK = re.compile(r"(<!-- figures: .*? -->\n).*?(<!-- end of figures -->)", re.S)


def load():
    """What earlier runs left: section -> {"machine", "lines"}."""
    path = RESULTS / "speed.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(sections):
    """Replace the three files by what these sections say."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(sections, indent=1) + "\n")
    (RESULTS / "speed.md").write_text(markdown(sections))


def fill_readme(sections):
    """Put the table of the first section, and what the others promise, between the README's marks."""
    figures = [_shapes(sections["loss and gradient"]["lines"], "float32"), ""]
    for name in ("in place", "one row", "linear layer"):
        if name in sections:
            promised = [line for line in sections[name]["lines"] if line["target"] is not None]
            figures += [_lines(promised), ""]
    figures.append(_provenance(sections["loss and gradient"]["machine"]))
    text = "\n".join(figures)
    README.write_text(BLOCK.sub(lambda found: found[1] + "\n" + text + "\n" + found[2], README.read_text()))


def markdown(sections):
    """All sections, each with the machine that it was measured on."""
    parts = ["# Speed", "", "How it is measured: [README.md](../README.md)."]
    for name, section in sections.items():
        lines = section["lines"]
        parts += ["", f"## {name[0].upper()}{name[1:]}", ""]
        if name == "loss and gradient":
            for dtype in ("float32", "float64"):
                parts += [
                    f"{dtype}, time of the other divided by ours (target in brackets):",
                    "",
                    _shapes(lines, dtype),
                    "",
                ]
        else:
            parts += [_lines(lines), ""]
        parts.append(_provenance(section["machine"]))
    return "\n".join(parts) + "\n"


def _provenance(machine):
    parts = [
        f"{machine['cpu']}, {machine['threads_of_every_side']} of {machine['cpus_of_the_machine']} CPUs for every side",
        f"luce {machine['luce']} ({machine['isa']}, {machine['compiler']})",
        *(f"{name} {machine[name]}" for name in ("python", *PEERS) if machine[name]),
    ]
    return f"{', '.join(parts)}; {machine['date']}."


def _shapes(lines, dtype):
    """A row a shape, a column a peer."""
    lines = [line for line in lines if line["case"]["dtype"] == dtype]
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
