"""Where the header is, what stands between fields, and lines that are no rows: read, or named with what helps."""

import pytest

from luce.tables.failure import Failure
from text_tables import read

ROWS = [("1.5", "20", "u"), ("2.5", "30", "v"), ("3.25", "45", "u"), ("0.5", "17", "v"), ("1.75", "22", "u")]
VALUES = {"a": [1.5, 2.5, 3.25, 0.5, 1.75], "b": [20, 30, 45, 17, 22], "y": ["u", "v", "u", "v", "u"]}


def lines(separator=",", header=("a", "b", "y")):
    return [separator.join(header), *(separator.join(row) for row in ROWS)]


def joined(parts, end="\n"):
    return end.join(parts) + end


@pytest.mark.parametrize(
    "text",
    [
        joined(lines()),
        joined(lines(), "\r\n"),
        joined(lines(), "\r"),
        "\n".join(lines()),
        joined(["sep=;", *lines(";")]),
        joined(['"sep=;"', *lines(";")]),
        joined(["sep=\t", *lines("\t")]),
        joined(["SEP=|", *lines("|")], "\r\n"),
        joined(["", "  ", ",,", *lines(), "", " "]),
        joined([*lines()[:3], "", "  ", *lines()[3:]]),
        joined([" a , b,y ", *lines()[1:]]),
        joined(lines()) + "\x1a",
        joined(line.replace(",", " , ") for line in lines()),
        joined(line.replace(",", " ") for line in lines()),
        joined("  " + line.replace(",", "    ") for line in lines()),
        "\ufeff" + joined(lines()),
    ],
)
def test_the_same_table_in_many_forms(tmp_path, text):
    assert read(tmp_path, text).values == VALUES


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_encodings_with_a_mark(tmp_path, encoding):
    text = joined(lines()).replace("u", "ü")
    assert read(tmp_path, text.encode(encoding)).values["y"] == ["ü", "v", "ü", "v", "ü"]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "gb18030", "shift-jis"])
def test_encodings_by_name(tmp_path, encoding):
    text = joined(lines()).replace("u", "±")
    assert read(tmp_path, text.encode(encoding), encoding=encoding).values["y"][0] == "±"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,y\n1,é\n".encode("latin-1"), r"not UTF-8 text \(line 2, byte 0xE9 at position 6\).*--encoding cp1252"),
        (b"a,y\n" + b"1,u\n" * 40 + b"\xff,v\n", r"line 42, byte 0xFF at position 164"),
        ("a,b\n1,2\n3,4\n5,6\n".encode("utf-16-le"), r"zero bytes.*--encoding utf-16-le"),
        (b"a,b\n1,\x002\n", r"not a text file, it holds zero bytes, the first in line 2"),
        (b"a,b\r" + b"1,2\r" * 5000 + b"\0" * 700 + b"\r3,4\r", r"zero bytes, the first in line 5,002"),
        (b"a,y\r\n" + b"1,u\r\n" * 99_998 + b"2,\xfc\r\n", r"\(line 100,000, byte 0xFC at position 499997\)"),
        (b"a,b\n1,x\x1fy\n", r"line 2: the control character 0x1F"),
    ],
)
def test_what_is_no_text_in_this_encoding_is_one_line(tmp_path, content, said):
    with pytest.raises(Failure, match=said):
        read(tmp_path, content)


def test_comments_above_the_header_are_left_out_and_said(tmp_path):
    found = read(tmp_path, joined(["# measured 2020, by hand", "#", *lines()]))
    assert found.values == VALUES
    assert found.notes == ["2 comment lines (#) above the header left out"]
    assert list(read(tmp_path, joined(["#a,b,y", *lines()[1:]])).values) == ["#a", "b", "y"]  # a header like VCF's


def test_comments_anywhere_by_option(tmp_path):
    text = joined(["% by hand", *lines()[:3], "% one more, with, commas", *lines()[3:], '%"'])
    assert read(tmp_path, text, comment="%").values == VALUES
    with pytest.raises(Failure, match=r"line 5.*--comment '%'"):
        read(tmp_path, joined([*lines()[:4], "% end"]))


@pytest.mark.parametrize(
    ("above", "skip"),
    [
        (["UTF-8"], 1),
        (["Account: 1234", "", "From: 1.1.2020"], 3),
        (["Konto,DE12", ""], 2),
        (['"a title\nof two lines"'], 2),
        (["VERSION 2"] * 30, 30),
    ],
)
def test_lines_above_the_header_are_named_with_the_option(tmp_path, above, skip):
    text = joined([*above, *lines(), *lines()[1:] * 9])
    with pytest.raises(Failure, match=rf"line {skip + 1} has 3 fields.*--skip-lines {skip} takes line {skip + 1}"):
        read(tmp_path, text)
    assert read(tmp_path, text, skip_lines=skip).values["a"] == VALUES["a"] * 10


@pytest.mark.parametrize("above", [["Report 2024,,", ",,"], ["Speed,,", ""], ["Report 2024,,", "by hand,,"]])
def test_titles_that_a_spreadsheet_has_filled_up_are_named(tmp_path, above):
    text = joined([*above, *lines(), *lines()[1:] * 3])
    with pytest.raises(Failure, match=rf"names 1 of its 3 columns: --skip-lines {len(above)} takes"):
        read(tmp_path, text)
    assert read(tmp_path, text, skip_lines=len(above)).values["a"] == VALUES["a"] * 4


def test_a_header_among_the_rows_is_named(tmp_path):
    """Files that were put one below the other."""
    found = read(tmp_path, joined([*lines(), *lines(), *lines()]))
    assert found.values == {name: values * 3 for name, values in VALUES.items()}
    assert found.notes == ["2 rows repeat the header: left out (--all-rows)"]
    assert len(read(tmp_path, joined(["1,2", "3,4", "1,2"])).values["1"]) == 2  # data without a header
    marked = joined(lines()) + "\ufeff" + joined(lines(), "\r\n") + "\ufeff" + joined(lines()[1:])
    assert read(tmp_path, marked).values == found.values
    quoted = joined(['"a","b","the, y"', *lines()[1:], '"a","b","the, y"', *lines()[1:]])
    assert read(tmp_path, quoted).values["b"] == VALUES["b"] * 2
    spelled = joined([*lines(), '"a","B"," y"', *lines()[1:], " A ,b,Y", *lines()[1:]])
    assert read(tmp_path, spelled).values == found.values
    indexed = joined([",y", *(f"{k},{'yn'[k % 2]}" for k in range(6)), ",y", "6,y"])
    assert read(tmp_path, indexed).values == {"": [*range(7)], "y": ["y", "n"] * 3 + ["y"]}
    assert len(read(tmp_path, joined(["y,N", "Y,n", "y,n"])).values["y"]) == 2  # of two columns, a row may be so
    kept = read(tmp_path, joined(["u,v", "u,v", "v,u"]), all_rows=True)
    assert kept.values == {"u": ["u", "v"], "v": ["v", "u"]} and kept.notes == []


@pytest.mark.parametrize("cut", [0, 1])
def test_decimal_commas_between_commas_are_no_names_of_rows(tmp_path, cut):
    """All rows have a field more than the header, as where R wrote the rows' names."""
    text = "a,y\n" + "".join(f"{(7 * k) % (30 + 9 * cut)},{k % 90 + 10},{'uv'[k % 2]}\n" for k in range(39))
    with pytest.raises(Failure, match=r"row 1 has 3 fields, the header has 2 \(line 2.*if commas are decimal signs"):
        read(tmp_path, text)
    named = "a,y\n" + "".join(f"{k + 5},{k % 90 + 10},{'uv'[k % 2]}\n" for k in range(39))
    assert list(read(tmp_path, named).values) == ["", "a", "y"]
    assert read(tmp_path, named.replace("\n", "\nrow ").removesuffix("row ")).values["a"][:2] == [10, 11]


def test_lines_below_the_table_are_named_with_the_option(tmp_path):
    text = joined([*lines(), "", '"Source: the office"', "Last updated 2024", ""])
    with pytest.raises(Failure, match=r"row 6 has 1 field, the header has 3 \(line 8.*--skip-footer 2"):
        read(tmp_path, text)
    assert read(tmp_path, text, skip_footer=2).values == VALUES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table is empty"),
        ("\n \n", "the table is empty"),
        ("a,b\n", "a header and no rows"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("a,a\u00a0\n1,2\n", "two columns are called 'a'"),
        ("a,y\n1,u\n2,v,3\n", r"row 2 has 3 fields, the header has 2 \(line 3: '2,v,3'; the header is line 1\)"),
        ("a title\nmore\na,y\n1,u\n", r"row 2 has 2 fields, the header has 1 .*; if it is the header: --skip-lines 2"),
        ("0,1,0\n1,2,3\n", r"two columns are called '0' \(line 1; that looks like data"),
        ("a,b,y\n1,2,p\n3,q\n5,6,q\n7,8,p\n", r"row 2 has 2 fields, the header has 3 \(line 3: '3,q'\)"),
    ],
)
def test_tables_that_are_none(tmp_path, text, said):
    with pytest.raises(Failure, match=said):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",x", ["", "x"]),
        (",,x", ["column 1", "column 2", "x"]),
        ("x,,", ["x", "column 2", "column 3"]),
        ('"a, b","the ""class"""', ["a, b", 'the "class"']),
        ('"two\nlines",y', ["two\nlines", "y"]),
        ('"a; x; y; z","b; u"', ["a; x; y; z", "b; u"]),
        ("Gro\u0308ße,my\u00a0class", ["Größe", "my class"]),
        ("\u200ba,b  c", ["a", "b c"]),
        ("1,2", ["1", "2"]),
    ],
)
def test_names(tmp_path, header, names):
    found = read(tmp_path, header + "\n" + "\n".join([",".join("567"[: len(names)])] * 3) + "\n")
    assert list(found.values) == names
    assert any("without a name" in note for note in found.notes) == (names.count("column 2") > 0)


def test_a_header_one_name_short_is_that_of_r(tmp_path):
    found = read(tmp_path, '"x" "g"\n"1" 0.5 "u"\n"2" 1.5 "v"\n"3" NA "u"\n')
    assert found.values == {"": [1, 2, 3], "x": [0.5, 1.5, None], "g": ["u", "v", "u"]}
    assert any("as R writes" in note for note in found.notes)


def test_separators_behind_every_row(tmp_path):
    found = read(tmp_path, "x,g\n1,u,\n2,v,\n")
    assert found.values == {"x": [1, 2], "g": ["u", "v"], "": [None, None]}
    assert read(tmp_path, "x,g,\n1,u\n2,v\n").values == {"x": [1, 2], "g": ["u", "v"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encoding": "klingon"}, "'klingon' is no encoding"),
        ({"encoding": "rot13"}, "'rot13' is no encoding"),
        ({"separator": "ab"}, "--separator must be one character"),
        ({"separator": '"'}, "--separator must be one character"),
        ({"comment": " "}, "--comment"),
        ({"skip_lines": -1}, "--skip-lines must be 0 or more"),
        ({"skip_footer": -1}, "--skip-footer must be 0 or more"),
        ({"skip_lines": 99}, "no line is left after --skip-lines 99"),
        ({"dates": "us"}, "--dates must be day-first or month-first"),
        ({"decimal": ";"}, "--decimal must be"),
        ({"text": ["nope"]}, "no column 'nope' for --text"),
        ({"number": ["y"]}, "column 'y' holds no number"),
        ({"number": ["y"], "text": ["y"]}, "can't be both"),
    ],
)
def test_options_that_cannot_be(tmp_path, options, said):
    with pytest.raises(Failure, match=said):
        read(tmp_path, joined(lines()), **options)


def test_a_separator_by_option(tmp_path):
    assert list(read(tmp_path, "a:b;c\n1:2;3\n4:5;6\n", separator=":").values) == ["a", "b;c"]
    assert read(tmp_path, "a\tb\n1\t2\n", separator="tab").values == {"a": [1], "b": [2]}
