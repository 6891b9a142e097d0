"""Tables of text: alignment, marks, the rule, HTML that escapes."""

from luce.printing.table import Cell, TextTable

TABLE = TextTable(
    ["model", "term", "value"],
    [[Cell("a"), Cell("width"), Cell("1.5")], [Cell("<b>"), Cell("x"), Cell("-10.25")]],
    labels=2,
)


def test_labels_are_flush_left_and_numbers_flush_right():
    assert TABLE.lines() == ["model  term    value", "a      width     1.5", "<b>    x      -10.25"]


def test_a_rule_is_as_long_as_the_longest_line():
    assert TABLE.lines(rule=True)[1] == "-" * 20


def test_marks_keep_the_columns_aligned():
    rows = [[Cell("a"), Cell("1", marked=True)], [Cell("b"), Cell("22")]]
    assert TextTable(["", "n"], rows, marks=True).lines() == ["    n", "a   1*", "b  22"]


def test_html_escapes_and_marks():
    page = TextTable(["", "n"], [[Cell("<b>"), Cell("1", marked=True)]], marks=True).html("a & b")
    assert "<caption>a &amp; b</caption>" in page
    assert "<tr><th>&lt;b&gt;</th><td><b>1</b></td></tr>" in page
    assert "<caption>" not in TABLE.html()
