"""Tables packed, under a wrong name, from standard input; what is no table is one line with the remedy."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import polars as pl
import pytest

from luce.tables.failure import Failure
from text_tables import read

TEXT = "a,y\n" + "".join(f"{k}.5,{'uv'[k % 2]}\n" for k in range(500))
VALUES = {"a": [k + 0.5 for k in range(500)], "y": ["u", "v"] * 250}


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


PACKED = {
    ".gz": gzip.compress(TEXT.encode(), mtime=0),
    ".bz2": bz2.compress(TEXT.encode()),
    ".xz": lzma.compress(TEXT.encode()),
    ".zip": zipped({"t.csv": TEXT, "__MACOSX/._t.csv": "x"}),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["t.csv", "t.csv{}", "t{}"])
def test_packed_tables_by_extension_or_not(tmp_path, kind, name):
    assert read(tmp_path, PACKED[kind], name=name.format(kind)).values == VALUES
    with pytest.raises(Failure, match="damaged or cut short"):
        read(tmp_path, PACKED[kind][: len(PACKED[kind]) // 2], name=name.format(kind))


def test_zstandard(tmp_path):
    lines = pl.DataFrame({"a": VALUES["a"], "y": VALUES["y"]})
    try:
        lines.lazy().sink_csv(tmp_path / "t.csv.zst", compression="zstd")
    except TypeError:
        pytest.skip("this Polars writes no Zstandard")
    packed = (tmp_path / "t.csv.zst").read_bytes()
    assert packed[:4] == b"\x28\xb5\x2f\xfd"
    assert read(tmp_path, packed, name="t.csv.zst").values == VALUES
    with pytest.raises(Failure, match=r"t\.csv\.zst: .*(damaged or cut short|zstd -d)"):
        read(tmp_path, packed[:40], name="t.csv.zst")


WORKBOOK = zipped({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", WORKBOOK, "a workbook of Excel or the like: save the sheet as CSV"),
        ("t.xlsx", WORKBOOK, "a workbook of Excel or the like: save the sheet as CSV"),
        ("t.csv", WORKBOOK[:200], "a workbook"),
        ("t.xls", b"\xd0\xcf\x11\xe0", "a workbook"),
        ("t.csv", b"\xd0\xcf\x11\xe0\xa1", "a workbook"),
        ("t.ods", b"?", "a workbook"),
        ("t.csv", zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "a workbook"),
        ("t.zip", zipped({"a": "1", "b": "2"}), r"an archive of 2 files \('a', 'b'\): extract"),
        ("t.csv", b"<!DOCTYPE html><html>", "a web page"),
        ("t.csv", b"\xef\xbb\xbf<html>", "a web page"),
        ("t.csv", b'[{"a": 1}]', "JSON"),
        ("t.csv", b"%PDF-1.7", "a PDF"),
        ("t.csv", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("t.txt", b"SQLite format 3\0", "a database"),
        ("t.csv", b"a" * 257 + b"ustar", "an archive .tar."),
        ("t.csv.gz", gzip.compress(b"a" * 257 + b"ustar", mtime=0), "an archive .tar."),
        ("t.json", b"{}", r"unknown extension '\.json'; a table is \.csv, .*packed: \.bz2, \.gz"),
        ("t.json.gz", b"{}", "unknown extension"),
        ("t", b"a,b\n", "no extension"),
        ("t.parquet.gz", gzip.compress(b"PAR1", mtime=0), "packed Parquet"),
        ("t.parquet", b"PAR1 but no more", "not a table that can be read"),
    ],
)
def test_what_is_no_table(tmp_path, name, content, said):
    with pytest.raises(Failure, match=said) as raised:
        read(tmp_path, content, name=name)
    assert "\n" not in str(raised.value)


def test_parquet_under_the_name_of_a_text_file(tmp_path):
    stream = io.BytesIO()
    pl.DataFrame(VALUES).write_parquet(stream)
    assert read(tmp_path, stream.getvalue(), name="t.csv").values == VALUES


@pytest.mark.parametrize("form", ["csv", "gz", "parquet"])
@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_standard_input(luce, monkeypatch, form, stream):
    frame = pl.DataFrame(VALUES).with_columns(a=pl.col("a") + 100 * (pl.col("y") == "v"))
    buffer = io.BytesIO()
    frame.write_parquet(buffer) if form == "parquet" else frame.write_csv(buffer)
    content = gzip.compress(buffer.getvalue(), mtime=0) if form == "gz" else buffer.getvalue()

    def typed_in():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    typed_in()
    refused = luce("fit", "-", "-t", "y", *stream)
    assert refused.code == 2 and "--output MODEL is needed" in refused.err and not list(Path().iterdir())
    fitted = luce("fit", "-", "-t", "y", "-o", "m.luce", *stream)
    assert fitted.code == 0, fitted.err
    assert "standard input" in fitted.out
    typed_in()
    predicted = luce("predict", "m.luce", "-", *stream)
    assert predicted.code == 0 and len(predicted.out.splitlines()) == 501
    assert "accuracy on the 500 rows" in predicted.err


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are Unix's")
def test_a_pipe(tmp_path, luce):
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(TEXT))
    writer.start()
    assert luce("fit", "pipe", "-t", "y", "-q", "-o", "m.luce").code == 0
    writer.join()


def test_a_broken_pipe_of_input_is_one_line(tmp_path):
    program = "import sys; from luce.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "fit", "-", "-t", "y", "-o", "m.luce"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "luce: standard input: the table is empty\n")


def test_the_model_is_called_after_the_table_within(luce):
    Path("sales.v2.csv.gz").write_bytes(PACKED[".gz"])
    assert luce("fit", "sales.v2.csv.gz", "-t", "y", "-q").code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["sales.v2.csv.gz", "sales.v2.luce"]
