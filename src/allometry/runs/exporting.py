"""A study as one table for other tools: its runs, or all its curves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from allometry.errors import InputError
from allometry.files import explained
from allometry.runs import lens
from allometry.runs.importers.table import write_runs
from allometry.runs.study import Study

_ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A table that was written: where, with how many rows."""

    path: Path
    rows: int


def export(study: Study, into: str | Path, *, curves: bool = False) -> Exported:
    """Write the runs of a study, or their curves, as one Parquet or CSV file.

    Args:
        into: The file; its ending says which kind: .parquet or .csv.
        curves: One row a logged step, instead of one row a run.

    Raises:
        InputError: If the file is of another kind.
        StudyError: If it cannot be written; what was there is then untouched.
    """
    path = Path(into)
    if path.suffix not in _ENDINGS:
        raise InputError(f"Cannot export to '{path.name}': give a file that ends in {' or '.join(_ENDINGS)}.")
    if curves:
        return Exported(path=path, rows=_write_curves(study, path))
    runs = study.to_look_at().runs()
    write_runs(runs, path)
    return Exported(path=path, rows=len(runs))


def _write_curves(study: Study, path: Path) -> int:
    aside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows = lens.write_curves(study.folder, aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    return rows
