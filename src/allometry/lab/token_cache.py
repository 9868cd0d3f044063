"""Encoded text on disk: written whole or not at all, and hashed before it is used.

The arrays are hashed in full the first time that a process opens them. That takes a second for 1.6 GB, once
in the life of a worker that then trains many runs, and it is the only check that finds a flipped bit; size
and time of change find neither that nor a restored backup of other text.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from allometry.errors import CorruptFile
from allometry.files import cache_folder, explained, write_atomically

_MANIFEST = "manifest.json"


def token_folder(data_hash: str) -> Path:
    """Where text of this identity is kept."""
    return cache_folder() / "tokens" / data_hash


def is_stored(folder: Path) -> bool:
    """Whether a folder was put in place, and so was whole at that time."""
    return folder.is_dir()


def store(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], texts: Mapping[str, str]) -> None:
    """Fill a folder aside and put it in place whole; the first of two writers wins.

    Args:
        arrays: Name to array; each becomes NAME.npy.
        texts: Name of a file to its content.

    Raises:
        StudyError: If it cannot be written.
    """
    files = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    files |= {name: content.encode() for name, content in texts.items()}
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = folder.parent / f".encoding-{uuid.uuid4().hex[:8]}"
        aside.mkdir()
        try:
            for name, content in files.items():
                write_atomically(aside / name, content)
            sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            write_atomically(aside / _MANIFEST, json.dumps(sums, indent=1) + "\n")
            _put_in_place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _put_in_place(aside: Path, folder: Path) -> None:
    try:
        aside.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was first, with the same content
            raise


def load_array(folder: Path, name: str) -> npt.NDArray[Any]:
    """A stored array, memory-mapped.

    Raises:
        CorruptFile: If it is missing or not what was stored.
    """
    _require_intact(folder / f"{name}.npy")
    array: npt.NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return array


def load_text(folder: Path, name: str) -> str:
    """A stored file.

    Raises:
        CorruptFile: If it is missing or not what was stored.
    """
    _require_intact(folder / name)
    return (folder / name).read_text(encoding="utf-8")


def _require_intact(path: Path) -> None:
    try:
        sums = json.loads((path.parent / _MANIFEST).read_text())
        status = path.stat()
        found = _sha256(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise CorruptFile(_damaged(path, str(error))) from error
    if not isinstance(sums, dict) or sums.get(path.name) != found:
        raise CorruptFile(_damaged(path, "its content does not have the hash that was recorded"))


@lru_cache(maxsize=256)
def _sha256(path: Path, _size: int, _changed: int) -> str:
    """Hash of a file, computed once a process unless the file changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, reason: str) -> str:
    return (
        f"The encoded text in {path} is damaged: {reason}. Delete the folder {path.parent}; it is made again."
    )
