"""Text files read as `luce fit` reads them, without the command."""

from dataclasses import dataclass, field

from luce.tables.batches import Batches
from luce.tables.text.options import FormOptions, ReadingOptions

FORM = ("encoding", "separator", "comment", "skip_lines", "skip_footer")


@dataclass
class Read:
    """A table's values by column, and what was said about it."""

    values: dict
    types: dict
    remarks: dict
    notes: list
    readings: dict = field(repr=False, default_factory=dict)


def read(folder, content, *, name="t.csv", wishes=None, all_rows=False, **options):
    """Write a file of that content, text or bytes, and read it."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    form = FormOptions(**{key: options.pop(key) for key in FORM if key in options})
    found = Batches(path, form)
    survey = found.survey(ReadingOptions(**options), wishes or {}, keep=True, all_rows=all_rows)
    table = found.whole()
    return Read(
        table.to_dict(as_series=False),
        {column.name: str(column.dtype) for column in table},
        {key: " | ".join(said) for key, said in survey.remarks.items()},
        list(survey.notes),
        survey.readings,
    )


def column(folder, cells, *, separator=",", name="x", **options):
    """Read one column, beside another, of cells that are quoted where they must be; return its values and remarks."""
    quoted = ['"' + cell.replace('"', '""') + '"' if separator in cell or '"' in cell else cell for cell in cells]
    lines = [f"{name}{separator}other", *(f"{cell}{separator}w{k % 3}" for k, cell in enumerate(quoted))]
    found = read(folder, "\n".join(lines) + "\n", **options)
    return found.values[name], found.remarks.get(name, ""), found
