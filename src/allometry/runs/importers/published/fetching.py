"""Find the file of a published table: in the user's folder, in the cache, or at its address."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from allometry.errors import CorruptFile, InputError
from allometry.files import cache_folder, write_atomically
from allometry.runs.importers.published.definition import PublishedTable, TableFile

FOLDER = "ALLOMETRY_DATA"
LARGEST = 64 * 2**20  # bytes; the largest table of the catalog has 2 MB
TIMEOUT = 30  # seconds without an answer


def find_file(table: PublishedTable) -> tuple[Path, TableFile]:
    """The file of a table and what it is: from the folder ALLOMETRY_DATA, the cache, or its address.

    Raises:
        InputError: If it is nowhere and cannot be downloaded; the message names the address and the folder.
        CorruptFile: If a file was found or downloaded that is not the one that is meant.
    """
    in_folder = _find_in_folder(table)
    if in_folder is not None:
        return in_folder
    if table.upstream is None:
        raise InputError(f"The table '{table.name}' has no file to download. {_way_out(table)}")
    cached = _cached(table.upstream)
    if not cached.is_file():
        _download(table, table.upstream, cached)
    _check_cached(table.upstream, cached)
    return cached, table.upstream


def _find_in_folder(table: PublishedTable) -> tuple[Path, TableFile] | None:
    named = os.environ.get(FOLDER)
    if not named:
        return None
    if not Path(named).is_dir():
        raise InputError(f"{FOLDER} names '{named}', which is not a folder; correct it or unset it.")
    for file in table.files:
        path = Path(named) / file.name
        if path.is_file():
            _check(path, file.sha256)
            return path, file
    return None


def _cached(file: TableFile) -> Path:
    # By its address, so that another commit is another file.
    return cache_folder() / "published" / hashlib.sha256(file.address.encode()).hexdigest()[:16] / file.name


def _download(table: PublishedTable, file: TableFile, path: Path) -> None:
    content = _fetch(table, file.address)
    found = hashlib.sha256(content).hexdigest()
    if file.sha256 and found != file.sha256:
        raise CorruptFile(
            f"{file.address} is not the file of '{table.name}': its SHA-256 is {found[:16]}…, not "
            f"{file.sha256[:16]}…. Nothing was kept; try again, or look at what the address shows."
        )
    write_atomically(path, content)
    write_atomically(_record(path), found)


def _fetch(table: PublishedTable, address: str) -> bytes:
    # Only here: most readers of tables never download one, and these take longer to import than the rest.
    import http.client
    import urllib.request

    request = urllib.request.Request(address, headers={"User-Agent": "allometry"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"The table '{table.name}' is not on this machine, and {address} does not give it: {error}. "
            f"{_way_out(table)}"
        ) from error
    if len(content) > LARGEST:
        raise InputError(
            f"{address} is larger than {LARGEST >> 20} MiB, so it is not the table '{table.name}'."
        )
    return content


def _way_out(table: PublishedTable) -> str:
    names = " or ".join(f"'{file.name}'" for file in table.files)
    if table.upstream is not None:
        return f"Try again with a network, or put {names} in a folder and let {FOLDER} name the folder."
    return (
        f"It is made from {table.made_from} ({table.origin}). Put {names} in a folder and let {FOLDER} name "
        f"the folder; a table made by hand is read as a file, with read_runs(path)."
    )


def _check_cached(file: TableFile, path: Path) -> None:
    record = _record(path)
    if not record.is_file():  # stopped between the two writes
        write_atomically(record, hashlib.sha256(path.read_bytes()).hexdigest())
    _check(path, file.sha256 or record.read_text("utf-8").strip())


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _check(path: Path, sha256: str) -> None:
    """Refuse a file that is not, bit for bit, the one with this hash; an empty one says nothing."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 and found != sha256:
        raise CorruptFile(
            f"{path} is not the file that was published: its SHA-256 is {found[:16]}…, not {sha256[:16]}…. "
            f"Delete it and read the table again, or read the file as it is: read_runs('{path}')."
        )
