"""`Study`: one folder with everything. Files are the truth, DuckDB is the lens.

study.toml                 what is studied: data, architecture, optimizer, design, target
runs/<run_id>/recipe.toml  what determines the run
runs/<run_id>/run.json     what was measured; written last, so its presence means the run ended
runs/<run_id>/history.jsonl  the curve: one line a logged step
data/<hash>.json           which text: origin, sha256, every file with its hash
compacted/                 the above in few large files, if `compact` was asked for; never needed
fits/ forecasts.jsonl report.html workers.log
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from allometry.errors import CorruptFile, InputError, StudyError
from allometry.files import write_atomically
from allometry.runs import lens
from allometry.runs.lens import CURVE, Compacted
from allometry.runs.records import RECORD, Records
from allometry.runs.run import Run, Runs
from allometry.runs.stamps import folders_in
from allometry.storage import open_place, require_answer, require_known_storage

SPEC = "study.toml"
_NAMED = 5  # entries of a specification that differ


@dataclass(frozen=True)
class Study:
    """One folder with everything that belongs to a study.

    Attributes:
        folder: Where it is: a folder, or a place in object storage such as s3://bucket/study.
        forgiving: Whether a run.json that cannot be read is left out, see `to_look_at`.

    >>> import tempfile
    >>> study = Study.create(tempfile.mkdtemp() + "/demo", 'name = "demo"')
    >>> study.save_run(Run(run_id="a1", status="done", values={"params": 1e6, "loss": 3.2}))
    >>> study.query("SELECT run_id, loss FROM runs").loc[0, "loss"]
    np.float64(3.2)
    """

    folder: Path
    forgiving: bool = field(default=False, kw_only=True, repr=False, compare=False)
    _records: Records = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_records", Records(self.folder, self.forgiving))

    def to_look_at(self) -> Study:
        """The same study for what only shows it: a run.json that cannot be read does not hide the other runs.

        That run is left out with a warning that names it, and its status is "unreadable". What trains, fits
        or forecasts refuses such a study instead, until the file is mended.
        """
        return self if self.forgiving else self._looked_at

    @cached_property
    def _looked_at(self) -> Study:
        study = replace(self, forgiving=True)
        object.__setattr__(study, "_records", self._records.forgiven())
        return study

    def unreadable(self) -> dict[str, str]:
        """Run id to why its run.json could not be read, of those that were left out so far."""
        return dict(self._records.unreadable)

    @classmethod
    def create(cls, folder: str | Path, spec: str) -> Study:
        """Make a study folder, or open it if it holds the same specification.

        Args:
            folder: Or an address in object storage, which is read and written object by object.
            spec: The text of study.toml.

        Raises:
            StudyError: If the folder cannot be written, or holds another specification; or for an address of
                no storage that is known.
            InputError: If the specification is not TOML.
        """
        wanted = read_toml(spec, SPEC)
        require_known_storage(folder)
        place = open_place(folder)
        path = place / SPEC
        require_answer(path)
        if not path.exists():
            write_atomically(path, spec)
        elif (there := read_toml_file(path)) != wanted:
            raise StudyError(
                f"{path} already describes another study. Choose another folder, "
                f"or go on with that one by giving the folder instead of a specification. They differ in "
                f"{', '.join(_differing(wanted, there)[:_NAMED])}: for the runs to come it may be changed in "
                f"that file."
            )
        return cls(place)

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open an existing study folder.

        Raises:
            StudyError: If it is a file, there is no study.toml in it, or its storage does not answer.
        """
        place = open_place(folder)
        require_answer(place / SPEC)
        if not (place / SPEC).is_file():
            if place.is_file():
                raise StudyError(
                    f"{folder} is a file; give the folder of a study, the one that holds {SPEC}."
                )
            raise StudyError(
                f"{folder} is not a study: it has no {SPEC}. Make one with: allometry sweep STUDY.TOML"
            )
        return cls(place)

    def spec(self) -> dict[str, Any]:
        """The specification, as read from study.toml."""
        return read_toml_file(self.folder / SPEC)

    def run_folder(self, run_id: str) -> Path:
        """Where the files of one run are."""
        return self.folder / "runs" / run_id

    def run_ids(self) -> list[str]:
        """Names of all runs that have a folder, ended or not, in order."""
        return folders_in(self.folder)

    def run(self, run_id: str) -> Run | None:
        """One run, or None if it has not ended; its file is read again only if it has changed."""
        return self._records.run(run_id)

    def ended(self) -> list[Run]:
        """All runs that ended, as they are, in the order of their names."""
        return self._records.runs()

    def runs(self) -> Runs:
        """All runs that ended, in the order of their names; only what has changed is read again."""
        return Runs.of(self.ended(), source=str(self.folder))

    def save_run(self, run: Run) -> None:
        """Record that a run ended; atomic, so a reader sees all of it or nothing."""
        path = self.run_folder(run.run_id) / RECORD
        write_atomically(path, json.dumps(run.row(), indent=1) + "\n")

    def history(self, run_id: str) -> pd.DataFrame:
        """The curve of one run, one row a logged step; empty if there is none.

        Raises:
            CorruptFile: If a line of it is not JSON.
        """
        path = self.run_folder(run_id) / CURVE
        if not path.exists():
            return pd.DataFrame()
        # A line without its end is being written, or was when the disk filled up.
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        try:
            # As one list: line by line takes twice as long, and a report draws a hundred curves.
            return pd.DataFrame(json.loads(b"[" + whole.replace(b"\n", b",") + b"]"))
        except ValueError as error:
            raise CorruptFile(_named_line(path, whole)) from error

    def query(self, sql: str) -> pd.DataFrame:
        """Answer SQL over the tables `runs` and `history` (all curves, with their run_id).

        Raises:
            InputError: If the query cannot be answered.
        """
        return lens.answer(self.folder, sql, self.to_look_at().runs().table)

    def compact(self) -> Compacted:
        """Gather finished runs and their curves in a few Parquet files, so that many are read fast.

        The files stay the truth: what changes or ends later is read from them. No lock is held.

        Raises:
            StudyError: If it cannot be written; an older compaction still counts.
        """
        return lens.compact(self.folder)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], before: str = "") -> list[str]:
    """Dotted names of what two specifications say differently."""
    names: list[str] = []
    for name in {**one, **other}:
        ours, theirs = one.get(name), other.get(name)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            names += _differing(ours, theirs, f"{before}{name}.")
        elif ours != theirs:
            names.append(before + name)
    return names


def _named_line(path: Path, whole: bytes) -> str:
    lines = whole.split(b"\n")
    number = next((n for n, line in enumerate(lines, start=1) if not _is_record(line)), len(lines))
    return (
        f"Line {number} of {path} is not JSON: the disk, or a hand, changed it. Take that line out; the rest "
        f"of the curve is kept."
    )


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


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
