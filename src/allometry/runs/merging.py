"""Two studies as one: the finished runs of one are copied into the other, and what contradicts is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from allometry.errors import StudyError
from allometry.files import write_atomically
from allometry.runs.lens import CURVE
from allometry.runs.records import RECORD
from allometry.runs.run import FINISHED, Run
from allometry.runs.study import Study

_COPIED = ("recipe.toml", CURVE, RECORD)
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A run that both studies finished, and that came out differently."""

    run_id: str
    here: str
    there: str

    def __str__(self) -> str:
        return f"{self.run_id} ({self.here} here, {self.there} there)"


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge did.

    Attributes:
        copied: Run ids that were taken over.
        same: Run ids that both had, with the same result.
        conflicts: Runs that both had, with different results; nothing of them was changed.
    """

    copied: tuple[str, ...]
    same: tuple[str, ...]
    conflicts: tuple[Conflict, ...]


def merge(into: Study, other: Study, *, keep_conflicts: bool = False) -> Merged:
    """Copy the finished runs of another study that this one lacks, with recipe and curve.

    A run is known by the hash of its recipe, so the same run in both must have come out the same. Checkpoints
    stay where they are. So do forecasts: a register proves an order of events in its own study only.

    Args:
        keep_conflicts: Go on where a run came out differently, and keep the one that is here.

    Raises:
        StudyError: Naming the runs that came out differently, before anything is copied; or if the study
            cannot be written.
    """
    if into.folder.resolve() == other.folder.resolve():
        raise StudyError(f"{into.folder} cannot be merged with itself; name another study.")
    here = {run.run_id: run for run in into.ended()}
    both = [(theirs, here.get(theirs.run_id)) for theirs in _finished(other)]
    conflicts = [found for theirs, mine in both if (found := _conflict(mine, theirs))]
    if conflicts and not keep_conflicts:
        raise StudyError(_refusal(into, other, conflicts))
    wanted = [theirs.run_id for theirs, mine in both if mine is None or mine.status not in FINISHED]
    for run_id in wanted:
        copy_run(other.run_folder(run_id), into.run_folder(run_id))
    _copy_texts(other.folder / "data", into.folder / "data")
    settled = {*wanted, *(conflict.run_id for conflict in conflicts)}
    same = tuple(theirs.run_id for theirs, _ in both if theirs.run_id not in settled)
    return Merged(copied=tuple(wanted), same=same, conflicts=tuple(conflicts))


def _finished(study: Study) -> Iterator[Run]:
    return (run for run in study.ended() if run.status in FINISHED)


def _conflict(mine: Run | None, theirs: Run) -> Conflict | None:
    if mine is None or mine.status not in FINISHED or _result(mine) == _result(theirs):
        return None
    return Conflict(run_id=theirs.run_id, here=_result(mine), there=_result(theirs))


def _result(run: Run) -> str:
    """What must not differ: times and speeds may."""
    return f"loss {run.values.get('loss')!r}" if run.status == "done" else run.status


def copy_run(source: Path, place: Path) -> None:
    """Copy the files of a run one by one, each put in place whole; run.json last, as it means "ended"."""
    for name in _COPIED:
        if (source / name).is_file():
            write_atomically(place / name, (source / name).read_bytes())


def _copy_texts(source: Path, place: Path) -> None:
    for path in sorted(source.glob("*.json")):
        if not (place / path.name).exists():
            write_atomically(place / path.name, path.read_bytes())


def _refusal(into: Study, other: Study, conflicts: Sequence[Conflict]) -> str:
    named = ", ".join(str(conflict) for conflict in conflicts[:_SHOWN])
    more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
    return (
        f"{into.folder} and {other.folder} hold different results of the same recipes: {named}{more}. "
        f"Nothing was copied. Find out which text or code differed; to keep what is here: "
        f"keep_conflicts=True (command line: --keep-conflicts)."
    )
