"""The CSV files that the web pages of Weights & Biases export: the table of runs, the points of a chart."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from allometry.errors import TableError
from allometry.runs.importers.files import Cells, cells_of_rows, read_cells
from allometry.runs.importers.folders import head, is_csv
from allometry.runs.importers.wandb.records import STATUS

_OF_ITS_OWN = {"Notes", "User", "Tags", "Created", "Runtime", "Sweep", "ID", "Group", "Job Type", "Hostname"}
_LOW, _HIGH = "__MIN", "__MAX"


def is_export(path: Path) -> bool:
    """Whether a file is one of the two exports, by its header."""
    if not is_csv(path):
        return False
    header = head(path).partition(b"\n")[0].decode("utf-8-sig", errors="replace")
    headers = next(csv.reader([header.strip()]), [])
    return _is_table(headers) or any(_lines(headers))


def read_export(path: Path) -> Cells:
    """Read the table of runs as one row a run, the points of a chart as one row a run and point.

    The table gets two columns: `status`, from "State"; `run_id`, from "ID", or from "Name" where no two
    runs share theirs. "Runtime" is in seconds.

    Raises:
        InputError: If there is no such file.
        TableError: If it is neither of the two.
    """
    cells = read_cells(path, "csv")
    if any(_lines(list(cells.columns))):
        return _points(cells)
    if "Name" not in cells.columns or "State" not in cells.columns:
        raise TableError(
            f"{path.name} is not an export of W&B: the table of runs has the columns Name and State, a chart "
            f"has columns that end in {_LOW} and {_HIGH}. Read another table with format='csv'."
        )
    return Cells(_identified(cells.columns) | cells.columns, typed=False)


def _is_table(headers: list[str]) -> bool:
    return {"Name", "State"} <= set(headers) and len(_OF_ITS_OWN & set(headers)) >= 2


def _identified(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    names = columns.get("ID", columns["Name"])
    found = {"status": [STATUS.get(state.strip().lower(), "") for state in columns["State"]]}
    return found if max(Counter(names).values(), default=0) > 1 else {"run_id": names} | found


def _lines(headers: list[str]) -> Iterator[tuple[str, str, str]]:
    """The lines of a chart: header, run (or group) and key, from "run - key" with its two bounds."""
    for header in headers:
        if f"{header}{_LOW}" in headers and f"{header}{_HIGH}" in headers:
            run, _, key = header.rpartition(" - ")
            yield header, run, key


def _points(cells: Cells) -> Cells:
    along = next(iter(cells.columns))
    rows: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # by run and place on the axis
    for header, run, key in _lines(list(cells.columns)):
        for bound in ("", _LOW, _HIGH):
            for place, value in zip(cells.columns[along], cells.columns[header + bound], strict=True):
                if value.strip():
                    rows[run, place][key + bound] = value
    points = [{"run": run, along: place} | values for (run, place), values in rows.items()]
    return Cells(cells_of_rows(points, "the chart").columns, typed=False)
