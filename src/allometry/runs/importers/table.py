"""Read a table of runs that somebody else made, and say how each of its columns was understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from allometry.errors import InputError, TableError
from allometry.files import write_atomically
from allometry.runs.columns import COLUMNS
from allometry.runs.importers import find_importer
from allometry.runs.importers.cells import infer_column, read_column
from allometry.runs.importers.files import Cells, cells_of
from allometry.runs.importers.headers import counts_without_embedding, read_header, why_left
from allometry.runs.importers.mapping import map_headers
from allometry.runs.run import ColumnMapping, Runs
from allometry.storage import open_place
from allometry.units import show_power


def read_runs(
    source: str | Path | pd.DataFrame,
    *,
    columns: Mapping[str, str | None] | None = None,
    format: str | None = None,  # noqa: A002  (the word users expect)
) -> Runs:
    """Read runs from a table, logs or a tracker, with canonical column names and base units.

    Headers are matched with the names that papers, trainers and trackers use ("N", "Model Size (B)",
    "tokens_trained", "val_bpb"); units in headers and prefixes in cells ("7B") are applied. What was
    understood is kept in `Runs.mapping`; `describe_mapping` prints it. Columns that are not known stay as
    they are, missing values become NaN, and nothing is derived: no FLOP from parameters and tokens.

    Args:
        source: A file, folder or address that one of `IMPORTERS` reads, a study's folder, or a pandas
            DataFrame.
        columns: Header to canonical column, over what would be found: {"toks": "tokens"}. A factor may
            follow, {"bs": "batch_tokens * 2048"}; None leaves a column as found.
        format: The name of one of `IMPORTERS`, such as "csv", where the source does not show what it is.

    Raises:
        InputError: If there is no such file, format or study.
        TableError: If it is not a table of runs; the message names the place and the way out.

    >>> import pandas as pd
    >>> runs = read_runs(pd.DataFrame({"Model Size (B)": [7.0], "D": ["1.4T"], "loss": [2.1]}))
    >>> runs.table[["params", "tokens"]].iloc[0].tolist()
    [7000000000.0, 1400000000000.0]
    """
    if isinstance(source, pd.DataFrame):
        return _understand(cells_of(source, "the table"), "memory", columns or {}, {})
    if _is_study(source) and format is None:
        if columns:
            raise InputError(f"{source} is a study, whose columns are canonical: leave out columns=.")
        return _read_study(source)
    importer = find_importer(str(source), format)
    return _understand(importer.read(str(source)), str(source), columns or {}, importer.columns)


def write_runs(runs: Runs, path: Path) -> None:
    """Write runs as a table with canonical columns and base units; all of it or nothing.

    Raises:
        InputError: If the file's name ends in neither .csv nor .parquet.
        StudyError: If it cannot be written.
    """
    match path.suffix:
        case ".csv":
            write_atomically(path, runs.table.to_csv(index=False))
        case ".parquet":
            write_atomically(path, runs.table.to_parquet(index=False))
        case other:
            raise InputError(f"Write runs to a .csv or .parquet file, not to '{other or path}'.")


def describe_mapping(runs: Runs) -> str:
    """Say how each column of the source was read, one line each, those left as found last.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"N (M)": [7], "loss": [4.0], "bs": [64], "note": ["x"]})
    >>> print(describe_mapping(read_runs(table)))
    Columns of memory:
      N (M) -> params, times 1e6
      loss -> loss
      bs: as found; it may count sequences or tokens
      as found: note
    """
    read = [m for m in runs.mapping if m.column in COLUMNS]
    given = {m.column: m.source for m in read}
    lines = [f"Columns of {runs.source}:"]
    for m in read:
        lines.append(
            f"  {m.source} -> {m.column}" + (f", times {show_power(m.scale, 12)}" if m.scale != 1 else "")
        )
    others = [(m, _why_as_found(m, given)) for m in runs.mapping if m.column not in COLUMNS]
    lines += [f"  {m.source}: as found{_under(m)}; {why}" for m, why in others if why]
    plain = [m.source for m, why in others if not why]
    return "\n".join(lines + ([f"  as found: {', '.join(plain)}"] if plain else []))


def _under(mapping: ColumnMapping) -> str:
    return f" under '{mapping.column}'" if mapping.column != mapping.source else ""


def _why_as_found(mapping: ColumnMapping, given: Mapping[str, str]) -> str:
    meaning = read_header(mapping.source)
    if meaning is None:
        return why_left(mapping.source)
    if meaning.column in given:
        return f"{meaning.column} is read from '{given[meaning.column]}'"
    return f"not taken for {meaning.column}, as columns= or its format says"


def _is_study(source: str | Path) -> bool:
    try:
        return (open_place(source) / "study.toml").is_file()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise InputError(f"{str(source)[:200]} cannot be read: {error.strerror}.") from error


def _read_study(folder: str | Path) -> Runs:
    from allometry.runs.study import Study

    return Study.open(folder).runs()


def _understand(
    cells: Cells, source: str, wanted: Mapping[str, str | None], of_format: Mapping[str, str | None]
) -> Runs:
    name = _short(source)
    if not any(cells.columns.values()):
        raise TableError(f"{name} has no rows; give at least one run.")
    mapping = map_headers(list(cells.columns), wanted, of_format, name)
    table = {}
    for m in mapping:
        values = cells.columns[m.source]
        if m.column in COLUMNS:
            table[m.column] = read_column(values, COLUMNS[m.column], m.scale, m.source, name)
        else:
            table[m.column] = pd.Series(values) if cells.typed else infer_column(values)
    return Runs(pd.DataFrame(table | _conventions(mapping, table)), source=source, mapping=mapping)


def _conventions(mapping: Sequence[ColumnMapping], table: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """Name the convention of each count the table leaves open: unnamed, it decides exponents unseen."""
    found = {}
    for m in mapping:
        column = f"{m.column}_convention"
        if m.column in ("params", "flops") and column not in table:
            said = (
                "non_embedding" if m.column == "params" and counts_without_embedding(m.source) else "stated"
            )
            found[column] = pd.Series([said] * len(table[m.column]), dtype=object)
    return found


def _short(source: str) -> str:
    if source == "memory":
        return "the table"
    return Path(source).name if Path(source).exists() else source
