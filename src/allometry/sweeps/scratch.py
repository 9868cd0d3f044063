"""Runs of a study in object storage: made in a folder on this machine, and put there as each ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from allometry.errors import StudyError
from allometry.files import cache_folder
from allometry.runs.merging import copy_run, merge
from allometry.runs.run import FINISHED
from allometry.runs.study import SPEC, Study
from allometry.sweeps.executors.places import Local, Place
from allometry.sweeps.progress import Board, Display


def scratch_of(study: Study) -> Study:
    """The folder where the runs of a study in object storage are made, with what was finished so far.

    It is always the same one, below the cache: a run that was interrupted goes on there.

    Raises:
        StudyError: If it cannot be written, or holds other results of the same recipes.
    """
    name = hashlib.sha256(str(study.folder).encode()).hexdigest()[:16]
    spec = (study.folder / SPEC).read_text(encoding="utf-8")
    local = Study.create(cache_folder() / "studies" / name, spec)
    merge(local, study)
    return local


def require_this_machine(study: Study, place: Place) -> None:
    """Refuse to make runs on other machines, which do not see the folder here.

    Raises:
        StudyError: Saying what to do instead.
    """
    if not isinstance(place, Local):
        raise StudyError(
            f"{study.folder} is in object storage, and its runs are made in a folder on this machine, which "
            f"those of '{place.kind}' do not see. Sweep into a folder that they see, then: allometry merge "
            f"{study.folder} FOLDER"
        )


@dataclass
class Uploading(Display):
    """Puts each run that ended where the study is, and passes on what happens."""

    shown: Display
    local: Study
    study: Study
    _there: set[str] = field(default_factory=set)

    def update(self, board: Board) -> None:
        """Copy what has ended since, then show."""
        for run in board.ended.values():
            if run.status in FINISHED and run.run_id not in self._there:
                self._put(run.run_id)
        self.shown.update(board)

    def __enter__(self) -> Self:
        self._there = {run.run_id for run in self.study.ended() if run.status in FINISHED}
        self.shown.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shown.__exit__(kind, error, trace)
        merge(self.study, self.local)
        self._put_unfinished()

    def _put(self, run_id: str) -> None:
        copy_run(self.local.run_folder(run_id), self.study.run_folder(run_id))
        self._there.add(run_id)

    def _put_unfinished(self) -> None:
        """Failed and stopped runs are results, too, where there is no better one."""
        there = {run.run_id: run for run in self.study.ended()}
        for run in self.local.ended():
            if run.status not in FINISHED and there.get(run.run_id) != run:
                self._put(run.run_id)
