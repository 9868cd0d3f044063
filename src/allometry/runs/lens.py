"""SQL over a study: DuckDB reads the curves from Parquet where they were compacted, else from their files."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from allometry.errors import InputError, StudyError, did_you_mean
from allometry.files import clock_ns, explained
from allometry.runs.compaction import FOLDER, Compaction, Kept, write_compaction
from allometry.runs.records import RECORD
from allometry.runs.stamps import contents_of, stamps_of
from allometry.storage import in_object_storage

if TYPE_CHECKING:
    import duckdb

CURVE = "history.jsonl"
_MOST_PARTS = 8  # then they are made one: each costs a query an opened file
_MEMORY = "512MB"
_TABLES = "There are two tables: runs and history; try: SELECT * FROM runs LIMIT 3."
_NOTHING = "SELECT '' AS run_id, 0 AS step WHERE false"


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What a compaction came to.

    Attributes:
        runs: Finished runs it holds.
        added: Those of them that were not in it, or had changed.
        size_bytes: Of its files.
    """

    runs: int
    added: int
    size_bytes: int


def answer(folder: Path, sql: str, runs: pd.DataFrame) -> pd.DataFrame:
    """Answer SQL over the tables `runs` and `history`.

    Args:
        folder: Of the study.
        runs: What the table `runs` holds.

    Raises:
        InputError: If the query cannot be answered.
    """
    import duckdb  # a tenth of a second that only queries need

    if not sql.strip(" \n\t;"):
        raise InputError(f"The query is empty. {_TABLES}")
    with _connected() as (connection, aside):
        connection.register("runs", runs)
        try:
            if re.search(r"\bhistory\b", sql, re.IGNORECASE):
                connection.execute(f"CREATE VIEW history AS {_curves(folder, aside)}")
            _fence(connection, folder, aside)
            _refuse_writing(connection, sql)
            return connection.execute(sql).df()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].removesuffix("!")
            near = _meant(reason, [str(name) for name in runs.columns])
            raise InputError(f"Cannot answer the query: {reason}.{near} {_TABLES}") from error


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """The fence lets DuckDB into the compacted files, where a COPY or an ATTACH could write, too.

    Raises:
        InputError: If the query is not one that only reads.
    """
    import duckdb

    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.MULTI}  # MULTI: a PIVOT
    for statement in connection.extract_statements(sql):
        if statement.type not in reading:
            raise InputError(
                f"A query only reads, and {statement.type.name} does not: write a SELECT. All runs, or all "
                f"curves, are written to a file by: allometry export"
            )


def _meant(reason: str, columns: Sequence[str]) -> str:
    """The column or table that is nearest to the one which DuckDB did not find."""
    if column := re.search(r'Referenced column "([^"]+)" not found', reason):
        return did_you_mean(column[1], columns)
    table = re.search(r"Table with name (\S+) does not exist", reason)
    return did_you_mean(table[1], ("runs", "history")) if table else ""


def _curves(folder: Path, aside: Path) -> str:
    """SQL for all curves of a study, one row a logged step, with their run_id."""
    compaction = Compaction.read(folder)
    fresh, loose = _split(folder, compaction)
    parts = []
    if fresh:
        left_out = sorted(set(compaction.kept) - fresh)
        hidden = f" WHERE run_id NOT IN ({_listed(left_out)})" if left_out else ""
        parts.append(f"{_from_parts(compaction.parts, aside)}{hidden}")
    if loose:
        parts.append(_from_files(folder, loose, aside))
    return " UNION ALL BY NAME ".join(parts) or _NOTHING


def write_curves(folder: Path, path: Path) -> int:
    """Write all curves of a study to a .parquet or .csv file, and say how many rows there are.

    Raises:
        StudyError: If the curves cannot be read together, or not written.
    """
    with _connected() as (connection, aside):
        ordered = f"SELECT * FROM ({_curves(folder, aside)}) ORDER BY run_id, step"
        return _copied(connection, ordered, path)


def compact(folder: Path) -> Compacted:
    """Gather the finished runs of a study, with their curves, in a few Parquet files.

    Runs that were gathered before and have not changed are not read again.

    Raises:
        StudyError: If it cannot be written; an older compaction still counts.
    """
    made_ns, before = clock_ns(folder), Compaction.read(folder)
    with explained(folder / FOLDER):
        (folder / FOLDER).mkdir(exist_ok=True)
    kept = _keep(folder, before)
    added = [run_id for run_id, one in kept.items() if before.kept.get(run_id) != one]
    curves = [run_id for run_id in added if kept[run_id].history is not None]
    same = set(before.kept) & set(kept) - set(added)
    parts = _parts(folder, before, curves, same)
    write_compaction(folder, made_ns, parts, kept)
    size = sum(path.stat().st_size for path in (folder / FOLDER).glob("*.parquet"))
    return Compacted(runs=len(kept), added=len(added), size_bytes=size)


def _keep(folder: Path, before: Compaction) -> dict[str, Kept]:
    """Finished runs as they are now. The stamps are taken first: what changes meanwhile makes a row stale."""
    curves, stamps = stamps_of(folder, CURVE), stamps_of(folder, RECORD)
    known = {run_id: text for run_id, stamp in stamps.items() if (text := before.record(run_id, stamp))}
    loose = dict(contents_of(folder, RECORD, [run_id for run_id in stamps if run_id not in known]))
    kept = {}
    for run_id, stamp in stamps.items():
        history = curves.get(run_id)
        if run_id in known and (history is None or before.holds_history(run_id, history)):
            kept[run_id] = before.kept[run_id]
        else:
            text = known.get(run_id) or loose.get(run_id)
            if text is not None:  # else somebody has taken it away since
                kept[run_id] = Kept(stamp, text, history if history and history.size else None)
    return kept


def _parts(folder: Path, before: Compaction, curves: Sequence[str], same: set[str]) -> list[Path]:
    """The files of the curves: the old ones and a new one, or one made of all."""
    stale = set(before.kept) - same
    old = list(before.parts) if not stale and len(before.parts) < _MOST_PARTS else []
    again = sorted(same) if before.parts and not old else []
    if not curves and not again:
        return old
    path = folder / FOLDER / f"history-{uuid.uuid4().hex[:8]}.parquet"
    with _connected() as (connection, aside):
        sources = [_from_files(folder, curves, aside)] if curves else []
        if again:
            sources.append(f"{_from_parts(before.parts, aside)} WHERE run_id IN ({_listed(again)})")
        if in_object_storage(path):
            _copied(connection, " UNION ALL BY NAME ".join(sources), aside / path.name)
            path.write_bytes((aside / path.name).read_bytes())
        else:
            _copied(connection, " UNION ALL BY NAME ".join(sources), path)
    return [*old, path]


def _split(folder: Path, compaction: Compaction) -> tuple[set[str], list[str]]:
    """Runs whose curve the compaction holds, and those whose file must be read."""
    fresh: set[str] = set()
    loose: list[str] = []
    for run_id, stamp in stamps_of(folder, CURVE).items():
        if compaction.holds_history(run_id, stamp):
            fresh.add(run_id)
        elif stamp.size:
            loose.append(run_id)
    return fresh, loose


def _from_parts(parts: Sequence[Path], aside: Path) -> str:
    local = [_brought(part, aside) if in_object_storage(part) else part for part in parts]
    return f"SELECT * FROM read_parquet([{_listed(local)}], union_by_name = true)"


def _brought(part: Path, aside: Path) -> Path:
    """A copy on this machine: DuckDB reads some kinds of storage itself, each in a way of its own."""
    place = aside / part.name
    place.write_bytes(part.read_bytes())
    return place


def _from_files(folder: Path, run_ids: Sequence[str], aside: Path) -> str:
    """SQL for the curves of some runs, which are first put in one file."""
    # Thousands of files opened at once take DuckDB 32 MB each; one large file it streams.
    gathered = aside / "curves.jsonl"
    with gathered.open("wb") as file:
        file.write(b'{"run_id": null, "step": null}\n')  # for curves of a user's trainer that have no steps
        for run_id, content in contents_of(folder, CURVE, run_ids):
            file.write(_named_lines(content, run_id))
    return (
        f"SELECT * FROM read_json({_quoted(gathered)}, format = 'newline_delimited', sample_size = -1, "
        "ignore_errors = true) "
        "WHERE step IS NOT NULL"
    )


def _named_lines(content: bytes, run_id: str) -> bytes:
    """The whole lines of a curve, each with the run_id: one that is being written is left out."""
    whole = content[: content.rfind(b"\n") + 1]
    # Every line is an object that begins at its first column: no line is parsed here.
    return (b"\n" + whole).replace(b"\n{", b'\n{"run_id": ' + json.dumps(run_id).encode() + b", ")[1:]


def _copied(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    import duckdb

    try:
        written = connection.execute(f"COPY ({query}) TO {_quoted(path)}").fetchone()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"Cannot write {path}: {reason}. The files of the runs are as they were.") from error
    return int(written[0]) if written else 0


@contextlib.contextmanager
def _connected() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database in memory, and a folder for what does not fit in it, for as long as it is open."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="allometry-") as aside:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": f"{aside}/spilled",
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=settings) as connection:
            yield connection, Path(aside)


def _fence(connection: duckdb.DuckDBPyConnection, folder: Path, aside: Path) -> None:
    """Let a query read the study's own files and nothing else."""
    allowed = _listed([aside] if in_object_storage(folder) else [folder / FOLDER, aside])
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _listed(values: Sequence[object]) -> str:
    return ", ".join(_quoted(value) for value in values)


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
