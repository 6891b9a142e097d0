"""Which reports of a training run are written and printed: the terminal's, the page, JSON."""

from __future__ import annotations

from pathlib import Path

from luce.cli.reports.as_json import as_json
from luce.cli.reports.terminal import print_report
from luce.tables.output_files import failing
from luce.tables.training.record import Training, training_facts

__all__ = ["publish"]


def publish(training: Training, *, model: Path, page: Path | None, json: bool, quiet: bool) -> None:
    """Write the page where one is asked for, and print the report, or its JSON, or nothing."""
    if quiet and not json and page is None:
        return
    facts = training_facts(training)
    if page is not None:
        from luce.report.page import write_page

        with failing(page):
            write_page(page, facts)
    written = {"model": model} | ({} if page is None else {"report": page})
    if json:
        print(as_json(training, facts, written))
    elif not quiet:
        print_report(training, facts, list(written.values()))
