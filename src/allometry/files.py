"""Write files so that a crash, a full disk or a second writer never leaves half of one."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from allometry.errors import StudyError
from allometry.storage import in_object_storage, stamp_of

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "a file size limit was reached; raise it (ulimit -f) and run the same command again",
    errno.EACCES: "permission was denied; choose a folder that you may write to",
    errno.EPERM: "permission was denied; choose a folder that you may write to",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EEXIST: "a file of that name is where a folder must be; choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
}


def cache_folder() -> Path:
    """Where what can be made or fetched again is kept: $ALLOMETRY_CACHE, or the user's own cache folder."""
    if named := os.environ.get("ALLOMETRY_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "allometry"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a write into a sentence with the way out.

    Raises:
        StudyError: For any OSError raised inside.
    """
    try:
        yield
    except StudyError:
        raise
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, str(error.strerror or error))
        raise StudyError(f"Cannot write {path}: {reason}. What was finished before is kept.") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file aside, flush it to disk, and put it in place in one step.

    Raises:
        StudyError: If it cannot be written; the old file, if any, is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    if in_object_storage(path):
        with explained(path):
            path.write_bytes(data)  # an object is put whole or not at all
        return
    with explained(path):
        _write_aside(path, data, flush=os.fsync)
        sync_folder(path.parent)


def put_in_place(path: Path, content: str) -> None:
    """Write a file aside and put it in place in one step: it survives this process, but no power cut.

    Until `sync_file` of it and `sync_folder` of its folder, which take some milliseconds, were called.

    Raises:
        StudyError: If it cannot be written; the old file, if any, is untouched.
    """
    with explained(path):
        _write_aside(path, content.encode(), flush=lambda _: None)


def _write_aside(path: Path, data: bytes, flush: Callable[[int], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            flush(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Make what was appended to a file survive a power cut."""
    with explained(path), path.open("ab") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename inside a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written to.

    Raises:
        StudyError: Saying why.
    """
    clock_ns(folder)


def clock_ns(folder: Path) -> int:
    """The time by the file system that holds a folder: other machines' clocks differ from it.

    Raises:
        StudyError: If the folder cannot be written.
    """
    aside = folder / f".clock-{uuid.uuid4().hex[:8]}"
    with explained(folder):
        aside.touch()
        try:
            found = stamp_of(aside)
            assert found is not None
            return found.mtime_ns
        finally:
            aside.unlink()
