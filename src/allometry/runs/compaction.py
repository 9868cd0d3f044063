"""Many small files as few large ones: compacted/ holds what run.json and history.jsonl said when it was made.

compacted/manifest.json       which files belong together, and since when; written last
compacted/runs-*.parquet      one row a finished run: its run.json as text, and the stamps of both files
compacted/history-*.parquet   the curves of those runs, one row a logged step

The files below runs/ stay the truth. A row counts only while size and time of the file it was made from are
as they were then; of all others, and of runs that ended since, the file is read. Nothing is locked: two that
compact at once both write whole sets of files, and the last manifest counts.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from allometry.files import explained, write_atomically
from allometry.storage import Stamp, in_object_storage, stamp_of

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "compacted"
_MANIFEST = "manifest.json"
_VERSION = 1
_MAGIC = b"PAR1"
# A file that changes again within a tick of the clock keeps its time: what is this young is read anew.
_SETTLED_NS = 2_000_000_000
_KEPT_NS = 3600 * 10**9  # for what no manifest names any more
_COLUMNS = ("run_id", "size", "mtime_ns", "text", "history_size", "history_mtime_ns")


class Kept(NamedTuple):
    """One finished run as it was compacted."""

    stamp: Stamp
    text: bytes
    history: Stamp | None


@dataclass(frozen=True)
class Compaction:
    """What was compacted of a study.

    Attributes:
        made_ns: When, by the clock of the file system.
        parts: The Parquet files with the curves.
        kept: Run id to what is known of it.
    """

    made_ns: int = 0
    parts: tuple[Path, ...] = ()
    kept: Mapping[str, Kept] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Compaction:
        """The compaction of a study; an empty one if there is none, or none that can be read."""
        place = folder / FOLDER
        try:
            manifest = json.loads((place / _MANIFEST).read_bytes())
            if manifest["version"] != _VERSION:
                return cls()
            parts = tuple(place / name for name in manifest["parts"])
            if not all(_is_whole(part) for part in parts):
                return cls()
            kept = _read_kept(place / manifest["runs"])
            return cls(made_ns=manifest["made_ns"], parts=parts, kept=kept)
        except (OSError, ValueError, KeyError, TypeError):  # Arrow's errors are ValueErrors and OSErrors
            return cls()  # the files it was made from are all there

    def record(self, run_id: str, stamp: Stamp) -> bytes | None:
        """The text of a run.json that has this stamp now; None if it must be read."""
        kept = self.kept.get(run_id)
        return kept.text if kept and kept.stamp == stamp and self._settled(stamp) else None

    def holds_history(self, run_id: str, stamp: Stamp) -> bool:
        """Whether the parts hold the curve whose file has this stamp now."""
        kept = self.kept.get(run_id)
        return kept is not None and kept.history == stamp and self._settled(stamp)

    def _settled(self, stamp: Stamp) -> bool:
        return stamp.mtime_ns + _SETTLED_NS < self.made_ns


def _is_whole(part: Path) -> bool:
    """Whether a file is there up to the four bytes that end each Parquet file."""
    if in_object_storage(part):
        return part.is_file()  # an object is put whole or not at all
    with part.open("rb") as file:
        file.seek(-len(_MAGIC), os.SEEK_END)
        return file.read() == _MAGIC


def write_compaction(folder: Path, made_ns: int, parts: Iterable[Path], kept: Mapping[str, Kept]) -> None:
    """Put a compaction in place in one step, and remove what no longer belongs to it.

    Raises:
        StudyError: If it cannot be written; what was there still counts.
    """
    import pyarrow.parquet as pq

    place, name = folder / FOLDER, f"runs-{uuid.uuid4().hex[:8]}.parquet"
    with explained(place):
        packed = io.BytesIO()
        pq.write_table(_table(kept), packed)
        (place / name).write_bytes(packed.getvalue())
    names = [part.name for part in parts]
    content = {"version": _VERSION, "made_ns": made_ns, "runs": name, "parts": names}
    write_atomically(place / _MANIFEST, json.dumps(content, indent=1) + "\n")
    _sweep_up(place, made_ns, {name, *names})


def _sweep_up(place: Path, made_ns: int, named: Collection[str]) -> None:
    for old in {*place.glob("runs-*.parquet"), *place.glob("history-*.parquet")}:
        # One that is young may be another's, whose manifest is not there yet, or be read by a query now.
        with contextlib.suppress(FileNotFoundError):
            stamp = stamp_of(old)
            if stamp is not None and old.name not in named and stamp.mtime_ns + _KEPT_NS < made_ns:
                old.unlink()


def _table(kept: Mapping[str, Kept]) -> pa.Table:
    import pyarrow as pa

    rows = [
        (run_id, *one.stamp, one.text, *(one.history or (None, None))) for run_id, one in sorted(kept.items())
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    types = (pa.string(), pa.int64(), pa.int64(), pa.binary(), pa.int64(), pa.int64())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(dict(zip(_COLUMNS, arrays, strict=True)))


def _read_kept(path: Path) -> dict[str, Kept]:
    import pyarrow.parquet as pq  # only studies that were compacted need it

    table = pq.read_table(io.BytesIO(path.read_bytes()) if in_object_storage(path) else path)
    columns = (table.column(name).to_pylist() for name in _COLUMNS)
    return {
        run_id: Kept(Stamp(size, time), text, None if history is None else Stamp(history, history_time))
        for run_id, size, time, text, history, history_time in zip(*columns, strict=True)
    }
