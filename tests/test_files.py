"""No reader ever sees half a file, and every refusal of the system becomes a sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from allometry.errors import StudyError
from allometry.files import write_atomically


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["text é\n", b"\x00\xff", ""])
def test_what_is_written_is_there_and_nothing_else(tmp_path: Path, content: str | bytes) -> None:
    write_atomically(tmp_path / "deep" / "file", content)

    expected = content.encode() if isinstance(content, str) else content
    assert (tmp_path / "deep" / "file").read_bytes() == expected
    assert names(tmp_path / "deep") == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EACCES, "permission was denied; choose a folder"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, says: str
) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))

    with pytest.raises(StudyError, match=rf"Cannot write .*file: {says}.*What was finished before is kept\."):
        write_atomically(path, "new")

    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_file_where_a_folder_must_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StudyError, match="a file of that name is where a folder must be"):
        write_atomically(tmp_path / "file" / "inside", "x")
    with pytest.raises(StudyError, match="choose another folder"):
        write_atomically(tmp_path / "file" / "deeper" / "inside", "x")
