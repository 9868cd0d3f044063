"""Sources that are one file or a folder of many: which files to read, and what each run is called."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from allometry.errors import InputError
from allometry.runs.importers.files import format_of

_DEPTH = 4  # folders below the one given that are looked through to recognise it


def files_below(source: str, *patterns: str) -> list[Path]:
    """The file given, or all files of a folder, at any depth, that match one of the patterns, sorted.

    Raises:
        InputError: If there is no such file or folder.
    """
    path = Path(source)
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"There is no file or folder {source}.")
        return [path]
    found = {file for pattern in patterns for file in path.rglob(pattern) if file.is_file()}
    return sorted(found)


def any_below(source: str, *patterns: str) -> Iterator[Path]:
    """The files that match a pattern, at most four folders down, as they are found; none below a file."""
    folder = Path(source)
    if not folder.is_dir():
        return
    for depth, pattern in product(range(_DEPTH + 1), patterns):
        yield from folder.glob("*/" * depth + pattern)


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, its lines ending in a line feed; nothing where no file can be read.

    >>> head(Path("no such file"))
    b''
    """
    try:
        with path.open("rb") as file:
            return file.read(size).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return b""


def run_name(file: Path, source: str) -> str:
    """What to call the run in a file: its path below the folder that was given, without the suffix.

    >>> run_name(Path("sweep/d12/train.log"), "sweep"), run_name(Path("sweep/d12.log"), "sweep/d12.log")
    ('d12/train', 'd12')
    """
    below = file.relative_to(source) if file != Path(source) else Path(file.name)
    return below.with_suffix("").as_posix()


def is_csv(path: Path) -> bool:
    """Whether a file's name says that it is a table separated by commas."""
    return format_of(path.name) == "csv"
