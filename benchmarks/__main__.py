"""Measure, print the tables, write ``results/``: ``python -m benchmarks [--only SECTION ...] [--quick] [--readme]``."""

import argparse
import os
import time

from benchmarks import machine

machine.prepare()

from threadpoolctl import threadpool_limits  # noqa: E402

from benchmarks import (  # noqa: E402
    classifier,
    in_place,
    linear_layer,
    loss_and_gradient,
    one_row,
    options,
    picture,
    report,
    torch_layer,
    torch_logits,
)
from benchmarks.tables import MULTICLASS, TABLES  # noqa: E402

SECTIONS = {
    module.SECTION: module
    for module in (loss_and_gradient, in_place, one_row, linear_layer, options, torch_logits, torch_layer)
}
SHRINK = 20  # how many times fewer rows the tables have with --quick


def main():
    """Run the sections that were asked for and keep what earlier runs left of the others."""
    names = [*SECTIONS, classifier.SECTION]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=names, default=list(SECTIONS), metavar="SECTION", help=" | ".join(names)
    )
    parser.add_argument("--quick", action="store_true", help="small shapes, few rounds; prints and writes nothing")
    parser.add_argument("--readme", action="store_true", help="also put the figures into README.md")
    fitting = parser.add_argument_group(f"section {classifier.SECTION!r}")
    fitting.add_argument(
        "--tables", nargs="+", choices=list(TABLES), default=list(TABLES), metavar="TABLE", help=" | ".join(TABLES)
    )
    fitting.add_argument("--limit", type=float, default=600, help="seconds that a fit may take (default: %(default)g)")
    fitting.add_argument("--data", metavar="FILE", help="LightGBM's multiclass.train")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ[MULTICLASS] = arguments.data
    begin = time.perf_counter()
    speed = [name for name in arguments.only if name in SECTIONS]
    if speed:
        _run_speed(speed, arguments)
    if classifier.SECTION in arguments.only:
        _run_classifier(arguments)
    print(f"{time.perf_counter() - begin:.0f} s")


def _run_speed(names, arguments):
    measured = {}
    forced = f", {os.environ['LUCE_ISA']}" if os.environ.get("LUCE_ISA") else ""
    for name in names:
        print(f"{name}{forced} …", flush=True)
        lines = []
        with threadpool_limits(machine.THREADS):
            for line in SECTIONS[name].run(arguments.quick):
                lines.append(line)
                print(f"  {line['case']}  {line['against']}: {line['ratio']:.2f} {line['ratio_is']}", flush=True)
        measured[name + forced] = {"machine": machine.description(), "lines": lines}
    if not arguments.quick:
        known = {**report.load(), **measured}
        measured = {name: known[name] for name in sorted(known, key=_place)}
        report.write("speed", measured, report.markdown(measured))
        picture.draw(measured)
        if arguments.readme:
            report.fill_readme(measured)
    print("\n" + report.markdown(measured))


def _place(name):
    """Sections in their order, each before itself on a forced level."""
    return list(SECTIONS).index(name.partition(",")[0]), name


def _run_classifier(arguments):
    """Every table is written as soon as it is measured."""
    measured = {}
    known = {} if arguments.quick else report.load("classifier")
    print(f"{classifier.SECTION} …", flush=True)
    if os.getloadavg()[0] > 1:
        print(
            f"  other programs are running (load {os.getloadavg()[0]:.1f}): they can make any time many times as long"
        )
    for name, result in classifier.run(arguments.tables, arguments.limit, SHRINK if arguments.quick else 1):
        known[name] = measured[name] = result
        print(f"  {name}: {report.classifier_line(result)}", flush=True)
        if not arguments.quick:
            known = {name: known[name] for name in TABLES if name in known}
            report.write("classifier", known, report.classifier_markdown(known))
            if any(one["growth"] for one in known.values()):
                picture.draw_growth(known)
    print("\n" + report.classifier_markdown(measured))


if __name__ == "__main__":
    main()
