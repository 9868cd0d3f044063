"""The rounds of a sweep that chooses its own runs, as files of its study.

rounds/001.json   what a round asked for, and why, written before its first run; made once, by one process
rounds/ended.json how the last loop ended: the next one, by another rule, may go on
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from allometry.errors import CorruptFile
from allometry.files import explained, write_atomically
from allometry.runs.claiming import put_new
from allometry.runs.study import Study
from allometry.storage import create, in_object_storage

_ENDED = "ended.json"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of a sweep that chooses its own runs.

    Attributes:
        number: From 1.
        runs: Run ids it asks for, trunks included; none if the rule fired.
        flops: What they cost together, in FLOP.
        width: Of the forecast's interval before the round, as a share of the forecast; None before a fit.
        expected: The same after all runs that are planned, of which these are the cheapest part.
        because: Why these runs, or why no more, as a sentence.
    """

    number: int
    runs: tuple[str, ...]
    flops: float
    width: float | None
    expected: float | None
    because: str


def read_rounds(study: Study) -> list[Round]:
    """The rounds of a study, the first one first; the last one asks for no run if a loop ended there.

    Raises:
        CorruptFile: If one cannot be read.
    """
    asked = read_asked(study)
    path = study.folder / "rounds" / _ENDED
    ended = [_read(path)] if path.exists() else []
    return asked + [one for one in ended if one.number == len(asked) + 1]  # another loop may have gone on


def read_asked(study: Study) -> list[Round]:
    """Those that asked for runs."""
    return [_read(path) for path in sorted((study.folder / "rounds").glob("[0-9]*.json"))]


def state_round(study: Study, made: Round) -> Round:
    """Write a round down before its runs are made.

    Returns:
        The round of that number: another one if another process was faster. So several loops on one study
        make the same rounds, and share their runs.

    Raises:
        StudyError: If it cannot be written.
    """
    folder = study.folder / "rounds"
    text = json.dumps(asdict(made), indent=1) + "\n"
    if not made.runs:
        write_atomically(folder / _ENDED, text)
        return made
    path = folder / f"{made.number:03d}.json"
    return made if _is_first(path, text.encode()) else _read(path)


def _is_first(path: Path, content: bytes) -> bool:
    with explained(path):
        if in_object_storage(path):
            return create(path, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        return put_new(path, content)


def _read(path: Path) -> Round:
    try:
        values = json.loads(path.read_text())
        return Round(**{**values, "runs": tuple(values["runs"])})
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptFile(
            f"{path} is not a round of a sweep: {error}. Delete it to choose that round anew."
        ) from error
