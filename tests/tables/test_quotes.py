"""Quotes of every program: each row is read, or one line says where a quote is out of place."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from luce.tables.failure import Failure
from luce.tables.text.form import form_of
from luce.tables.text.options import FormOptions
from luce.tables.text.records import records, text_of
from text_tables import read

ROWS = 40


def table(odd, count, separator=","):
    cells = ["x", "y"] * (ROWS // 2)
    for k in range(count):
        cells[7 + 10 * k] = odd
    lines = [separator.join([str(k), cell, "red"]) for k, cell in enumerate(cells)]
    return "\n".join([separator.join(["a", "note", "class"]), *lines]) + "\n"


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("odd", "value"),
    [
        ('"Lorem" dolor', '"Lorem" dolor'),
        ('O"Brian', 'O"Brian'),
        ('5" pipe', '5" pipe'),
        ('pipe, 5"'.replace(",", ""), 'pipe 5"'),
        ('"5" x 7" board"', '5" x 7" board'),
        (r'"text \" escaped"', 'text " escaped'),
        (r'"\"all\" of it"', '"all" of it'),
        (r'"two \\ and \", one"', 'two \\ and ", one'),
        (r'"C:\folder\"', "C:\\folder\\"),
        ('"say ""hi"""', 'say "hi"'),
        ('""""', '"'),
        ("'quoted'", "'quoted'"),
        ('"one, two\nthree"', "one, two\nthree"),
        ('"one\r\ntwo"', "one\ntwo"),
        (' "padded, too" ', "padded, too"),
        ('"\nfirst line empty"', "first line empty"),
    ],
)
def test_every_row_is_read_as_it_is(tmp_path, odd, value, count):
    found = read(tmp_path, table(odd, count))
    assert found.values["a"] == list(range(ROWS))
    assert [found.values["note"][7 + 10 * k] for k in range(count)] == [value] * count
    assert found.values["class"] == ["red"] * ROWS


@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_other_separators(tmp_path, separator):
    found = read(tmp_path, table('"Lorem" dolor, sit', 2, separator))
    assert found.values["note"][17] == '"Lorem" dolor, sit'
    assert len(found.values["a"]) == ROWS


@pytest.mark.parametrize(
    ("odd", "count", "line"),
    [('"', 1, 9), ('"', 2, 9), ('"open', 1, 9), ('"open', 2, 9), ('"a" b, "c', 1, 9), ("p,q", 1, 9)],
)
def test_a_quote_out_of_place_is_named_by_its_line(tmp_path, odd, count, line):
    with pytest.raises(Failure, match=rf"t\.csv: .*line {line}\b"):
        read(tmp_path, table(odd, count))


def test_two_stray_quotes_that_swallow_rows_are_refused(tmp_path):
    text = table("x", 0).replace("\n7,y,", '\n7,"y,').replace("\n17,y,", '\n17,y",')
    with pytest.raises(Failure, match=r"opens in line 9 and closes 10 lines further on.*stray"):
        read(tmp_path, text)


def test_the_header_has_its_quotes_closed(tmp_path):
    with pytest.raises(Failure, match=r"line 1: a quote opens in the header and is never closed"):
        read(tmp_path, 'a,"b\n1,2\n3,4\n')


cells = st.text(st.sampled_from("ab \"\\,;\n'1é"), max_size=8).map(str.strip).filter(lambda text: "\\" not in text[-1:])


@given(
    st.lists(st.tuples(st.integers(0, 99), cells, cells), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.integers(1, 60),
)
@example([(1, 'a"b', "x,y\nz"), (2, "", '"')], ",", csv.QUOTE_MINIMAL, 3)
def test_a_table_in_any_dialect_comes_back_in_pieces_of_any_size(rows, separator, quoting, size):
    """What Python's csv module writes is read back, cell by cell, wherever the pieces end."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator="\n")
    writer.writerows([("number", "u", "v"), *rows])
    text = stream.getvalue()
    form = form_of(text, FormOptions(separator=separator), "t", whole=True)
    rest = text[form.begin :]
    pieces = [rest[k : k + size] for k in range(0, len(rest), size)]
    read_back, first = [], 1
    for part in records(iter([*pieces, ""]), form):
        assert part.first == first
        first += part.table.height
        read_back += part.table.with_columns(text_of(column, separator) for column in part.table).rows()
    assert [tuple(cell or "" for cell in row) for row in read_back] == [(str(n), u, v) for n, u, v in rows]
