"""Read a table of runs that somebody else made, and say how each of its columns was understood."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from allometry.errors import InputError, MissingColumn, TableError, UnknownName, did_you_mean
from allometry.files import write_atomically
from allometry.runs.columns import COLUMNS
from allometry.runs.importers.cells import infer_column, read_column
from allometry.runs.importers.files import Cells, cells_of, read_cells
from allometry.runs.importers.headers import (
    Meaning,
    counts_without_embedding,
    read_header,
    unit_scale,
    why_left,
)
from allometry.runs.run import ColumnMapping, Runs
from allometry.units import read_quantity, show_power


def read_runs(
    source: str | Path | pd.DataFrame,
    *,
    columns: Mapping[str, str | None] | None = None,
    format: str | None = None,  # noqa: A002  (the word users expect)
) -> Runs:
    """Read runs from a table, with canonical column names and base units.

    Headers are matched with the names that papers, trainers and trackers use ("N", "Model Size (B)",
    "tokens_trained", "val_bpb"); units in headers and prefixes in cells ("7B") are applied. What was
    understood is kept in `Runs.mapping`; `describe_mapping` prints it. Columns that are not known stay as
    they are, missing values become NaN, and nothing is derived: no FLOP from parameters and tokens.

    Args:
        source: A CSV, TSV, Parquet, JSONL or JSON file, a study's folder, or a pandas DataFrame.
        columns: Header to canonical column, over what would be found: {"toks": "tokens"}. A factor may
            follow, {"bs": "batch_tokens * 2048"}; None leaves a column as found.
        format: "csv", "tsv", "parquet", "jsonl" or "json", where the file's name does not say it.

    Raises:
        InputError: If there is no such file, format or study.
        TableError: If it is not a table of runs; the message names the place and the way out.

    >>> import pandas as pd
    >>> runs = read_runs(pd.DataFrame({"Model Size (B)": [7.0], "D": ["1.4T"], "loss": [2.1]}))
    >>> runs.table[["params", "tokens"]].iloc[0].tolist()
    [7000000000.0, 1400000000000.0]
    """
    if isinstance(source, pd.DataFrame):
        return _understand(cells_of(source, "the table"), "memory", columns or {})
    path = Path(source)
    if path.is_dir():
        if columns or format:
            raise InputError(
                f"{path} is a folder, whose columns are canonical: leave out columns= and format=."
            )
        return _read_study(path)
    return _understand(read_cells(path, format), str(path), columns or {})


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
    return f"not read as {meaning.column}, as asked"


def _read_study(folder: Path) -> Runs:
    from allometry.runs.study import Study

    if not (folder / "study.toml").is_file():
        raise InputError(
            f"The folder {folder} holds no study.toml, so it is not a study; give a file or a study."
        )
    return Study.open(folder).runs()


def _understand(cells: Cells, source: str, wanted: Mapping[str, str | None]) -> Runs:
    name = Path(source).name if source != "memory" else "the table"
    if not any(cells.columns.values()):
        raise TableError(f"{name} has no rows; give at least one run.")
    mapping = _map(list(cells.columns), wanted, name)
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


def _map(headers: Sequence[str], wanted: Mapping[str, str | None], name: str) -> tuple[ColumnMapping, ...]:
    asked = {header: _asked(header, text, headers, name) for header, text in wanted.items()}
    _refuse_two_for_one(asked, name, "name one of them only")
    taken = {meaning.column for meaning in asked.values() if meaning}
    known = {h: m for h in headers if h not in asked and (m := read_header(h)) and m.column not in taken}
    own = {m.column for m in known.values() if m.own_name}
    found = {h: m for h, m in known.items() if m.own_name or m.column not in own}
    _refuse_two_for_one(found, name, "say which")
    return _as_mapping(headers, {h: m for h, m in (found | asked).items() if m}, name)


def _as_mapping(headers: Sequence[str], read: Mapping[str, Meaning], name: str) -> tuple[ColumnMapping, ...]:
    mapping = []
    for header in headers:
        if header in read:
            mapping.append(ColumnMapping(source=header, column=read[header].column, scale=read[header].scale))
            continue
        # A canonical name must not stand over values that are not read as such.
        kept = f"{header}_as_found" if header in COLUMNS else header
        if kept != header and kept in headers:
            raise TableError(f"{name} has both '{header}' and '{kept}'; rename one of them.")
        mapping.append(ColumnMapping(source=header, column=kept))
    return tuple(mapping)


def _asked(header: str, text: str | None, headers: Sequence[str], name: str) -> Meaning | None:
    """What the user wants a header to mean: a canonical column, or one times a factor; None is as found."""
    if header not in headers:
        has = ", ".join(headers)
        raise MissingColumn(f"{name} has no column '{header}'.{did_you_mean(header, headers)} It has: {has}.")
    if not text:
        return None
    column, _, factor = (part.strip() for part in text.partition("*"))
    if column not in COLUMNS:
        raise UnknownName(
            f'columns={{"{header}": "{text}"}}: there is no canonical column \'{column}\'.'
            f"{did_you_mean(column, COLUMNS)} There are: {', '.join(COLUMNS)}."
        )
    scale = read_quantity(factor) if factor else _scale_in(header, column)
    if not 0 < scale < float("inf"):
        raise InputError(f'columns={{"{header}": "{text}"}}: a factor must be positive and finite.')
    return Meaning(column=column, scale=scale)


def _scale_in(header: str, column: str) -> float:
    meaning = read_header(header)
    if meaning is not None and meaning.column == column:
        return meaning.scale
    opened = header.rfind("(") if header.endswith(")") else -1
    return (unit_scale(header[opened + 1 : -1], column) if opened > 0 else None) or 1.0


def _refuse_two_for_one(meanings: Mapping[str, Meaning | None], name: str, way_out: str) -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for header, meaning in meanings.items():
        if meaning is not None:
            sources[meaning.column].append(header)
    for column, headers in sources.items():
        if len(headers) > 1:
            choices = " and ".join(f"'{header}'" for header in headers)
            raise TableError(
                f"{name}: {choices} can each be {column}; {way_out}, for example "
                f'columns={{"{headers[0]}": "{column}"}}.'
            )
