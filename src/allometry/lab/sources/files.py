"""Local files, read by suffix: plain text, JSON lines, Parquet, and the first two packed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from allometry.errors import CorruptFile, InputError, MissingColumn, did_you_mean
from allometry.lab.documents import Document
from allometry.recipe import TextFiles

_PACKED = {".gz": "gzip", ".zst": "zstd"}
_UNREAD = {".7z", ".arrow", ".bz2", ".lz4", ".rar", ".tar", ".tgz", ".xz", ".zip"}
_HEAD_BYTES = 8192  # looked at to tell text from anything else
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r"))  # in UTF-8 part of no other character
_MOST_UNREADABLE = 0.1  # share of characters; a Latin-1 text in a European language stays below


def read_files(source: TextFiles) -> list[Document]:
    """Every document of the files that match, files in the order of their paths.

    Names begin with the last folder of the pattern that stands before its first wildcard, so that the side
    of the split a document falls on is the same wherever that folder lies.

    Raises:
        InputError: If no file matches, none has any text, or one is not what its suffix says.
    """
    names = _names(_matching(source.paths))
    documents = [
        replace(one, name=one.name.replace(path.as_posix(), name, 1), file=name if one.file else "")
        for path, name in names.items()
        for one in _read_file(path, source.text_key)
        if one.text
    ]
    if not documents:
        raise InputError(f"The files {', '.join(source.paths)} hold no text: all of them are empty.")
    return documents


def _matching(patterns: tuple[str, ...]) -> dict[Path, Path]:
    """Files that match, in the order of their paths, each with the folder that its name is relative to."""
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in _found(pattern):
            found.setdefault(path, _plain_folder(pattern).parent)
    paths = {path: found[path] for path in sorted(found) if path.is_file()}
    if not paths:
        folder = next((path for path in found if path.is_dir()), None)
        hint = f" {folder} is a folder; name the files in it, as in {folder}/*.txt." if folder else ""
        raise InputError(f"No file matches {', '.join(patterns)} in {Path.cwd()}.{hint}")
    return paths


def _found(pattern: str) -> list[Path]:
    try:
        return list(Path(Path(pattern).anchor or ".").glob(_relative(pattern)))
    except (ValueError, IndexError, OSError) as error:  # what pathlib raises for all it cannot look for
        raise InputError(
            f"'{pattern[:80]}' is no pattern of files. Write one such as 'texts/*.txt', or "
            f"'texts/**/*.md' for all folders below."
        ) from error


def _plain_folder(pattern: str) -> Path:
    """The folder before the first wildcard; that of the file if there is none."""
    parts = Path(pattern).parts[:-1]
    wild = next((at for at, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    return Path(*parts[:wild])


def _names(folders: Mapping[Path, Path]) -> dict[Path, str]:
    """A name for each path; the whole path where two would have the same."""
    short = {path: path.relative_to(folder).as_posix() for path, folder in folders.items()}
    count = Counter(short.values())
    return {path: name if count[name] == 1 else path.as_posix() for path, name in short.items()}


def _relative(pattern: str) -> str:
    return pattern.removeprefix(Path(pattern).anchor)


def _read_file(path: Path, key: str) -> Iterator[Document]:
    packing = _PACKED.get(path.suffix.lower(), "")
    suffix = (path.with_suffix("") if packing else path).suffix.lower()
    if suffix in _UNREAD or (packing and suffix == ".parquet"):
        raise InputError(
            f"{path}: files ending in {''.join(path.suffixes[-2:])} are not read; unpack it, or give plain "
            f"text, .jsonl (each also .gz or .zst) or .parquet."
        )
    readers: dict[str, Callable[..., Iterator[Document]]] = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".parquet": _parquet_rows,
    }
    if suffix in readers:
        return readers[suffix](path, packing, key)
    return iter([Document(name=path.as_posix(), text=_decode(path, _content(path, packing)))])


def _content(path: Path, packing: str) -> bytes:
    try:
        with pyarrow.input_stream(str(path), compression=packing or None) as file:
            return bytes(file.read())
    except OSError as error:
        if not packing or error.errno:  # the system's word, not the unpacker's
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
        raise CorruptFile(f"{path} cannot be unpacked ({error}); fetch or make it again.") from error


def _decode(path: Path, content: bytes) -> str:
    begins = content[:_HEAD_BYTES]
    head = begins.decode("utf-8", errors="replace")
    unreadable = head.count("\ufffd") + len(begins) - len(begins.translate(None, delete=_CONTROLS))
    if unreadable > max(1, _MOST_UNREADABLE * len(head)):  # one: a character that the head cuts in two
        raise InputError(
            f"{path} is not UTF-8 text: {unreadable / len(head):.0%} of the characters it begins with are "
            f"unreadable. Convert it, or leave it out of the pattern."
        )
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _json_lines(path: Path, packing: str, key: str) -> Iterator[Document]:
    for number, line in enumerate(_content(path, packing).split(b"\n"), start=1):
        if line.strip():
            yield _row(path, number, _text_of(line, key, f"{path}, line {number},"))


def _text_of(line: bytes, key: str, where: str) -> Any:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({error}); a .jsonl file has one object a line.") from error
    if not isinstance(values, dict):
        raise InputError(f"{where} is not a JSON object but {type(values).__name__}; give an object a line.")
    if key not in values:
        raise MissingColumn(_no_key(where, key, list(values)))
    return values[key]


def _parquet_rows(path: Path, _: str, key: str) -> Iterator[Document]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if key not in file.schema_arrow.names:
                raise MissingColumn(_no_key(str(path), key, file.schema_arrow.names))
            rows = [
                text for batch in file.iter_batches(columns=[key]) for text in batch.column(0).to_pylist()
            ]
    except (OSError, pyarrow.ArrowException) as error:
        raise CorruptFile(f"{path} cannot be read as Parquet ({error}); fetch or make it again.") from error
    for number, text in enumerate(rows, start=1):
        yield _row(path, number, text)


def _no_key(where: str, key: str, there: list[str]) -> str:
    return (
        f"{where} has no '{key}'. It has: {', '.join(there) or 'nothing'}.{did_you_mean(key, there)} "
        f"Name the text with text_key."
    )


def _row(path: Path, number: int, text: Any) -> Document:
    if not isinstance(text, str):
        raise InputError(
            f"{path}, row {number}: the text is {type(text).__name__}, not a string; name another text_key."
        )
    # JSON can spell half of a surrogate pair, which no encoding of text can hold.
    readable = text.encode("utf-8", errors="replace").decode()
    return Document(name=f"{path.as_posix()}:{number}", text=readable, file=path.as_posix())
