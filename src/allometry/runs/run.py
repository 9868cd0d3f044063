"""`Run`: one training as measured. `Runs`: a table of them, in canonical columns and base units."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from allometry.errors import InputError, MissingColumn, did_you_mean
from allometry.runs.columns import COLUMNS
from allometry.units import show_count

Status = Literal["done", "diverged", "failed", "stopped"]
FINISHED: tuple[Status, ...] = ("done", "diverged")  # what is not trained again


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training as measured, with where it came from.

    Attributes:
        run_id: Identity; for the lab's own runs the content hash of the recipe.
        status: Only "done" runs enter a fit; the others are kept as facts.
        values: Canonical column to value, in base units (see `allometry.runs.columns.COLUMNS`);
            more columns are allowed and are kept.
        reason: Why it is not done, in words; empty otherwise.
    """

    run_id: str
    status: Status
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def row(self) -> dict[str, Any]:
        """The run as one row of a table."""
        return {"run_id": self.run_id, "status": self.status, **self.values, "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Rows left out of a table of runs, and why: a fit reports it."""

    query: str
    because: str
    kept: int
    dropped: int


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How one column of a source became a canonical one; the value is multiplied by `scale`."""

    source: str
    column: str
    scale: float = 1.0


@dataclass(frozen=True)
class Runs:
    """A table of runs.

    Attributes:
        table: One row a run, canonical columns in base units where known, others as found.
            Treat it as read-only: methods return new `Runs`.
        source: Where the rows came from: a path, a study, "memory".
        mapping: How the source's columns were read, for readers of foreign tables.
        filters: What was left out so far, oldest first.

    >>> import pandas as pd
    >>> runs = Runs(pd.DataFrame({"params": [1e6, 2e6], "tokens": [1e8, 1e8], "loss": [3.5, 3.2]}))
    >>> len(runs.where("params > 1.5e6", because="too small to matter"))
    1
    """

    table: pd.DataFrame
    source: str = "memory"
    mapping: tuple[ColumnMapping, ...] = ()
    filters: tuple[Filter, ...] = ()

    @classmethod
    def of(cls, runs: Iterable[Run], source: str = "memory") -> Runs:
        """Collect single runs in a table; an empty one has the canonical columns."""
        rows = [run.row() for run in runs]
        return cls(pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(COLUMNS)), source=source)

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> np.ndarray:
        """One numeric column as float64, of shape (runs,).

        Raises:
            MissingColumn: If there is none; the message lists what there is.
            InputError: If it holds text or complex numbers, or if several columns have the name.
        """
        self.require(name)
        found = self._numeric(name)
        values = found.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.flatnonzero(np.isnan(values) & self.table[name].notna().to_numpy())
        if bad.size:
            raise InputError(
                f"{self.source}: column '{name}' holds text in row {bad[0] + 1}: "
                f"'{self.table[name].iloc[bad[0]]}'. Give numbers, or leave the row out with where=."
            )
        return values

    def _numeric(self, name: str) -> pd.Series:
        same = int((self.table.columns == name).sum())
        if same > 1:
            raise InputError(f"{self.source} has {same} columns called '{name}'; rename or drop all but one.")
        found = self.table[name]
        if pd.api.types.is_complex_dtype(found):
            raise InputError(f"{self.source}: column '{name}' holds complex numbers. Give real ones.")
        return pd.to_numeric(found, errors="coerce")

    def require(self, *names: str) -> None:
        """Refuse to go on without these columns.

        Raises:
            MissingColumn: Naming the first one that is missing and the way out.
        """
        for name in names:
            if name not in self.table.columns:
                has = [str(column) for column in self.table.columns]
                raise MissingColumn(
                    f"{self.source} has no '{name}'. It has: {', '.join(has)}.{did_you_mean(name, has)} "
                    f'Map one with columns={{"yours": "{name}"}} (command line: --columns "yours={name}").'
                )

    def where(self, query: str, because: str = "") -> Runs:
        """Keep the rows for which an SQL condition over the columns holds.

        Args:
            query: What may stand behind WHERE, for example "loss < 5 AND design = 'ladder'".
            because: The reason; it is kept with the fit.

        Raises:
            InputError: If the condition cannot be understood.
        """
        keep = _matching_rows(self.table, query, self.source)
        kept = self.table.iloc[keep].reset_index(drop=True)
        entry = Filter(query=query, because=because, kept=len(kept), dropped=len(self.table) - len(kept))
        return replace(self, table=kept, filters=(*self.filters, entry))

    def fingerprint(self, columns: Iterable[str]) -> str:
        """Hash of the given numeric columns, bit for bit: same data in the same order, same hash."""
        digest = hashlib.sha256()
        for name in columns:
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(self.column(name)).tobytes())
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """How many runs, and the range of what they vary, in a few lines of text."""
        lines = [f"{len(self)} runs from {self.source}"]
        for name in ("params", "tokens", "flops", "loss", "bits_per_byte"):
            if name in self.table.columns and np.isfinite(self.column(name)).any():
                low, high = np.nanmin(self.column(name)), np.nanmax(self.column(name))
                levels = len(np.unique(self.column(name)[np.isfinite(self.column(name))]))
                shown = (f"{low:.4f}", f"{high:.4f}") if high < 100 else (show_count(low), show_count(high))
                unit = COLUMNS[name].unit.removeprefix("1")  # a count of parameters has none
                lines.append(f"  {name:13s} {shown[0]} to {f'{shown[1]} {unit}'.strip()}, {levels} levels")
        lines += [
            f"  left out {f.dropped} of {f.kept + f.dropped} by not: {f.query}"
            + (f" ({f.because})" if f.because else "")
            for f in self.filters
        ]
        return "\n".join(lines)


def _matching_rows(table: pd.DataFrame, query: str, source: str) -> np.ndarray:
    import duckdb  # here: most commands filter nothing, and it takes a tenth of a second

    # The condition comes from the user, never from a file; DuckDB still gets no access to files or network.
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("runs", table.assign(_row=np.arange(len(table))))
        try:
            rows = connection.execute(f"SELECT _row FROM runs WHERE ({query}) ORDER BY _row").fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].removesuffix("!")
            columns = [str(name) for name in table.columns]
            absent = re.search(r'Referenced column "([^"]+)" not found', reason)
            meant = did_you_mean(absent[1], columns) if absent else ""
            raise InputError(
                f"Cannot filter {source} by '{query}': {reason}.{meant} Columns: {', '.join(columns)}."
            ) from error
    return np.array([row[0] for row in rows], dtype=np.intp)
