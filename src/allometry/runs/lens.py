"""SQL over a study: DuckDB reads the curves from Parquet where they were compacted, else from their files."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from allometry.errors import InputError
from allometry.files import explained
from allometry.runs.compaction import FOLDER, Compaction, Kept, clock_ns, stamp_of, write_compaction
from allometry.runs.records import RECORD, folders_in

if TYPE_CHECKING:
    import duckdb

CURVE = "history.jsonl"
_MOST_PARTS = 8  # then they are made one: each costs a query an opened file
_MEMORY = "512MB"
_NOTHING = "SELECT '' AS run_id WHERE false"


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

    with _connected() as connection:
        connection.register("runs", runs)
        if re.search(r"\bhistory\b", sql, re.IGNORECASE):
            connection.execute(f"CREATE VIEW history AS {curves_query(folder)}")
        _fence(connection, folder)
        try:
            return connection.execute(sql).df()
        except duckdb.Error as error:
            raise InputError(
                f"Cannot answer the query: {str(error).splitlines()[0]}. "
                f"There are two tables: runs and history; try: SELECT * FROM runs LIMIT 3."
            ) from error


def curves_query(folder: Path) -> str:
    """SQL for all curves of a study, one row a logged step, with their run_id."""
    compaction = Compaction.read(folder)
    fresh, loose = _split(folder, compaction)
    parts = []
    if fresh:
        left_out = sorted(set(compaction.kept) - fresh)
        hidden = f" WHERE run_id NOT IN ({_listed(left_out)})" if left_out else ""
        parts.append(
            f"SELECT * FROM read_parquet([{_listed(compaction.parts)}], union_by_name = true){hidden}"
        )
    if loose:
        parts.append(_from_files([folder / "runs" / run_id / CURVE for run_id in loose]))
    return " UNION ALL BY NAME ".join(parts) or _NOTHING


def compact(folder: Path) -> Compacted:
    """Gather the finished runs of a study, with their curves, in a few Parquet files.

    Runs that were gathered before and have not changed are not read again.

    Raises:
        StudyError: If it cannot be written; an older compaction still counts.
    """
    made_ns, before = clock_ns(folder), Compaction.read(folder)
    with explained(folder / FOLDER):
        (folder / FOLDER).mkdir(exist_ok=True)
    now = {run_id: _keep(folder, run_id, before) for run_id in folders_in(folder)}
    kept = {run_id: one for run_id, one in now.items() if one is not None}
    added = [run_id for run_id, one in kept.items() if before.kept.get(run_id) != one]
    curves = [run_id for run_id in added if kept[run_id].history is not None]
    same = set(before.kept) & set(kept) - set(added)
    parts = _parts(folder, before, curves, same)
    write_compaction(folder, made_ns, parts, kept)
    size = sum(path.stat().st_size for path in (folder / FOLDER).glob("*.parquet"))
    return Compacted(runs=len(kept), added=len(added), size_bytes=size)


def _keep(folder: Path, run_id: str, before: Compaction) -> Kept | None:
    """A finished run as it is now. The stamps are taken first: what changes meanwhile makes the row stale."""
    path = folder / "runs" / run_id
    stamp, history = stamp_of(path / RECORD), stamp_of(path / CURVE)
    if stamp is None:
        return None
    known = before.record(run_id, stamp)
    if known is not None and (history is None or before.holds_history(run_id, history)):
        return before.kept[run_id]
    text = (path / RECORD).read_bytes() if known is None else known
    return Kept(stamp, text, history if history and history.size else None)


def _parts(folder: Path, before: Compaction, curves: Sequence[str], same: set[str]) -> list[Path]:
    """The files of the curves: the old ones and a new one, or one made of all."""
    stale = set(before.kept) - same
    old = list(before.parts) if not stale and len(before.parts) < _MOST_PARTS else []
    sources = [_from_files([folder / "runs" / run_id / CURVE for run_id in curves])] if curves else []
    if not old and before.parts and same:
        sources.append(
            f"SELECT * FROM read_parquet([{_listed(before.parts)}], union_by_name = true) "
            f"WHERE run_id IN ({_listed(sorted(same))})"
        )
    if not sources:
        return old
    path = folder / FOLDER / f"history-{uuid.uuid4().hex[:8]}.parquet"
    with _connected() as connection, explained(path):
        chosen = " UNION ALL BY NAME ".join(sources)
        connection.execute(f"COPY ({chosen}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)")
    return [*old, path]


def _split(folder: Path, compaction: Compaction) -> tuple[set[str], list[str]]:
    """Runs whose curve the compaction holds, and those whose file must be read."""
    fresh: set[str] = set()
    loose: list[str] = []
    for run_id in folders_in(folder):
        stamp = stamp_of(f"{folder}/runs/{run_id}/{CURVE}")
        if stamp is not None and compaction.holds_history(run_id, stamp):
            fresh.add(run_id)
        elif stamp is not None and stamp.size:
            loose.append(run_id)
    return fresh, loose


def _from_files(paths: Sequence[Path]) -> str:
    return (
        "SELECT parse_filename(parse_dirpath(filename)) AS run_id, * EXCLUDE (filename) FROM "
        f"read_json([{_listed(paths)}], format = 'newline_delimited', filename = true, "
        "union_by_name = true, ignore_errors = true) "
        "WHERE step IS NOT NULL"  # a line that is being written has no step yet
    )


@contextlib.contextmanager
def _connected() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect(config={"memory_limit": _MEMORY}) as connection:
        yield connection


def _fence(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Let a query read the study's own files and nothing else."""
    allowed = _listed([folder / "runs", folder / FOLDER])
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _listed(values: Sequence[object]) -> str:
    return ", ".join(_quoted(value) for value in values)


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
