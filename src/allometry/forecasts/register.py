"""The register of forecasts: state first, score later. `forecasts.jsonl` in a study's folder only grows.

A line is a forecast, or the outcome of a run that was forecast, attached when it has landed.

In object storage each line is an object of its own, see `allometry.forecasts.objects`.

Each line holds the hash of the line before, so a line that is changed, taken out or moved later is found.
What the file alone cannot show is that lines were cut off its end, or that all of it was written anew: to
prove a forecast to others, publish the last hash, for example by committing the file, before the run.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import NoReturn

from allometry.errors import ForecastError
from allometry.files import explained, sync_folder, write_atomically
from allometry.fitting.result import Forecast
from allometry.forecasts import objects
from allometry.forecasts.objects import RecordObjects
from allometry.forecasts.records import (
    RegisteredForecast,
    RegisteredOutcome,
    hash_of,
    read_record,
    same_forecast,
    write_outcome,
    write_record,
)
from allometry.forecasts.refusals import (
    refuse_if_known,
    refuse_no_day,
    refuse_other_recipe,
    refuse_past,
    refuse_unusable,
)
from allometry.runs.study import Study
from allometry.storage import in_object_storage, require_folder

try:
    import fcntl
except ImportError:  # Windows: one writer at a time is then up to the user
    fcntl = None  # type: ignore[assignment]

REGISTER = "forecasts.jsonl"
Entry = RegisteredForecast | RegisteredOutcome


def register(
    forecast: Forecast,
    study: Study,
    *,
    target: str = "",
    assumptions: str = "",
    fit_path: str = "",
    recipe: str = "",
    deadline: str = "",
) -> RegisteredForecast:
    """Write a forecast down before its run is trained.

    Stating the same forecast with the same assumptions for the same target again adds nothing, even after
    the run: a pipeline can be rerun. Another forecast for a target not yet run is a revision; both stay. A
    target that diverged has been run: its outcome is known. One that failed, or was stopped, has not. One
    whose recipe is given and differs from that of a run by its seed alone is known but for noise.

    Args:
        target: run_id of the run that will be trained; without one the forecast cannot be scored.
        assumptions: What must hold for it, in words: same data, same recipe.
        fit_path: Where the fit it came from was saved.
        recipe: The target's recipe as TOML, so that the register says by itself what was forecast.
        deadline: The day until which the run is to be made, such as 2027-01-31.

    Raises:
        ForecastError: If the target has been run, the forecast has no value, the recipe is not the target's,
            or the register is not whole.
        InputError: If the deadline is not a day, or is over.
        StudyError: If the register cannot be written; it is then as it was.
    """
    refuse_unusable(forecast, target)
    refuse_no_day(deadline)
    refuse_other_recipe(recipe, target)
    path = study.folder / REGISTER
    with _opened(path) as file:
        content = file.read()
        lines, known = _verified(content, path)
        for entry in _forecasts(known):
            words_agree = (entry.target, entry.assumptions) == (target, assumptions)
            if words_agree and same_forecast(entry.forecast, forecast):
                return entry
        refuse_if_known(study, target, recipe, _outcomes(known))
        refuse_past(deadline)
        line = write_record(
            number=len(known) + 1,
            stated=datetime.now(UTC),
            target=target,
            forecast=forecast,
            assumptions=assumptions,
            fit_path=fit_path,
            previous=hash_of(lines[-1]) if lines else "",
            recipe=recipe,
            deadline=deadline,
        )
        _append(file, content, line)
    (entry,) = _forecasts([read_record(line)])
    return entry


def attach_outcomes(study: Study) -> list[RegisteredOutcome]:
    """Write down what the runs that were forecast have measured, each once: the register then holds both.

    Returns:
        The outcomes that were not attached before.

    Raises:
        ForecastError: If the register is not whole.
        StudyError: If it cannot be written; it is then as it was.
    """
    if not _landed(study, _entries(study)):
        return []
    path = study.folder / REGISTER
    added: list[bytes] = []
    with _opened(path) as file:
        content = file.read()
        lines, known = _verified(content, path)
        for target, output, value in _landed(study, known):
            added.append(_outcome_line([*lines, *added], target, output, value))
            _append(file, content, added[-1])
            content = b"\n".join([*lines, *added]) + b"\n"
    return _outcomes(map(read_record, added))


def read_register(study: Study) -> list[RegisteredForecast]:
    """All forecasts of a study, oldest first, after checking that none was changed, taken out or moved.

    Raises:
        ForecastError: Naming the first line where the chain is broken.
    """
    return _forecasts(_entries(study))


def read_outcomes(study: Study) -> list[RegisteredOutcome]:
    """All outcomes that were attached, oldest first.

    Raises:
        ForecastError: Naming the first line where the chain is broken.
    """
    return _outcomes(_entries(study))


def _entries(study: Study) -> list[Entry]:
    path = study.folder / REGISTER
    if in_object_storage(path):
        with objects.opened(path) as records:
            return _verified(records.read(), path)[1]
    return _verified(path.read_bytes(), path)[1] if path.exists() else []


def set_torn_line_aside(study: Study) -> Path:
    """Move an unfinished last line to a file of its own, so that the register can go on.

    A write that was cut off never returned to its caller: what is left of it is not a forecast. It is
    kept all the same, because only a person can tell a crash from something else.

    Raises:
        ForecastError: If the register does not end in an unfinished line.
    """
    path = study.folder / REGISTER
    require_folder(path, "An unfinished line", "there a record is written whole or not at all.")
    with _opened_file(path) as file:
        content = file.read()
        start = content.rfind(b"\n") + 1
        _verified(content[:start], path)
        if start == len(content) or _is_whole(content[start:]):
            raise ForecastError(f"{path} does not end in an unfinished line; nothing was moved.")
        aside = path.with_name(f"forecasts.torn-{hash_of(content[start:])[:8]}.txt")
        write_atomically(aside, content[start:])
        os.ftruncate(file.fileno(), start)
        os.fsync(file.fileno())
    return aside


def _opened(path: Path) -> AbstractContextManager[FileIO | RecordObjects]:
    return objects.opened(path) if in_object_storage(path) else _opened_file(path)


@contextmanager
def _opened_file(path: Path) -> Iterator[FileIO]:
    """The register, held by this writer alone until it is closed; other writers wait."""
    # Unbuffered: after a failed write no buffer is left to be written on closing.
    with explained(path), path.open("a+b", buffering=0) as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file
    sync_folder(path.parent)


def _append(file: FileIO | RecordObjects, content: bytes, line: bytes) -> None:
    if isinstance(file, RecordObjects):
        return file.add(line)
    # A last line that is whole but for its line break, as some editors leave it, gets one.
    rest = (b"\n" if content and not content.endswith(b"\n") else b"") + line + b"\n"
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), len(content))
        raise


def _forecasts(entries: Iterable[Entry]) -> list[RegisteredForecast]:
    return [entry for entry in entries if isinstance(entry, RegisteredForecast)]


def _outcomes(entries: Iterable[Entry]) -> list[RegisteredOutcome]:
    return [entry for entry in entries if isinstance(entry, RegisteredOutcome)]


def _outcome_line(lines: Sequence[bytes], target: str, output: str, value: float) -> bytes:
    return write_outcome(
        number=len(lines) + 1,
        stated=datetime.now(UTC),
        target=target,
        output=output,
        value=value,
        previous=hash_of(lines[-1]),
    )


def _landed(study: Study, known: Sequence[Entry]) -> list[tuple[str, str, float]]:
    """Target, output and value of each run that was forecast, is done, and is not attached yet."""
    attached = {(entry.target, entry.output) for entry in _outcomes(known)}
    asked = dict.fromkeys((entry.target, entry.forecast.output) for entry in _forecasts(known))
    runs = {target: study.run(target) for target, _ in asked if target}
    values = [
        (target, output, run.values.get(output))
        for target, output in asked
        if (target, output) not in attached
        if (run := runs.get(target)) is not None and run.status == "done"
    ]
    return [
        (target, output, float(value))
        for target, output, value in values
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _verified(content: bytes, path: Path) -> tuple[list[bytes], list[Entry]]:
    lines = content.split(b"\n")
    finished = lines[-1] == b""
    lines = lines[:-1] if finished else lines
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not finished and not _is_whole(line):
            _refuse_torn(path, number)
        entries.append(_checked(line, number, hash_of(lines[number - 2]) if number > 1 else "", path))
    return lines, entries


def _checked(line: bytes, number: int, previous: str, path: Path) -> Entry:
    try:
        entry = read_record(line)
    except ForecastError as error:
        _refuse_broken(path, number, str(error), error)
    if (entry.number, entry.previous) != (number, previous):
        _refuse_broken(
            path, number, "does not follow the line before it: one was changed, taken out or moved"
        )
    return entry


def _refuse_broken(path: Path, number: int, what: str, cause: ForecastError | None = None) -> NoReturn:
    raise ForecastError(
        f"{path}: line {number} {what}. Restore the file as it was, for example from git; forecasts "
        f"that were touched after they were stated cannot be scored."
    ) from cause


def _refuse_torn(path: Path, number: int) -> NoReturn:
    raise ForecastError(
        f"{path}: line {number} is unfinished: a write was cut off, so that forecast was never registered. "
        f"The {number - 1} before it are whole. Look at it, move it away with "
        f"allometry.forecasts.register.set_torn_line_aside(study), and register again."
    )


def _is_whole(line: bytes) -> bool:
    try:
        read_record(line)
    except ForecastError:
        return False
    return True
