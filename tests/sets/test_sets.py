"""Which items belong together, from ids, counts, offsets, columns of lists and wide tables."""

import pickle

import numpy as np
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luce.sets import Sets


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 4)), max_size=12))
def test_ids_are_sets_in_the_order_in_which_they_first_appear(runs):
    ids = np.array([i for i, n in runs for _ in range(n)], dtype=np.int64)
    first = list(dict.fromkeys(ids.tolist()))
    sets = Sets.from_ids(ids, merge_runs=True)
    assert sets.ids.tolist() == first and len(sets) == len(first) and sets.n_items == len(ids)
    arranged = sets.arranged(np.arange(len(ids)))
    for which, name in enumerate(first):
        part = arranged[sets.offsets[which] : sets.offsets[which + 1]]
        assert part.tolist() == np.flatnonzero(ids == name).tolist()
    assert sets.scattered(arranged).tolist() == list(range(len(ids)))
    runs_of_ids = int((np.diff(ids) != 0).sum()) + (len(ids) > 0)
    if runs_of_ids == len(first):
        assert Sets.from_ids(ids) == sets and sets.order is None
    else:
        with pytest.raises(ValueError, match=r"stands apart from the .* merge_runs=True"):
            Sets.from_ids(ids)


@pytest.mark.parametrize(
    "ids",
    [
        ["b", "b", "a"],
        np.array(["b", "b", "a"], dtype=object),
        np.array(["2024-01-02", "2024-01-02", "2023-01-01"], dtype="datetime64[D]"),
        [2.5, 2.5, -1.0],
        [True, True, False],
    ],
    ids=["text", "object", "date", "float", "bool"],
)
def test_ids_may_be_whatever_compares(ids):
    assert Sets.from_ids(ids).offsets.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Sets.from_ids([1.0, float("nan")]), ValueError, "the id at 1 is missing"),
        (lambda: Sets.from_ids(np.array(["a", None], dtype=object)), ValueError, "the id at 1 is missing"),
        (lambda: Sets.from_ids(np.array(["a", 1], dtype=object)), TypeError, "ids of one kind"),
        (lambda: Sets.from_ids([[1, 2]]), ValueError, "one id per item"),
        (lambda: Sets.from_ids([4, 4, 9, 4]), ValueError, "4 at 3 stands apart from the 4 at 0"),
        (lambda: Sets.from_sorted([1, 2, 2, 1]), ValueError, "got 2 and then 1 at 3"),
        (lambda: Sets.from_counts([1, -1]), ValueError, "got -1 at 1"),
        (lambda: Sets.from_counts([1.0]), TypeError, "counts: expected integers"),
        (lambda: Sets.from_counts([2, 0, 0]), ValueError, r"set 1 \(and 1 more\) has no items"),
        (lambda: Sets.from_counts([2], on_empty="drop"), ValueError, "on_empty: expected one of"),
        (lambda: Sets.from_offsets([0, 3, 2]), ValueError, "got 3 and then 2 at 2"),
        (lambda: Sets.from_offsets([]), ValueError, "begin with 0"),
        (lambda: Sets.from_lists([[1], [2]]), TypeError, "column of lists of Arrow or Polars, got a list"),
        (lambda: Sets.from_lists(polars.Series([1, 2])), TypeError, "column of lists"),
        (lambda: Sets.from_lists(polars.Series([[1], None])), ValueError, "1 of its lists are missing"),
        (lambda: Sets.from_wide([1, 2]), ValueError, r"table: expected shape \(sets, J, ...\)"),
        (lambda: Sets.from_wide([[1, 2]], [[1, 0, 1]]), ValueError, r"available: expected shape \(1, 2\)"),
        (lambda: Sets.from_wide([[1, 2]], [[1, 2]]), TypeError, "available: expected truths"),
        (lambda: Sets.from_wide([[1, 2]], [[0, 0]]), ValueError, "set 0 has no items"),
        (lambda: Sets(), TypeError, "made by from_ids"),
    ],
)
def test_errors_say_what_was_given(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_offsets_of_64_bits_are_taken_without_a_copy_and_are_read_only():
    offsets = np.array([0, 2, 5])
    sets = Sets.from_offsets(offsets)
    assert np.shares_memory(sets.offsets, offsets) and offsets.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        sets.offsets[1] = 3
    with pytest.raises(AttributeError):
        sets.offsets = offsets


def test_constructors_agree():
    want = Sets.from_counts([2, 1, 3])
    assert (
        Sets.from_offsets([0, 2, 3, 6]) == want == Sets.from_ids([5, 5, 1, 9, 9, 9]) == Sets.from_sorted(list("aabccc"))
    )
    assert Sets.from_wide(np.zeros((3, 3)), [[1, 1, 0], [0, 1, 0], [1, 1, 1]])[1] == want
    assert Sets.from_lists(polars.Series([[1, 2], [3], [4, 5, 6]]))[1] == want
    assert want != Sets.from_counts([2, 2, 2]) and want != "sets"
    assert Sets.from_ids([5, 1, 5, 9, 9, 9], merge_runs=True) != want
    assert want.counts.tolist() == [2, 1, 3]


def test_polars_lists_with_empty_ones():
    items, sets = Sets.from_lists(polars.Series([[1.5], [], [2.5, 3.5], []]), on_empty="skip")
    assert items.tolist() == [1.5, 2.5, 3.5] and sets.offsets.tolist() == [0, 1, 1, 3, 3]


class ListArray:
    """What a column of Arrow's lists shows of itself; pyarrow is none of the tests' packages."""

    null_count = 0

    def __init__(self, offsets, values):
        self.offsets, self._values = offsets, values

    def flatten(self):
        return self._values[self.offsets[0] : self.offsets[-1]]


def test_arrow_lists_give_their_own_offsets():
    offsets, values = np.array([0, 2, 5]), np.arange(8.0)
    items, sets = Sets.from_lists(ListArray(offsets, values))
    assert np.shares_memory(sets.offsets, offsets) and np.shares_memory(items, values)
    items, sets = Sets.from_lists(ListArray(np.array([2, 5, 6], np.int32), values))  # a slice, of 32 bits
    assert items.tolist() == [2, 3, 4, 5] and sets.offsets.tolist() == [0, 3, 4]


def test_what_is_masked_is_not_there():
    table = np.array([[1.0, np.nan, 3.0], [np.inf, 5.0, 6.0]])
    items, sets = Sets.from_wide(table, [[True, False, True], [False, True, True]])
    assert items.tolist() == [1, 3, 5, 6] and sets.offsets.tolist() == [0, 2, 4]
    features, _ = Sets.from_wide(np.stack([table, 2 * table], axis=-1), [[1, 0, 1], [0, 1, 1]])
    assert features.tolist() == [[1, 2], [3, 6], [5, 10], [6, 12]]


def test_representations():
    assert repr(Sets.from_counts([3])) == "Sets(1 set of 3 items, 3 items)"
    assert repr(Sets.from_counts([1, 1])) == "Sets(2 sets of 1 item, 2 items)"
    assert repr(Sets.from_counts([])) == "Sets(0 sets of 0 items, 0 items)"
    assert repr(Sets.from_ids([1, 2, 1], merge_runs=True)) == "Sets(2 sets of 1 to 2 items, 3 items, standing apart)"
    sets = Sets.from_ids([1, 2, 1], merge_runs=True)
    again = pickle.loads(pickle.dumps(sets))
    assert again == sets and again.ids.tolist() == [1, 2] and len(again) == 2
