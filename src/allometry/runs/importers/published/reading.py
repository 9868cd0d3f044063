"""The importer of published tables: from a name to cells."""

from __future__ import annotations

from allometry.errors import TableError
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells, read_cells
from allometry.runs.importers.published.definition import PUBLISHED, Flag, PublishedTable, TableFile
from allometry.runs.importers.published.fetching import find_file

Columns = dict[str, list[str]]

_PREFIX = "published:"


def recognises(source: str) -> bool:
    """Whether a source names a published table.

    >>> recognises("published:hoffmann2022")
    True
    """
    return source.startswith(_PREFIX)


def read_published(source: str) -> Cells:
    """The cells of a published table, from the folder ALLOMETRY_DATA, the cache, or its address.

    Raises:
        UnknownName: If no table has that name.
        InputError: If it is not on this machine and cannot be downloaded.
        CorruptFile: If the file is not the one that was published.
    """
    return read_table(PUBLISHED[source.removeprefix(_PREFIX).strip()])


def read_table(table: PublishedTable) -> Cells:
    """The cells of a table, under headers that say what they count."""
    path, file = find_file(table)
    return Cells(_as_published(read_cells(path, "csv").columns, table, file), typed=False)


def _as_published(found: Columns, table: PublishedTable, file: TableFile) -> Columns:
    columns = {file.rename.get(header, header): values for header, values in found.items()}
    _require(columns, table, file)
    columns = _kept(columns, file)
    if file.tokens_from is not None:
        columns["tokens"] = _tokens(columns, *file.tokens_from)
    if file.flag is not None:
        columns[file.flag.column] = _marks(columns, file.flag)
    rows = len(next(iter(columns.values())))
    return columns | {header: [value] * rows for header, value in table.says.items()}


def _require(columns: Columns, table: PublishedTable, file: TableFile) -> None:
    needed = {*file.keep, *(file.tokens_from or ()), *((file.flag.of,) if file.flag else ())}
    missing = sorted(needed - set(columns))
    if missing:
        raise TableError(
            f"{file.name} has no column '{missing[0]}', which the table '{table.name}' needs. "
            f"It has: {', '.join(columns)}. It may be another version of the file: delete it."
        )


def _kept(columns: Columns, file: TableFile) -> Columns:
    for header, wanted in file.keep.items():
        rows = [row for row, value in enumerate(columns[header]) if value == wanted]
        columns = {name: [values[row] for row in rows] for name, values in columns.items()}
    return columns


def _tokens(columns: Columns, flops: str, params: str) -> list[str]:
    pairs = zip(columns[flops], columns[params], strict=True)
    return [repr(float(c) / (6 * float(n))) for c, n in pairs]


def _marks(columns: Columns, flag: Flag) -> list[str]:
    values = [float(value) for value in columns[flag.of]]
    largest = set(sorted(range(len(values)), key=values.__getitem__)[-flag.count :])
    return [str(row in largest) for row in range(len(values))]


importer = Importer(
    name="published",
    reads="A public table by its name (published:hoffmann2022), from the folder that ALLOMETRY_DATA names, "
    "or downloaded once from its author's address, pinned to a commit.",
    source="The catalog PUBLISHED: paper, address, licence and checksum of each table",
    recognises=recognises,
    read=read_published,
    # The catalog gives columns these headers where a file's own leaves open what it counts.
    columns={"batch_size (sequences of 2048 tokens)": "batch_tokens * 2048"},
)
