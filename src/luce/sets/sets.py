"""Which items belong together: sets of varying length over one long array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from luce.arrays.given import given
from luce.contract.error_words import misshapen, shown
from luce.contract.numbers import Choice
from luce.sets.offsets import integers, list_column, offsets_of_counts, rising, runs_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

    OnEmptySet = Literal["raise", "skip"]

__all__ = ["Sets"]

_ON_EMPTY = Choice(("raise", "skip"))


class Sets:
    """Sets of items: set s are the items from ``offsets[s]`` to ``offsets[s + 1]``.

    Made by one of the constructors, of which each takes what one has: :meth:`from_ids`, :meth:`from_sorted`,
    :meth:`from_counts`, :meth:`from_offsets`, :meth:`from_lists`, :meth:`from_wide`. Items keep the places that they
    have in the arrays of the caller; where the items of a set do not follow each other there, `order` says where they
    are. A Sets never changes, and costs 8 bytes per set (and per item where there is an order).

    Attributes
    ----------
    offsets : ndarray of int64, shape (sets + 1,)
        Read-only.
    order : ndarray of int64, shape (items,), or None
        The place of each item in the caller's arrays, set after set; None where they follow each other. Read-only.
    ids : ndarray, shape (sets,), or None
        The id of each set, where it was made from ids.

    Examples
    --------
    >>> from luce.sets import Sets
    >>> sets = Sets.from_ids(["ann", "ann", "bob", "bob", "bob"])
    >>> sets
    Sets(2 sets of 2 to 3 items, 5 items)
    >>> sets.counts
    array([2, 3])
    """

    __slots__ = ("_ids", "_offsets", "_order")

    _offsets: NDArray[np.int64]
    _order: NDArray[np.int64] | None
    _ids: NDArray[Any] | None

    def __init__(self) -> None:
        raise TypeError("Sets: made by from_ids, from_sorted, from_counts, from_offsets, from_lists or from_wide")

    @classmethod
    def _of(
        cls,
        offsets: NDArray[np.int64],
        order: NDArray[np.int64] | None = None,
        ids: NDArray[Any] | None = None,
        on_empty: OnEmptySet = "raise",
    ) -> Self:
        _ON_EMPTY.check("on_empty", on_empty)
        if on_empty == "raise":
            empty = np.flatnonzero(offsets[1:] == offsets[:-1])
            if len(empty):
                which = int(empty[0])
                more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
                raise ValueError(f'set {which}{more} has no items; on_empty="skip" lets such sets count for nothing')
        self = object.__new__(cls)
        self._offsets = _read_only(offsets)
        self._order = None if order is None else _read_only(order)
        self._ids = None if ids is None else _read_only(ids)
        return self

    @classmethod
    def from_ids(cls, ids: ArrayLike, *, merge_runs: bool = False) -> Self:
        """Return sets of items with the same id.

        Parameters
        ----------
        ids : array_like of shape (items,)
            Numbers, texts, dates: whatever compares. Items of one id follow each other, in any order of the ids.
        merge_runs : bool, default=False
            Whether the items of one id may also stand apart; they are one set then, and keep their order. Otherwise
            that is an error: more often than not such a table was put together wrongly.

        Returns
        -------
        Sets
            In the order in which the ids first appear.

        Raises
        ------
        ValueError
            If an id is missing, or comes back after another one.

        Examples
        --------
        >>> from luce.sets import Sets
        >>> Sets.from_ids([7, 7, 3, 3, 3])
        Sets(2 sets of 2 to 3 items, 5 items)
        >>> Sets.from_ids([7, 3, 7])
        Traceback (most recent call last):
        ValueError: ids: 7 at 2 stands apart from the 7 at 0; merge_runs=True makes one set of them
        >>> Sets.from_ids([7, 3, 7], merge_runs=True).order
        array([0, 2, 1])
        """
        offsets, names = runs_of("ids", ids)
        try:
            _, first, which = np.unique(names, return_index=True, return_inverse=True)
        except TypeError as error:  # ids that do not compare, as a number and a text
            raise TypeError(f"ids: expected ids of one kind ({error})") from None
        if len(first) == len(names):
            return cls._of(offsets, ids=names)
        if not merge_runs:
            again = int(np.flatnonzero(first[which] != np.arange(len(names)))[0])
            before = int(offsets[first[which[again]]])
            name = shown(names[again].item() if isinstance(names[again], np.generic) else names[again])
            raise ValueError(
                f"ids: {name} at {int(offsets[again])} stands apart from the {name} at {before}; merge_runs=True makes "
                "one set of them"
            )
        rank = np.empty(len(first), np.int64)  # of each id among the first appearances
        rank[np.argsort(first)] = np.arange(len(first))
        of_item = np.repeat(rank[which], np.diff(offsets))
        order = np.argsort(of_item, kind="stable")
        counts = np.bincount(of_item, minlength=len(first))
        return cls._of(offsets_of_counts(counts), order, names[np.sort(first)])

    @classmethod
    def from_sorted(cls, qid: ArrayLike) -> Self:
        """Return sets of items with the same id, where ids never fall: the ``qid`` of ranking data.

        Raises
        ------
        ValueError
            If an id is less than the one before it, or missing.

        Examples
        --------
        >>> from luce.sets import Sets
        >>> Sets.from_sorted([1, 1, 1, 2, 2])
        Sets(2 sets of 2 to 3 items, 5 items)
        """
        offsets, names = runs_of("qid", qid)
        falls = np.flatnonzero(names[1:] < names[:-1])
        if len(falls):
            at = int(falls[0]) + 1
            raise ValueError(
                f"qid: expected ids that never fall, got {shown(names[at - 1].item())} and then "
                f"{shown(names[at].item())} at {int(offsets[at])}; from_ids takes ids in any order"
            )
        return cls._of(offsets, ids=names)

    @classmethod
    def from_counts(cls, counts: ArrayLike, *, on_empty: OnEmptySet = "raise") -> Self:
        """Return sets of so many items each (sets,), one after another: the ``group`` of LightGBM.

        Parameters
        ----------
        counts : array_like of integers, shape (sets,)
        on_empty : {"raise", "skip"}, default="raise"
            Whether a set without items is an error, or has loss 0 and counts for nothing.

        Raises
        ------
        TypeError, ValueError
            If a count is no integer or negative, or 0 with ``on_empty="raise"``.

        Examples
        --------
        >>> from luce.sets import Sets
        >>> Sets.from_counts([2, 3]).offsets
        array([0, 2, 5])
        """
        return cls._of(offsets_of_counts(counts), on_empty=on_empty)

    @classmethod
    def from_offsets(cls, offsets: ArrayLike, *, on_empty: OnEmptySet = "raise") -> Self:
        """Return sets by where they begin and the last one ends (sets + 1,); int64 is taken without a copy.

        Parameters
        ----------
        offsets : array_like of integers, shape (sets + 1,)
            They begin with 0 and never fall: the ``indptr`` of a sparse matrix in rows, the offsets of a list column.
        on_empty : {"raise", "skip"}, default="raise"
            As for :meth:`from_counts`.

        Raises
        ------
        TypeError, ValueError
            If they are no integers, do not begin with 0, or fall.

        Examples
        --------
        >>> from luce.sets import Sets
        >>> Sets.from_offsets([0, 2, 5])
        Sets(2 sets of 2 to 3 items, 5 items)
        """
        found = integers("offsets", offsets)
        rising("offsets", found)
        return cls._of(found, on_empty=on_empty)

    @classmethod
    def from_lists(cls, column: Any, *, on_empty: OnEmptySet = "raise") -> tuple[NDArray[Any], Self]:
        """Return the items of a column of lists in one array (items,), and their sets: a list is a set.

        Parameters
        ----------
        column : Array or ChunkedArray of pyarrow, or Series of Polars
            Of lists. Arrow's offsets of 64 bits (large_list) are taken without a copy; Polars gives lengths.
        on_empty : {"raise", "skip"}, default="raise"
            As for :meth:`from_counts`.

        Raises
        ------
        TypeError, ValueError
            If it is no column of lists, or a list is missing.

        Examples
        --------
        >>> import polars
        >>> from luce.sets import Sets
        >>> prices, sets = Sets.from_lists(polars.Series([[1.0, 2.0], [3.0, 4.0, 5.0]]))
        >>> prices, sets
        (array([1., 2., 3., 4., 5.]), Sets(2 sets of 2 to 3 items, 5 items))
        """
        items, offsets = list_column(column)
        return items, cls._of(offsets, on_empty=on_empty)

    @classmethod
    def from_wide(
        cls, table: ArrayLike, available: ArrayLike | None = None, *, on_empty: OnEmptySet = "raise"
    ) -> tuple[NDArray[Any], Self]:
        """Return the available items of a wide table (sets, J, ...) in one array (items, ...), and their sets.

        What is not available is not there: whatever it holds is dropped before any arithmetic.

        Parameters
        ----------
        table : array_like of shape (sets, J) or (sets, J, features)
            Logits, features, or a target of 0 and 1: each row is a set.
        available : array_like of bool, shape (sets, J), optional
            Which items a set has; all by default.
        on_empty : {"raise", "skip"}, default="raise"
            As for :meth:`from_counts`.

        Raises
        ------
        TypeError, ValueError
            If a shape does not fit, or `available` holds anything but truths, or 0 and 1.

        Examples
        --------
        >>> from luce.sets import Sets
        >>> nan = float("nan")
        >>> Sets.from_wide([[1.0, 2.0, nan], [3.0, 4.0, 5.0]], [[True, True, False], [True, True, True]])
        (array([1., 2., 3., 4., 5.]), Sets(2 sets of 2 to 3 items, 5 items))
        """
        wide = given("table", table)
        if wide.ndim < 2:
            raise ValueError(f"table: expected shape (sets, J, ...), got {wide.shape}")
        if available is None:
            rows, columns = wide.shape[:2]
            counts = np.full(rows, columns)
            return wide.reshape(rows * columns, *wide.shape[2:]), cls._of(offsets_of_counts(counts), on_empty=on_empty)
        mask = given("available", available)
        if mask.shape != wide.shape[:2]:
            raise misshapen("available", wide.shape[:2], "one truth per item", mask.shape)
        if mask.dtype.kind != "b":
            if mask.dtype.kind not in "iuf" or not np.isin(mask, (0, 1)).all():
                raise TypeError(f"available: expected truths, or 0 and 1, got dtype {mask.dtype}")
            mask = mask.astype(bool)
        return wide[mask], cls._of(offsets_of_counts(mask.sum(axis=1)), on_empty=on_empty)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each set begins and the last one ends (sets + 1,)."""
        return self._offsets

    @property
    def order(self) -> NDArray[np.int64] | None:
        """The place of each item in the caller's arrays, set after set; None where they follow each other."""
        return self._order

    @property
    def ids(self) -> NDArray[Any] | None:
        """The id of each set (sets,), where the sets were made from ids."""
        return self._ids

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of items of each set (sets,)."""
        return cast("NDArray[np.int64]", np.diff(self._offsets))

    @property
    def n_items(self) -> int:
        """The number of items of all sets."""
        return int(self._offsets[-1])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def arranged(self, items: NDArray[Any]) -> NDArray[Any]:
        """Return the caller's items (items, ...) set after set; the same array where they are so already."""
        return items if self._order is None else items[self._order]

    def scattered(self, items: NDArray[Any]) -> NDArray[Any]:
        """Return items (items, ...) that stand set after set in the caller's places."""
        if self._order is None:
            return items
        result = np.empty_like(items)
        result[self._order] = items
        return result

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sets):
            return NotImplemented
        mine, its = (np.arange(0) if s._order is None else s._order for s in (self, other))
        return np.array_equal(self._offsets, other._offsets) and np.array_equal(mine, its)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._offsets, self._order, self._ids)

    def __repr__(self) -> str:
        counts, sets, items = self.counts, len(self), self.n_items
        least, most = (int(counts.min()), int(counts.max())) if sets else (0, 0)
        each = f"{least}" if least == most else f"{least} to {most}"
        word = "item" if least == most == 1 else "items"
        apart = "" if self._order is None else ", standing apart"
        sets_word, items_word = ("set" if sets == 1 else "sets"), ("item" if items == 1 else "items")
        return f"Sets({sets} {sets_word} of {each} {word}, {items} {items_word}{apart})"


def _restored(offsets: NDArray[np.int64], order: NDArray[np.int64] | None, ids: NDArray[Any] | None) -> Sets:
    return Sets._of(offsets, order, ids, on_empty="skip")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
