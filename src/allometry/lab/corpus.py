"""Text sources: documents with names, and the split into training and held-out text."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.errors import InputError
from allometry.recipe import Data, StandardLibrary, TextFiles

# encodings/ is tables, not code; the others are tests, bundled copies or installed packages, which
# distributions ship or strip as they like.
_NOT_LIBRARY = {
    "encodings", "test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "ensurepip",
}  # fmt: skip
# No single file may dominate the sample: pydoc_data/topics.py alone is 0.7 MB of generated text.
_LARGEST_SHARE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One text with the name that decides which side of the split it falls on."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Documents split by name; `record` says where they came from, file by file."""

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]
    origin: str

    @property
    def sha256(self) -> str:
        """Hash over names and texts of both sides, in order."""
        digest = hashlib.sha256()
        for side in (self.train, self.held_out):
            for document in side:
                digest.update(f"{document.name}\0{document.sha256}\n".encode())
            digest.update(b"--\n")
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """Origin, hash and every file with its own hash, for the study."""
        sides = {"train": self.train, "held_out": self.held_out}
        return {
            "origin": self.origin,
            "sha256": self.sha256,
            "bytes": {name: sum(len(d.text.encode()) for d in side) for name, side in sides.items()},
            "files": {name: {d.name: d.sha256 for d in side} for name, side in sides.items()},
        }


def read_corpus(data: Data) -> Corpus:
    """Read the documents of a recipe and split them by a hash of their names.

    Raises:
        InputError: If there is no text, or too little for both sides of the split.
    """
    match data.corpus:
        case StandardLibrary():
            documents = _standard_library(data.corpus.bytes)
            origin = f"standard library of {platform.python_implementation()} {platform.python_version()}"
        case TextFiles():
            documents = _text_files(data.corpus.paths)
            origin = f"files {', '.join(data.corpus.paths)}"
    train = tuple(d for d in documents if _position(d.name) >= data.held_out)
    held_out = tuple(d for d in documents if _position(d.name) < data.held_out)
    if not train or not held_out:
        raise InputError(
            f"{len(documents)} documents cannot be split with held_out = {data.held_out}: one side is empty. "
            f"Give more documents, or a larger share."
        )
    return Corpus(train=train, held_out=held_out, origin=origin)


def _position(name: str) -> float:
    """A number in [0, 1) that depends on the name only: a new file never moves an old one."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:13], 16) / 16**13


def _standard_library(size: int) -> list[Document]:
    root = Path(sysconfig.get_paths()["stdlib"])
    names = (path.relative_to(root) for path in root.rglob("*.py"))
    kept = sorted(name.as_posix() for name in names if not _NOT_LIBRARY.intersection(name.parts))
    if not kept:
        raise InputError(
            f"No .py files under {root}: this Python has no readable standard library. Use files."
        )
    sample: list[Document] = []
    taken = 0
    # In the order of another hash than the split's: being taken says nothing about a file's side.
    for name in sorted(kept, key=lambda name: hashlib.sha256(b"sample " + name.encode()).digest()):
        document = Document(name=name, text=(root / name).read_text(encoding="utf-8", errors="replace"))
        if 0 < len(document.text) <= _LARGEST_SHARE * size and taken < size:
            sample.append(document)
            taken += len(document.text.encode())
    return sample


def _text_files(patterns: tuple[str, ...]) -> list[Document]:
    found = {
        path for pattern in patterns for path in Path(Path(pattern).anchor or ".").glob(_relative(pattern))
    }
    paths = sorted(path for path in found if path.is_file())
    if not paths:
        raise InputError(f"No file matches {', '.join(patterns)} in {Path.cwd()}.")
    texts = ((path.as_posix(), path.read_text(encoding="utf-8", errors="replace")) for path in paths)
    return [Document(name=name, text=text) for name, text in texts if text]


def _relative(pattern: str) -> str:
    return pattern.removeprefix(Path(pattern).anchor)
