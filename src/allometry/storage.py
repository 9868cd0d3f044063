"""Places: a local path, or a path in object storage, which behaves like one where objects can.

"s3://bucket/study", "gs://…" and "memory://…" are opened by fsspec through universal_pathlib: `/`,
`read_bytes`, `write_bytes`, `is_file` and `iterdir` mean there what they mean of a `Path`, which is what
these are typed as. An object is put whole or not at all; it is not appended to, renamed or locked.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

from allometry.errors import MissingExtra, StudyError
from allometry.extras import needed

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")  # others name trackers, or hosts
# One slash or two: a Path leaves one of two.
_ADDRESS = re.compile(rf"(?P<scheme>{'|'.join(SCHEMES)}):/{{1,2}}(?P<rest>[^/].*)", re.DOTALL)

_ON_THIS_MACHINE = re.compile(r"file:/{1,3}(?P<rest>[^/].*)", re.DOTALL)
_ANY_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/{1,2}[^/]")  # longer than the letter of a drive


class Stamp(NamedTuple):
    """Size (bytes) and time of last change (ns) of a file or an object."""

    size: int
    mtime_ns: int


def open_place(place: str | Path) -> Path:
    """A place as a path, local or in object storage.

    Raises:
        MissingExtra: If it is in object storage and what reads that is not installed.

    >>> open_place("runs/a1").as_posix()
    'runs/a1'
    >>> open_place(Path("memory://demo/study")).name  # as a command line hands it over
    'study'
    >>> open_place("file:///data/study").as_posix()
    '/data/study'
    """
    if here := _ON_THIS_MACHINE.fullmatch(str(place)):
        return Path(f"/{here['rest']}")
    address = _ADDRESS.fullmatch(str(place))
    if address is None or in_object_storage(place) or (isinstance(place, Path) and place.exists()):
        return cast(Path, place) if in_object_storage(place) else Path(place)
    return _opened(f"{address['scheme']}://{address['rest']}")


def in_object_storage(place: object) -> bool:
    """Whether an opened place is one that has no folder on this machine."""
    return not isinstance(place, str | Path)


def require_known_storage(place: str | Path) -> None:
    """Refuse to make a folder that is called like the address of a storage which is not known.

    Raises:
        StudyError: Naming those that are.
    """
    address = _ANY_ADDRESS.match(str(place))
    if address and not in_object_storage(place) and address["scheme"] not in (*SCHEMES, "file"):
        raise StudyError(
            f"'{address['scheme']}' is no storage that is known; give a folder, or an address with "
            f"one of: {', '.join(SCHEMES)}."
        )


def require_answer(place: Path) -> None:
    """Refuse a storage that does not answer, before what is in it is taken to be missing.

    Raises:
        StudyError: Saying what came instead.
    """
    if not in_object_storage(place):
        return
    try:
        _stamp_of_object(place)
    except _refusals() as error:
        raise StudyError(
            f"{place} cannot be reached: {str(error).rstrip('. ') or type(error).__name__}. See that the "
            f"address is right and that this machine has what the storage asks for, such as credentials."
        ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What libraries of storages raise, as far as they are loaded: each has a tree of its own."""
    roots = (("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"),
             ("azure.core.exceptions", "AzureError"), ("aiohttp", "ClientError"))  # fmt: skip
    loaded = ((sys.modules.get(module), name) for module, name in roots)
    return (OSError, *(getattr(module, name) for module, name in loaded if module is not None))


def require_folder(place: Path, what: str, way_out: str) -> None:
    """Refuse what needs a folder where the study is in object storage.

    Args:
        what: As the beginning of a sentence: "A sweep".

    Raises:
        StudyError: Saying what to do instead.
    """
    if in_object_storage(place):
        raise StudyError(f"{what} needs a folder, and {place} is in object storage: {way_out}")


def listing(place: Path) -> dict[str, Stamp]:
    """Every object below a place in object storage, by its path from there; thousands take one question."""
    system, root = _system(place)
    system.invalidate_cache()
    found: Mapping[str, Mapping[str, Any]] = system.find(root, detail=True)
    return {posixpath.relpath(path, root): _stamp(told) for path, told in found.items()}


def read_many(place: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of objects below a place, fetched at once."""
    system, root = _system(place)
    paths = {f"{root}/{name}": name for name in names}
    if not paths:
        return {}
    found: Mapping[str, bytes] = system.cat(list(paths), on_error="raise")
    return {name: found[path] for path, name in paths.items()}


def stamp_of(path: str | Path) -> Stamp | None:
    """The stamp of a file or an object; None if there is none."""
    if in_object_storage(path):
        return _stamp_of_object(cast(Path, path))
    try:
        found = os.stat(path)  # noqa: PTH116  a Path object costs more than the look
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


def create(path: Path, content: bytes) -> bool:
    """Put an object that is not there yet, as only one of many can; false if there is one.

    Raises:
        StudyError: If this storage cannot promise that.
    """
    system, place = _system(path)
    try:
        system.pipe_file(place, content, mode="create")
    except FileExistsError:
        return False
    except (NotImplementedError, TypeError) as error:
        raise StudyError(
            f"Cannot write {path}: this storage cannot create an object only where there is none. "
            f"Keep the study in a folder."
        ) from error
    return True


def _stamp_of_object(path: Path) -> Stamp | None:
    system, place = _system(path)
    system.invalidate_cache()
    try:
        return _stamp(system.info(place))
    except FileNotFoundError:
        return None


def _opened(address: str) -> Path:
    place = cast(Path, needed("upath", "Reading object storage", "storage").UPath(address))
    _system(place)  # or what reads this one is missing
    return place


def _system(place: Path) -> tuple[Any, str]:
    """The file system of a place, and its path there."""
    opened: Any = place
    try:
        return opened.fs, opened.path.rstrip("/")
    except ImportError as error:
        _refuse_missing(error)


def _refuse_missing(error: ImportError) -> NoReturn:
    raise MissingExtra(
        f"This storage needs one more package ({error}). For S3 run: pip install 'allometry[storage]'"
    ) from error


def _stamp(told: Mapping[str, Any]) -> Stamp:
    """What storages tell of an object, each in words of its own."""
    names = ("LastModified", "last_modified", "updated", "mtime", "created")
    when = next((told[name] for name in names if told.get(name) is not None), 0.0)
    return Stamp(int(told["size"]), _nanoseconds(when))


def _nanoseconds(when: datetime | float | str) -> int:
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    return int((when.timestamp() if isinstance(when, datetime) else when) * 1e9)
