"""Measure, print the tables, write ``results/``: ``python -m benchmarks [--only SECTION ...] [--quick] [--readme]``."""

import argparse
import time

from benchmarks import machine

machine.prepare()

from threadpoolctl import threadpool_limits  # noqa: E402

from benchmarks import in_place, linear_layer, loss_and_gradient, one_row, options, picture, report  # noqa: E402

SECTIONS = {module.SECTION: module for module in (loss_and_gradient, in_place, one_row, linear_layer, options)}


def main():
    """Run the sections that were asked for and keep what earlier runs left of the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), metavar="SECTION", help=" | ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small shapes, few rounds; prints and writes nothing")
    parser.add_argument("--readme", action="store_true", help="also put the figures into README.md")
    arguments = parser.parse_args()
    measured = {}
    begin = time.perf_counter()
    for name in arguments.only or SECTIONS:
        print(f"{name} …", flush=True)
        lines = []
        with threadpool_limits(machine.THREADS):
            for line in SECTIONS[name].run(arguments.quick):
                lines.append(line)
                print(f"  {line['case']}  {line['against']}: {line['ratio']:.2f} {line['ratio_is']}", flush=True)
        measured[name] = {"machine": machine.description(), "lines": lines}
    print(f"{time.perf_counter() - begin:.0f} s\n")
    if arguments.quick:
        print(report.markdown(measured))
        return
    known = {**report.load(), **measured}
    sections = {name: known[name] for name in SECTIONS if name in known}
    report.write(sections)
    picture.draw(sections)
    if arguments.readme:
        report.fill_readme(sections)
    print(report.markdown(sections))


if __name__ == "__main__":
    main()
