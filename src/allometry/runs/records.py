"""The run.json files of a study, read once each: a file is read again only when its stamp has changed.

What was compacted stands in for a file whose stamp is still the same; the files stay the truth.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args

from allometry.errors import CorruptFile
from allometry.runs.compaction import Compaction
from allometry.runs.run import Run, Status
from allometry.runs.stamps import contents_of, stamps_of
from allometry.storage import Stamp, in_object_storage, stamp_of

RECORD = "run.json"
_STATUSES = get_args(Status)
_NAMED = 5  # runs of those that are left out


class _Known(NamedTuple):
    stamp: Stamp
    run: Run


@dataclass
class Records:
    """What is known of the runs that ended in one study.

    Args:
        folder: Of the study.
        forgiving: Leave out a file that cannot be read, with a warning that names it, instead of refusing.

    Attributes:
        unreadable: Run id to why it was left out.
    """

    folder: Path
    forgiving: bool = False
    unreadable: dict[str, str] = field(default_factory=dict, init=False)
    _known: dict[str, _Known] = field(default_factory=dict)
    _compaction: Compaction | None = None

    def forgiven(self) -> Records:
        """What is known here, to go on with where a file that cannot be read is left out."""
        return Records(self.folder, forgiving=True, _known=dict(self._known))

    def run(self, run_id: str) -> Run | None:
        """One run, or None if it has not ended.

        Raises:
            CorruptFile: If its file cannot be read as a run, or is about another one.
        """
        stamp = stamp_of(self._path(run_id))
        if stamp is None:
            self._known.pop(run_id, None)
            return None
        if not self._knows(run_id, stamp):
            self._read({run_id: stamp})
        return self._known[run_id].run if run_id in self._known else None

    def runs(self) -> list[Run]:
        """All runs that ended, in the order of their names."""
        self._compaction = Compaction.read(self.folder)
        stamps = stamps_of(self.folder, RECORD)
        self._known = {run_id: known for run_id, known in self._known.items() if run_id in stamps}
        self._read(stamps)
        return [self._known[run_id].run for run_id in stamps if run_id in self._known]

    def _read(self, stamps: Mapping[str, Stamp]) -> None:
        """Read what is not known, or has changed: where it was compacted from there, else from its file."""
        new = [run_id for run_id, stamp in stamps.items() if not self._knows(run_id, stamp)]
        before = set(self.unreadable)
        compaction = self._compaction or Compaction()
        kept = {run_id: text for run_id in new if (text := compaction.record(run_id, stamps[run_id]))}
        loose = contents_of(self.folder, RECORD, [run_id for run_id in new if run_id not in kept])
        for run_id, text in chain(kept.items(), loose):
            self._take(run_id, stamps[run_id], text)
        self._warn_of([run_id for run_id in self.unreadable if run_id not in before])

    def _take(self, run_id: str, stamp: Stamp, text: bytes) -> None:
        self._known.pop(run_id, None)
        self.unreadable.pop(run_id, None)
        try:
            run = _parsed(text, str(self._path(run_id)))
            if run.run_id != run_id:
                self._refuse_copy(run_id, run.run_id)
        except CorruptFile as error:
            if not self.forgiving:
                raise
            self.unreadable[run_id] = str(error)
        else:
            self._known[run_id] = _Known(stamp, run)

    def _warn_of(self, run_ids: Sequence[str]) -> None:
        if not run_ids:
            return
        first, *others = run_ids
        also = f" And {len(others)} more: {', '.join(others[:_NAMED])}" if others else ""
        more = " …" if len(others) > _NAMED else "." if others else ""
        warnings.warn(f"Left out: {self.unreadable[first]}{also}{more}", stacklevel=2)

    def _refuse_copy(self, run_id: str, named: str) -> NoReturn:
        raise CorruptFile(
            f"{self._path(run_id)} is about run '{named}': its folder was copied or renamed, and a fit would "
            f"count that run twice. Move the folder {run_id} out of the study, or name it {named}."
        )

    def _knows(self, run_id: str, stamp: Stamp) -> bool:
        known = self._known.get(run_id)
        return known is not None and known.stamp == stamp

    def _path(self, run_id: str) -> str | Path:
        if in_object_storage(self.folder):
            return self.folder / "runs" / run_id / RECORD
        return f"{self.folder}/runs/{run_id}/{RECORD}"  # as text: a Path object costs more than the look


def _parsed(text: bytes, path: str) -> Run:
    try:
        values: dict[str, Any] = json.loads(text)
        run_id, status, reason = values.pop("run_id"), values.pop("status"), values.pop("reason")
        known = status in _STATUSES
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise CorruptFile(
            f"{path} cannot be read as a run ({error}). Delete it; the next sweep makes the run again from "
            f"its last checkpoint."
        ) from error
    if not known:
        raise CorruptFile(
            f"{path} has the status '{status}', which is none of {', '.join(_STATUSES)}: use the version of "
            f"allometry that wrote it."
        )
    return Run(run_id=run_id, status=status, values=values, reason=reason)
