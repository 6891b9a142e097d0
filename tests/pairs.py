"""All pairs: few combinations of many factors in which every two values of two factors meet."""

from itertools import combinations


def all_pairs(factors: dict[str, list]) -> list[dict]:
    """Choose rows greedily until each pair of values of two factors occurs in one of them."""
    names = list(factors)
    missing = {
        ((a, i), (b, j)): None
        for a, b in combinations(names, 2)
        for i in range(len(factors[a]))
        for j in range(len(factors[b]))
    }  # a dict for its order: the rows are the same in every process
    rows = []
    while missing:
        (a, i), (b, j) = next(iter(missing))
        row = {a: i, b: j}
        for name in names:
            if name in row:
                continue

            def gain(k, name=name, row=row):
                return sum(_pair(names, (name, k), other) in missing for other in row.items())

            row[name] = max(range(len(factors[name])), key=gain)
        for first, second in combinations(((n, row[n]) for n in names), 2):
            missing.pop((first, second), None)
        rows.append({name: factors[name][row[name]] for name in names})
    return rows


def _pair(names, first, second):
    return (first, second) if names.index(first[0]) < names.index(second[0]) else (second, first)
