"""The files of one name in all run folders of a study: when each changed, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from allometry.storage import Stamp, in_object_storage, listing, read_many, stamp_of

_AT_ONCE = 256  # objects fetched together: more take memory and save little time


def stamps_of(folder: Path, name: str) -> dict[str, Stamp]:
    """Run id to the stamp of its file of a name, in the order of ids; runs without one are left out.

    Args:
        folder: Of the study.

    >>> stamps_of(Path("no/study"), "run.json")
    {}
    """
    if in_object_storage(folder):
        below = ((path.split("/"), stamp) for path, stamp in listing(folder / "runs").items())
        return dict(sorted((parts[0], stamp) for parts, stamp in below if parts[1:] == [name]))
    # Joined as text: ten thousand paths made as objects take longer than the look at the files.
    found = ((run_id, stamp_of(f"{folder}/runs/{run_id}/{name}")) for run_id in folders_in(folder))
    return {run_id: stamp for run_id, stamp in found if stamp is not None}


def contents_of(folder: Path, name: str, run_ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """What some runs' files of a name hold, one run after the other; one that is gone by now is left out."""
    if not in_object_storage(folder):
        for run_id in run_ids:
            with suppress(FileNotFoundError, NotADirectoryError):
                yield run_id, Path(f"{folder}/runs/{run_id}/{name}").read_bytes()
        return
    for first in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[first : first + _AT_ONCE]
        texts = read_many(folder / "runs", [f"{run_id}/{name}" for run_id in some])
        yield from ((run_id, texts[f"{run_id}/{name}"]) for run_id in some)


def folders_in(folder: Path) -> list[str]:
    """Names of the run folders of a study, in order; some may hold no finished run."""
    if in_object_storage(folder):
        return sorted({path.partition("/")[0] for path in listing(folder / "runs")})
    try:
        with os.scandir(folder / "runs") as entries:
            return sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return []
