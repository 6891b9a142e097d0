"""Model files: a zip archive of plain data, `model.json`, and two arrays, `coef.npy` and `intercept.npy`.

Nothing in one is ever run. Its parts are stored and not compressed, so that none is larger than the file itself.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from luce._version import __version__
from luce.report.facts import Column
from luce.tables.conversion import NUMBERS
from luce.tables.failure import Failure
from luce.tables.model import Model
from luce.tables.output_files import replacing
from luce.tables.preparation import Levels, Number, Preparation, Scale
from luce.tables.text.reading import Reading

__all__ = ["load_model", "save_model"]

Array = npt.NDArray[np.float64]

FORMAT, VERSION = "luce model", 2
DATE = 1980, 1, 1, 0, 0, 0  # of the parts: the same model gives the same bytes
SHAPE = rb"\{'descr': '<f8', 'fortran_order': False, 'shape': \((\d{1,9}, ?(?:\d{1,9})?)\), \} *\n"
HEADER = re.compile(rb"\x93NUMPY\x01\x00.." + SHAPE, re.DOTALL)
PARTS = "model.json", "coef.npy", "intercept.npy"


def save_model(path: Path, model: Model) -> None:
    """Write a model file, whole or not at all."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "luce": __version__,
        "target": model.target,
        "classes": list(model.classes),
        "loss": model.loss,
        "columns": [
            {"name": column.name, "kind": column.kind, "reading": column.reading}
            for column in model.columns
            if column.used
        ],
        "numbers": [number._asdict() for number in model.preparation.numbers],
        "levels": [levels._asdict() for levels in model.preparation.levels],
    }
    parts = {PARTS[0]: json.dumps(content, indent=1, allow_nan=False).encode()}
    for name, array in zip(PARTS[1:], (model.coef, model.intercept), strict=True):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(array, "<f8"), version=(1, 0), allow_pickle=False)
        parts[name] = buffer.getvalue()
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data)


def load_model(path: Path) -> Model:
    """Read a model file, also one of an older version of Luce.

    Raises
    ------
    Failure
        If there is no such file, it is no Luce model, it is damaged, or a newer version of Luce wrote it.
    """
    if not path.is_file():
        raise Failure(f"{path}: no such file" if not path.exists() else f"{path}: not a Luce model file")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            parts = [_part(archive, name) for name in PARTS] if PARTS[0] in names else None
    except (KeyError, ValueError, NotImplementedError, EOFError, zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise Failure(f"{path}: {_unreadable(path, error)}") from error
    if parts is None:
        if "schema.json" not in names:
            raise Failure(f"{path}: not a Luce model file")
        from luce.tables.old_model_file import load_old_model

        return load_old_model(path)
    try:
        content = json.loads(parts[0])
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise Failure(f"{path}: not a Luce model file")
        if content["version"] > VERSION:
            raise Failure(f"{path}: written by Luce {content['luce']}, this is {__version__}: upgrade luce")
        return _model(content, *(_array(part) for part in parts[1:]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise Failure(f"{path}: a damaged model file ({str(error)[:80] or type(error).__name__})") from error


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read, {error.strerror or error}"
    with path.open("rb") as file:
        archive = file.read(4) == b"PK\3\4"
    return "a damaged model file, cut or changed" if archive else "not a Luce model file"


def _array(data: bytes) -> Array:
    """Read an array of NumPy's format as `save_model` writes it, and no other."""
    header = HEADER.match(data)
    if header is None:
        raise ValueError("an array of another format")
    shape = tuple(int(size) for size in header[1].split(b",") if size.strip())
    body = data[header.end() :]
    if len(body) != 8 * math.prod(shape):
        raise ValueError("an array of another length")
    array = np.frombuffer(body, "<f8").astype(np.float64).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError("coefficients that are not finite")
    return array


def _model(content: dict[str, Any], coef: Array, intercept: Array) -> Model:
    target, classes, loss = content["target"], [_text(label) for label in content["classes"]], content["loss"]
    columns = [Column(_text(c["name"]), _text(c["kind"]), "", reading=c["reading"]) for c in content["columns"]]
    for column in columns:
        if column.reading is not None:
            Reading.from_json(column.reading)
    numbers = [
        Number(_text(n["name"]), _finite(n["median"]), _scale(n["scale"]), n["mark"] and _scale(n["mark"]))
        for n in content["numbers"]
    ]
    levels = [Levels(_text(t["name"]), _levels(t["kept"]), _levels(t["rare"])) for t in content["levels"]]
    preparation = Preparation(numbers, levels)
    rows = 1 if len(classes) == 2 else len(classes)
    if loss not in ("softmax", "sigmoid") or coef.shape != (rows, len(preparation)) or intercept.shape != (rows,):
        raise ValueError("its coefficients do not fit")
    if len(set(classes)) < max(len(classes), 2) or not (target is None or isinstance(target, str)):
        raise ValueError("its classes are not distinct")
    of_numbers = sorted(column.name for column in columns if column.kind in NUMBERS)
    of_text = sorted(column.name for column in columns if column.kind == "text")
    if of_numbers != sorted(n.name for n in numbers) or of_text != sorted(t.name for t in levels):
        raise ValueError("its columns do not fit")
    return Model(target, classes, columns, preparation, coef, intercept, loss)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is needed, got {type(value).__name__}")
    value.encode()  # half a surrogate pair is no text
    return value


def _levels(values: Any) -> list[str | None]:
    return [None if value is None else _text(value) for value in values]


def _finite(value: Any) -> float:
    number = float(value)
    if isinstance(value, str) or not math.isfinite(number):
        raise ValueError(f"a number is needed, got {value!r}")
    return number


def _scale(values: Any) -> Scale:
    scale = Scale(*map(_finite, values))
    if not scale.spread > 0:
        raise ValueError(f"a spread must be positive, got {scale.spread}")
    return scale
