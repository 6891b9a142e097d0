"""The bytes of a table: which kind of file it is, packed or not, on disk or from standard input."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import polars as pl

from luce.tables.failure import Failure

__all__ = ["PARQUET_KINDS", "TableFile", "check_kind", "is_stream", "stem_of"]

TEXT_KINDS = {".csv", ".tsv", ".tab", ".txt"}
PARQUET_KINDS = {".parquet", ".pq"}
PACKED = {
    ".gz": b"\x1f\x8b",
    ".bz2": b"BZh",
    ".xz": b"\xfd7zXZ\x00",
    ".zst": b"\x28\xb5\x2f\xfd",
    ".zip": b"PK\x03\x04",
}
WORKBOOK = "a workbook of Excel or the like: save the sheet as CSV (UTF-8), or as Parquet"
SAVE = "save it as CSV or Parquet with the program that reads it"
WORKBOOKS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"}
STRANGERS = {  # how a file that is no table begins, and what to do about it
    b"\xd0\xcf\x11\xe0": WORKBOOK,
    b"%PDF": "a PDF document, not a table",
    b"<!DOCTYPE": "a web page (HTML), not a table: the download may have failed",
    b"<!doctype": "a web page (HTML), not a table: the download may have failed",
    b"<html": "a web page (HTML), not a table (some programs call that .xls): save it as CSV",
    b"<?xml": "an XML document: save it as CSV",
    b"{\\rtf": "a text document (RTF): save it as plain text",
    b'{"': "JSON: write it as CSV, for example with pandas",
    b'[{"': "JSON: write it as CSV, for example with pandas",
    b"version https://git-lfs": "a pointer of Git LFS, not the table: git lfs pull",
    b"SQLite format 3": "a database (SQLite): export the table as CSV",
    b"ARROW1": f"an Arrow file: {SAVE}",
    b"FEA1": f"a Feather file: {SAVE}",
    b"\x89HDF": f"an HDF5 file: {SAVE}",
    b"\x93NUMPY": f"a NumPy array: {SAVE}",
    b"$FL2": f"an SPSS file: {SAVE}",
    b"<stata_dta>": f"a Stata file: {SAVE}",
    b"RDX": f"an R file: {SAVE}",
    b"\x80\x04\x95": f"a pickle: {SAVE}",
    b"\x80\x05\x95": f"a pickle: {SAVE}",
    b"Obj\x01": f"an Avro file: {SAVE}",
    b"ORC": f"an ORC file: {SAVE}",
}
BEGINNING = 512
# what the modules raise for a damaged file, one that is cut short, and one that needs a password
UNPACKING = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError)


def check_kind(path: Path, *, written: bool = False) -> None:
    """Raise `Failure` unless the file's extension is one that can be read (or written)."""
    kind = path.suffix.lower() if written else _kind(path)
    kinds = {".csv"} | PARQUET_KINDS if written else TEXT_KINDS | PARQUET_KINDS
    if kind in WORKBOOKS and not written:
        raise Failure(f"{path}: {WORKBOOK}")
    if kind not in kinds:
        what = f"unknown extension {path.suffix!r}" if path.suffix else "no extension"
        packed = "" if written else f" (packed: {', '.join(sorted(PACKED))} after it)"
        raise Failure(f"{path}: {what}; a table is {', '.join(sorted(kinds))}{packed}")


def is_stream(path: Path) -> bool:
    """Tell whether a table comes from standard input or a pipe: it can be read once, and has no name."""
    return str(path) == "-" or (path.exists() and not path.is_file() and not path.is_dir())


def stem_of(path: Path) -> str:
    """Return a table's name without what says how it is stored: sales of sales.csv.gz."""
    return Path(path.stem).stem if path.suffix.lower() in PACKED else path.stem


class TableFile:
    """A table's file, found and recognised; nothing of the table is read yet.

    Parameters
    ----------
    path : Path
        The file, or ``-`` for standard input, of which a copy is made first, as of a pipe.

    Attributes
    ----------
    name : str
        What errors call it.
    path : Path
    size : int
        Its bytes on disk.
    parquet : bool

    Raises
    ------
    Failure
        If there is no such file, or it is something else than text or Parquet.
    """

    def __init__(self, path: Path) -> None:
        self.name = "standard input" if str(path) == "-" else str(path)
        if str(path) != "-":
            if path.is_dir():
                raise Failure(f"{path}: is a folder, not a table")
            if not path.exists():
                raise Failure(f"{path}: no such file")
        self._copy: Any = None
        if is_stream(path):
            self._copy = _copied(sys.stdin.buffer if str(path) == "-" else path)
            path = Path(self._copy.name)
        else:
            check_kind(path)
        self.path, self.size, self._packing = path, path.stat().st_size, ""
        with self.guarded():
            with open(path, "rb") as file:
                beginning = file.read(BEGINNING)
            self._packing = _packing(beginning)
            if self._packing == ".zip" and b"[Content_Types].xml" in beginning:  # even if it is cut short
                raise Failure(f"{self.name}: {WORKBOOK}")
            self.parquet = self._recognised()

    @contextmanager
    def open(self) -> Iterator[tuple[IO[bytes], BinaryIO]]:
        """Give the table's own bytes, unpacked, and the file below them, which tells how far one has come."""
        with self.guarded(), open(self.path, "rb") as file, _unpacked(file, self._packing, self.name) as stream:
            yield stream, file

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what goes wrong in reading the file's bytes into a `Failure`."""
        try:
            yield
        except UNPACKING as error:
            if not self._packing:
                raise
            raise Failure(f"{self.name}: the packed file is damaged or cut short ({error})") from error
        except OSError as error:
            raise Failure(f"{self.name}: cannot be read, {error.strerror or error}") from error

    def _recognised(self) -> bool:
        """Tell whether this is Parquet; raise for what is neither Parquet nor text."""
        with self.open() as (stream, _):
            beginning = stream.read(BEGINNING)
        named = _kind(self.path) in PARQUET_KINDS
        if beginning[:4] == b"PAR1" and (not self._packing or named):
            if self._packing:
                raise Failure(f"{self.name}: packed Parquet: unpack it first, Parquet is compressed by itself")
            return True
        if named and not self._packing:
            return True  # and Polars will say what is wrong with it
        if beginning[257:262] == b"ustar":
            raise Failure(f"{self.name}: an archive (tar): extract the table first")
        for start, what in STRANGERS.items():
            if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(start):
                raise Failure(f"{self.name}: {what}")
        return False


def _kind(path: Path) -> str:
    """Return the extension that says what is in the file, under that of a packed one."""
    suffix = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return (inner or ".csv") if suffix in PACKED else suffix


def _packing(beginning: bytes) -> str:
    return next((kind for kind, magic in PACKED.items() if beginning.startswith(magic)), "")


def _copied(source: BinaryIO | Path) -> Any:
    copy = tempfile.NamedTemporaryFile(prefix="luce-", suffix="")  # noqa: SIM115  # lives as long as its table
    if isinstance(source, Path):
        with open(source, "rb") as file:
            shutil.copyfileobj(file, copy)
    else:
        shutil.copyfileobj(source, copy)
    copy.flush()
    return copy


@contextmanager
def _unpacked(file: BinaryIO, packing: str, name: str) -> Iterator[IO[bytes]]:
    if packing == ".gz":
        with gzip.GzipFile(fileobj=file) as stream:
            yield cast(IO[bytes], stream)
    elif packing == ".bz2":
        with bz2.open(file) as stream:
            yield stream
    elif packing == ".xz":
        with lzma.open(file) as stream:
            yield stream
    elif packing == ".zip":
        with zipfile.ZipFile(file) as archive, archive.open(_member(archive, name)) as stream:
            yield stream
    elif packing == ".zst":
        with _zstandard(file, name) as stream:
            yield stream
    else:
        yield file


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """Return the one table in an archive."""
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    if "[Content_Types].xml" in names or "mimetype" in names or "Index/Document.iwa" in names:
        raise Failure(f"{name}: {WORKBOOK}")
    names = [entry for entry in names if not entry.startswith("__MACOSX/") and not Path(entry).name.startswith(".")]
    if len(names) != 1:
        shown = ", ".join(repr(entry) for entry in names[:3]) + (", …" if len(names) > 3 else "")
        raise Failure(f"{name}: an archive of {len(names)} files ({shown}): extract the one that is the table")
    return names[0]


@contextmanager
def _zstandard(file: BinaryIO, name: str) -> Iterator[IO[bytes]]:
    """Unpack with Python's own module, from 3.14, or else with Polars, into a temporary file."""
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        if not hasattr(pl, "scan_lines"):
            raise Failure(f"{name}: packed with Zstandard, which this Python can't unpack: zstd -d first") from None
        with tempfile.NamedTemporaryFile(prefix="luce-", suffix=".txt") as copy:
            try:
                lines = pl.scan_lines(file.name)
                lines.sink_csv(copy.name, include_header=False, quote_style="never")
            except (pl.exceptions.PolarsError, OSError) as error:
                raise EOFError(str(error).splitlines()[0]) from error
            with open(copy.name, "rb") as stream:
                yield stream
    else:
        with zstd.open(file) as stream:
            yield stream
