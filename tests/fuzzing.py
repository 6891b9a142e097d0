"""Damaged tables and model files through the commands: exit code 0 or 2, one line, nothing half-written, no hang.

python tests/fuzzing.py --seconds 600 --seed 1    runs in processes of their own until the time is over
python tests/fuzzing.py --case 1234               runs one case again and leaves its files in fuzz-1234
"""

import argparse
import faulthandler
import io
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from luce.cli import main

LONGEST = 60  # seconds that a command may take
TOGETHER = 40  # cases in one process
WORDS = (
    b'" ""  \\" , ; \t | \n \r \r\n \n\n \x00 \xef\xbb\xbf \xff\xfe \xc3 NA nan inf -inf 1e999 -1e308 1e200 0x10 TRUE '
    b"true 1.0 007 9223372036854775808 99999999999999999999999999 2024-02-30 12/31/2024 # sep=; = % \xe2\x82\xac \xc2"
    b'\xa0 { } [ ] : null NaN 1e400 -1 \\ud800 "" PAR1 PK\x03\x04 PK\x05\x06 \x80\x00 \xff\xff\xff\xff'
).split(b" ")
COMMANDS = (
    "fit {table} -t y --folds 2 --max-iter 5 -o m.luce",
    "fit {table} -t y --json -q --folds 0 --report r.html -o m.luce",
    "fit {table} -t y --stream --held-out 0.3 --max-iter 5 -o m.luce",
    "fit {table} -t y --weights n --folds 0 -o m.luce",
    "predict {model} {table}",
    "predict {model} {table} -o out.csv",
    "predict {model} {table} --stream -o out.parquet",
)


@dataclass
class Case:
    """A number makes the whole case: which file is damaged and how, and what is done with it."""

    number: int

    def prepare(self) -> str:
        """Write the files into the present folder and return the command."""
        draw = random.Random(self.number)
        table, model = draw.choice(["t.csv", "s.csv", "t.parquet"]), "good.luce"
        for name, data in originals().items():
            Path(name).write_bytes(data)
        victim = draw.choice([table, table, model])
        data = originals()[victim]
        if victim == model and draw.random() < 0.7:
            data = inside(data, draw)
        else:
            data = damaged(data, draw)
        Path(victim).write_bytes(data)
        commands = [command for command in COMMANDS if victim != model or "{model}" in command]
        return draw.choice(commands).format(table=table, model=model)


def originals() -> dict[str, bytes]:
    """Return the files before they are damaged; made once."""
    if not ORIGINALS:
        rows = range(36)
        table = pl.DataFrame(
            {
                "n": [round(k * 0.37 % 5, 3) for k in rows],
                "k": [None if k % 9 == 4 else k * 7 % 11 for k in rows],
                "c": [["red", 'the "blue"', "a, b", None][k * 5 % 4] for k in rows],
                "d": pl.Series([19_000 + 37 * k % 400 for k in rows], dtype=pl.Int32).cast(pl.Date),
                "b": [k % 3 == 0 for k in rows],
                "y": [["no", "yes", "maybe"][k % 3] for k in rows],
            }
        )
        typed = table.with_columns(
            pl.col("n").cast(pl.Duration("us")).alias("span"),
            pl.col("k").cast(pl.Decimal(9, 2)).alias("money"),
            pl.col("c").cast(pl.Categorical).alias("kind"),
            pl.concat_list("k", "k").alias("list"),
            pl.col("y").cast(pl.Binary).alias("bytes"),
        )
        buffer = io.BytesIO()
        typed.write_parquet(buffer, compression="uncompressed", row_group_size=20)
        ORIGINALS.update({"t.csv": table.write_csv().encode(), "t.parquet": buffer.getvalue()})
        ORIGINALS["s.csv"] = table.write_csv(separator=";", quote_style="non_numeric").encode("utf-8-sig")
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "t.csv").write_bytes(ORIGINALS["t.csv"])
            assert main(["fit", f"{folder}/t.csv", "-t", "y", "-q", "--folds", "0", "-o", f"{folder}/m.luce"]) == 0
            ORIGINALS["good.luce"] = Path(folder, "m.luce").read_bytes()
    return ORIGINALS


ORIGINALS: dict[str, bytes] = {}


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Change, cut, double, insert or remove bytes, a few times over."""
    for _ in range(draw.choice([1, 1, 2, 3, 8])):
        at = draw.randrange(len(data) + 1)
        to = min(at + int(draw.paretovariate(0.5)), len(data))
        way = draw.randrange(7)
        if way == 0:
            data = data[:at] + bytes(draw.randrange(256) for _ in range(min(to - at, 16))) + data[to:]
        elif way == 1:
            data = data[:at] if draw.random() < 0.5 else data[at:]
        elif way == 2:
            data = data[:to] + data[at:]
        elif way == 3:
            data = data[:at] + data[to:]
        elif way == 4:
            data = data[:at] + draw.choice(WORDS) * draw.choice([1, 1, 1, 50]) + data[at:]
        elif way == 5:
            tokens = [match.span() for match in re.finditer(rb"[\w.+-]+", data)]
            if tokens:
                first, last = draw.choice(tokens)
                data = data[:first] + draw.choice(WORDS) + data[last:]
        else:
            lines = data.splitlines(keepends=True)
            if lines:
                lines.insert(draw.randrange(len(lines)), draw.choice(lines))
                data = b"".join(lines)
    return data


def inside(data: bytes, draw: random.Random) -> bytes:
    """Damage one part of a model file, and put the parts together again as if they were right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    victim = draw.choice(list(parts))
    parts[victim] = damaged(parts[victim], draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


@contextmanager
def captured(path: Path):
    """Send both outputs of the process, whoever writes to them, to a file."""
    sys.stdout.flush(), sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1), os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            for here, there in zip(kept, (1, 2), strict=True):
                os.dup2(here, there), os.close(here)


def fault_of(case: Case) -> str | None:
    """Run a case in the present, empty folder and say what is wrong with what happened."""
    command = case.prepare()
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    said = Path("said")
    begin = time.monotonic()
    try:
        with captured(said):
            code = main(command.split())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{command}: {type(error).__name__}: {str(error)[:300]}"
    took, told = time.monotonic() - begin, said.read_bytes().decode(errors="replace")
    said.unlink()
    after = {path.name: path.read_bytes() for path in Path().iterdir()}
    changed = sorted(name for name in after if after[name] != before.get(name))
    if took > LONGEST:
        return f"{command}: took {took:.0f} s"
    if code not in (0, 2):
        return f"{command}: exit code {code}: {told[:300]}"
    if "Traceback" in told or "panicked" in told or "polars" in told.lower():
        return f"{command}: {told[-600:]}"
    if code == 2 and (changed or told.count("\n") != 1 or not told.startswith("luce: ")):
        return f"{command}: exit code 2, {changed} written, said {told[:600]!r}"
    if code == 0 and command.startswith("fit") and "m.luce" not in changed:
        return f"{command}: exit code 0 and no model"
    return None


def run(first: int, count: int) -> list[str]:
    """Run cases, each in a folder of its own, and return the faults."""
    faults, here = [], Path.cwd()
    for number in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            faulthandler.dump_traceback_later(2 * LONGEST, exit=True)
            try:
                if (fault := fault_of(Case(number))) is not None:
                    faults.append(f"case {number}: {fault}")
            finally:
                faulthandler.cancel_dump_traceback_later()
                os.chdir(here)
    return faults


def fuzz(seconds: float, seed: int) -> int:
    """Run batches of cases in processes of their own until the time is over; return the number of faults."""
    begin, first, faults = time.monotonic(), seed * 10_000_000, 0
    while time.monotonic() - begin < seconds:
        words = [sys.executable, __file__, "--first", str(first), "--count", str(TOGETHER)]
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "RUST_BACKTRACE": "0"})
        for line in done.stdout.splitlines():
            faults += line.startswith("case ")
            print(line, flush=True)
        if done.returncode:
            faults += 1
            print(f"cases {first} to {first + TOGETHER - 1}: ended with {done.returncode}: {done.stderr[-500:]}")
        first += TOGETHER
    print(f"{first - seed * 10_000_000} cases, {faults} faults, {time.monotonic() - begin:.0f} s")
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int)
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case is not None:
        place = Path(f"fuzz-{asked.case}")
        place.mkdir()
        os.chdir(place)
        print(f"in {place}: luce {Case(asked.case).prepare()}")
    elif asked.first is not None:
        for fault in run(asked.first, asked.count):
            print(fault)
    else:
        sys.exit(fuzz(asked.seconds, asked.seed) > 0)
