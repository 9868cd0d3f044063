"""From a file's bytes to a table of cells as found: no column is understood here."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allometry.errors import InputError, TableError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
}  # fmt: skip
_PACKED = (".gz", ".zst")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UNPACKED_BYTES = 2**32  # a few kilobytes can unpack to more than a machine holds


@dataclass(frozen=True)
class Cells:
    """A table as found: header to one value a row; `typed` is False where every value is text."""

    columns: dict[str, list[Any]]
    typed: bool


def format_of(name: str) -> str | None:
    """The format that the end of a file's name says, compressed or not; None if it says none.

    >>> format_of("runs.tsv.gz"), format_of("runs.xlsx")
    ('tsv', None)
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def read_cells(path: Path, format: str) -> Cells:  # noqa: A002
    """Read a file as cells, in the format named; a compressed one is unpacked first.

    Raises:
        InputError: If there is no such file.
        TableError: If the file is empty or not of that format.
    """
    content = read_content(path)
    if not content.strip():
        raise TableError(f"{path.name} is empty; give a table with a header and one row a run.")
    return _FORMATS[format](content, path.name)


def read_content(path: Path) -> bytes:
    """The bytes of a file, unpacked if they are compressed with gzip or Zstandard.

    Raises:
        InputError: If there is no such file, or it cannot be read.
        TableError: If it is compressed and damaged, or unpacks to more than 4 GiB.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path} cannot be read: {error}.") from error
    # By the first bytes and not by the name: neither pair can begin a text in UTF-8 or a Parquet file.
    packing = next((kind for start, kind in _MAGIC.items() if content.startswith(start)), None)
    return content if packing is None else _unpack(content, packing, path.name)


def _unpack(content: bytes, packing: str, name: str) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(content), packing) as stream:
            unpacked: bytes = stream.read(_UNPACKED_BYTES + 1)
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{name} is compressed with {packing} and damaged: {error}. Make it again, or unpack it yourself."
        ) from error
    if len(unpacked) > _UNPACKED_BYTES:
        raise TableError(f"{name} unpacks to more than {_UNPACKED_BYTES} bytes; unpack it and read a part.")
    return unpacked


def _read_separated(content: bytes, name: str, separator: str) -> Cells:
    rows = _rows(_text(content, name), name, separator)
    headers = _headers(rows[0], name, separator)
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(headers):
            raise TableError(
                f"{name}: row {number} has {len(row)} fields and the header has {len(headers)}. "
                f"Quote a field that holds the separator, and write an empty field for a missing value."
            )
    return Cells({h: [row[place] for row in rows[1:]] for place, h in enumerate(headers)}, typed=False)


def _rows(text: str, name: str, separator: str) -> list[list[str]]:
    # The csv module and not pandas: pandas fills short rows, renames double headers and turns long rows into
    # an index without a word, and reads a run called 2e84104 as a number.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise TableError(f"{name} is not a table: line {reader.line_num}: {error}.") from error
    if not rows:
        raise TableError(f"{name} is empty; give a table with a header and one row a run.")
    return rows


def _headers(row: Sequence[str], name: str, separator: str) -> list[str]:
    others = [other for other in (",", ";", "\t") if other != separator and other in row[0]]
    if len(row) == 1 and others:
        raise TableError(
            f"{name}: the header is one field, '{row[0][:80]}', and looks separated by {others[0]!r}. "
            f"Save it with commas, or with tabs and read it with format='tsv'."
        )
    if all(_is_number(field) for field in row):
        raise TableError(
            f"{name}: the first line, '{', '.join(row)[:80]}', holds numbers only; put a line with the names "
            "of the columns above it, such as params,tokens,loss."
        )
    headers = [header.strip() or f"column {place}" for place, header in enumerate(row, start=1)]
    _refuse_doubles(headers, name)
    return headers


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _refuse_doubles(headers: Sequence[str], name: str) -> None:
    doubles = [header for header, times in Counter(headers).items() if times > 1]
    if doubles:
        raise TableError(f"{name} has more than one column '{doubles[0]}'; rename all but one.")


def _read_csv(content: bytes, name: str) -> Cells:
    return _read_separated(content, name, ";" if _is_semicolon_separated(_text(content, name)) else ",")


def _is_semicolon_separated(text: str) -> bool:
    # With a comma anywhere it is not clear what separates: 1,5 may be one number or two fields.
    return ";" in text.lstrip().partition("\n")[0] and "," not in text and "\t" not in text


def _read_tsv(content: bytes, name: str) -> Cells:
    return _read_separated(content, name, "\t")


def _read_jsonl(content: bytes, name: str) -> Cells:
    lines = enumerate(_text(content, name).split("\n"), start=1)
    return cells_of_rows(
        [_parse_json(line, f"{name}: line {number}") for number, line in lines if line.strip()], name
    )


def _read_json(content: bytes, name: str) -> Cells:
    items = _parse_json(_text(content, name), name)
    if not isinstance(items, list) or not items:
        raise TableError(
            f"{name} is not a list of runs; write [{{...}}, {{...}}] or one object a line (.jsonl)."
        )
    return cells_of_rows(items, name)


def read_json(path: Path) -> Any:
    """What a JSON file holds, of any shape.

    Raises:
        InputError: If there is no such file.
        TableError: If it is not JSON.
    """
    return _parse_json(_text(read_content(path), str(path)), str(path))


def _parse_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for an integer of thousands of digits
        raise TableError(f"{where} is not JSON: {error}.") from error


def cells_of_rows(rows: Sequence[Any], name: str) -> Cells:
    """The cells of rows that are JSON objects or their like; a key that a row lacks is missing there.

    >>> cells_of_rows([{"N": 7e9}, {"N": 8e9, "loss": 2.1}], "runs.json").columns["loss"]
    [None, 2.1]
    """
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise TableError(f'{name}: row {number} is not an object like {{"params": 7e9, "loss": 2.1}}.')
    headers = list(dict.fromkeys(key for row in rows for key in row))
    stripped = [header.strip() or "column" for header in headers]
    _refuse_doubles(stripped, name)
    return Cells(
        {short: [row.get(key) for row in rows] for short, key in zip(stripped, headers, strict=True)},
        typed=True,
    )


def _read_parquet(content: bytes, name: str) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
        headers = [str(header).strip() for header in table.column_names]
        _refuse_doubles(headers, name)
        # Without the stored pandas metadata: an index is a column of the file like any other.
        frame = table.rename_columns(headers).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{name} is not a Parquet file that can be read: {error}.") from error
    return cells_of(frame, name)


def cells_of(frame: pd.DataFrame, name: str) -> Cells:
    """The cells of a table in memory; missing values of any kind become None."""
    headers = [str(header).strip() for header in frame.columns]
    _refuse_doubles(headers, name)
    columns = {}
    for place, header in enumerate(headers):
        series = frame.iloc[:, place]
        present = series.notna()
        columns[header] = [value if there else None for value, there in zip(series, present, strict=True)]
    return Cells(columns, typed=True)


def _text(content: bytes, name: str) -> str:
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        shown = encoding.removesuffix("-sig").upper()
        raise TableError(
            f"{name} is not {shown} text (byte {error.start + 1}); save it as UTF-8, "
            f"or say what it is with format=, one of: {', '.join(_FORMATS)}."
        ) from error


_FORMATS: dict[str, Callable[[bytes, str], Cells]] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "parquet": _read_parquet,
}
