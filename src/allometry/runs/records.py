"""The run.json files of a study, read once each: a file is read again only when its stamp has changed.

What was compacted stands in for a file whose stamp is still the same; the files stay the truth.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from allometry.errors import CorruptFile
from allometry.runs.compaction import Compaction, Stamp, stamp_of
from allometry.runs.run import Run

RECORD = "run.json"


class _Known(NamedTuple):
    stamp: Stamp
    run: Run


@dataclass
class Records:
    """What is known of the runs that ended in one study.

    Args:
        folder: Of the study.
    """

    folder: Path
    _known: dict[str, _Known] = field(default_factory=dict)
    _compaction: Compaction | None = None

    def run(self, run_id: str) -> Run | None:
        """One run, or None if it has not ended.

        Raises:
            CorruptFile: If its file cannot be read as a run.
        """
        # Joined as text: ten thousand paths made as objects take longer than the look at the files.
        path = f"{self.folder}/runs/{run_id}/{RECORD}"
        stamp = stamp_of(path)
        if stamp is None:
            self._known.pop(run_id, None)
            return None
        known = self._known.get(run_id)
        if known is None or known.stamp != stamp:
            known = _Known(stamp, _parsed(self._text(run_id, stamp, path), path))
            self._known[run_id] = known
        return known.run

    def runs(self) -> list[Run]:
        """All runs that ended, in the order of their names."""
        self._compaction = Compaction.read(self.folder)
        found = (self.run(name) for name in folders_in(self.folder))
        return [run for run in found if run is not None]

    def _text(self, run_id: str, stamp: Stamp, path: str) -> bytes:
        kept = self._compaction.record(run_id, stamp) if self._compaction else None
        return kept if kept is not None else Path(path).read_bytes()


def folders_in(folder: Path) -> list[str]:
    """Names of the run folders of a study, in order; some may hold no finished run."""
    try:
        with os.scandir(folder / "runs") as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []


def _parsed(text: bytes, path: str) -> Run:
    try:
        row: Mapping[str, Any] = json.loads(text)
        known = {"run_id", "status", "reason"}
        values = {name: value for name, value in row.items() if name not in known}
        return Run(run_id=row["run_id"], status=row["status"], values=values, reason=row["reason"])
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CorruptFile(
            f"{path} cannot be read as a run ({error}). Delete it; the next sweep makes the run again from "
            f"its last checkpoint."
        ) from error
