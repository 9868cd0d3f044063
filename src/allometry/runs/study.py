"""`Study`: one folder with everything. Files are the truth, DuckDB is the lens.

study.toml                 what is studied: data, architecture, optimizer, design, target
runs/<run_id>/recipe.toml  what determines the run
runs/<run_id>/run.json     what was measured; written last, so its presence means the run ended
runs/<run_id>/history.jsonl  the curve: one line a logged step
data/<hash>.json           which text: origin, sha256, every file with its hash
fits/ forecasts.jsonl report.html workers.log
"""

from __future__ import annotations

import glob
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from allometry.errors import CorruptFile, InputError, StudyError
from allometry.files import write_atomically
from allometry.runs.run import Run, Runs

SPEC = "study.toml"


@dataclass(frozen=True)
class Study:
    """One folder with everything that belongs to a study.

    Attributes:
        folder: Where it is.

    >>> import tempfile
    >>> study = Study.create(tempfile.mkdtemp() + "/demo", 'name = "demo"')
    >>> study.save_run(Run(run_id="a1", status="done", values={"params": 1e6, "loss": 3.2}))
    >>> study.query("SELECT run_id, loss FROM runs").loc[0, "loss"]
    np.float64(3.2)
    """

    folder: Path

    @classmethod
    def create(cls, folder: str | Path, spec: str) -> Study:
        """Make a study folder, or open it if it holds the same specification.

        Args:
            spec: The text of study.toml.

        Raises:
            StudyError: If the folder cannot be written, or holds another specification.
            InputError: If the specification is not TOML.
        """
        wanted = read_toml(spec, SPEC)
        path = Path(folder) / SPEC
        if not path.exists():
            write_atomically(path, spec)
        elif read_toml_file(path) != wanted:
            raise StudyError(
                f"{path} already describes another study. Choose another folder, "
                f"or go on with that one by giving the folder instead of a specification."
            )
        return cls(Path(folder))

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open an existing study folder.

        Raises:
            StudyError: If there is no study.toml in it.
        """
        if not (Path(folder) / SPEC).is_file():
            raise StudyError(
                f"{folder} is not a study: it has no {SPEC}. Make one with: allometry sweep STUDY.TOML"
            )
        return cls(Path(folder))

    def spec(self) -> dict[str, Any]:
        """The specification, as read from study.toml."""
        return read_toml_file(self.folder / SPEC)

    def run_folder(self, run_id: str) -> Path:
        """Where the files of one run are."""
        return self.folder / "runs" / run_id

    def run(self, run_id: str) -> Run | None:
        """One run, or None if it has not ended."""
        path = self.run_folder(run_id) / "run.json"
        return _read_run(path) if path.exists() else None

    def runs(self) -> Runs:
        """All runs that ended, in the order of their names."""
        paths = sorted((self.folder / "runs").glob("*/run.json"))
        return Runs.of((_read_run(path) for path in paths), source=str(self.folder))

    def save_run(self, run: Run) -> None:
        """Record that a run ended; atomic, so a reader sees all of it or nothing."""
        path = self.run_folder(run.run_id) / "run.json"
        write_atomically(path, json.dumps(run.row(), indent=1) + "\n")

    def history(self, run_id: str) -> pd.DataFrame:
        """The curve of one run, one row a logged step; empty if there is none."""
        path = self.run_folder(run_id) / "history.jsonl"
        if not path.exists():
            return pd.DataFrame()
        lines = path.read_text().splitlines(keepends=True)
        # A line without its end is being written, or was when the disk filled up.
        return pd.DataFrame([json.loads(line) for line in lines if line.endswith("\n")])

    def query(self, sql: str) -> pd.DataFrame:
        """Answer SQL over the tables `runs` and `history` (all curves, with their run_id).

        Raises:
            InputError: If the query cannot be answered.
        """
        import duckdb  # here: most commands ask nothing in SQL, and it takes a tenth of a second

        with duckdb.connect() as connection:
            connection.register("runs_frame", self.runs().table)
            connection.execute("CREATE TABLE runs AS FROM runs_frame")
            connection.execute(f"CREATE TABLE history AS {self._history_query()}")
            connection.execute("SET enable_external_access = false")
            try:
                return connection.execute(sql).df()
            except duckdb.Error as error:
                raise InputError(
                    f"Cannot answer the query: {str(error).splitlines()[0]}. "
                    f"There are two tables: runs and history; try: SELECT * FROM runs LIMIT 3."
                ) from error

    def _history_query(self) -> str:
        if not any(path.stat().st_size for path in (self.folder / "runs").glob("*/history.jsonl")):
            return "SELECT '' AS run_id WHERE false"
        pattern = f"{glob.escape(str(self.folder))}/runs/*/history.jsonl".replace("'", "''")
        return (
            "SELECT parse_filename(parse_dirpath(filename)) AS run_id, * EXCLUDE (filename) FROM "
            f"read_json('{pattern}', format = 'newline_delimited', filename = true, union_by_name = true, "
            "ignore_errors = true) WHERE step IS NOT NULL"  # a line that is being written has no step yet
        )


def read_toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML.

    Args:
        name: What the text is called in a message.

    Raises:
        InputError: Saying where the text stops being TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not valid TOML: {error}.") from error


def read_toml_file(path: Path) -> dict[str, Any]:
    """Parse a TOML file, which is UTF-8 whatever the system's own encoding is.

    Raises:
        InputError: If it is not UTF-8, or not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start + 1}); save it as UTF-8.") from error
    return read_toml(text, str(path))


def _read_run(path: Path) -> Run:
    try:
        row: Mapping[str, Any] = json.loads(path.read_text())
        known = {"run_id", "status", "reason"}
        values = {name: value for name, value in row.items() if name not in known}
        return Run(run_id=row["run_id"], status=row["status"], values=values, reason=row["reason"])
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CorruptFile(
            f"{path} cannot be read as a run ({error}). Delete it; the next sweep makes the run again from "
            f"its last checkpoint."
        ) from error
