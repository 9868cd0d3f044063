"""The documents of a recipe: read, cleaned, and split into training and held-out text."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from allometry.errors import InputError
from allometry.lab.cleaning import StepReport, clean
from allometry.lab.documents import Document, position
from allometry.lab.sources import read_documents
from allometry.recipe import Data, HuggingFace, Mixture, Source, StandardLibrary, TextFiles, TextSource


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Documents split by name; `record` says where they came from, file by file.

    Attributes:
        train, held_out: The two sides; those of one domain stand together.
        origin: Where the text came from, in words.
        steps: What each cleaning step kept and dropped.
    """

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]
    origin: str
    steps: tuple[StepReport, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash over names and texts of both sides, in order."""
        digest = hashlib.sha256()
        for side in (self.train, self.held_out):
            for document in side:
                domain = f"{document.domain}\0" if document.domain else ""
                digest.update(f"{domain}{document.name}\0{document.sha256}\n".encode())
            digest.update(b"--\n")
        return digest.hexdigest()

    def record(self) -> dict[str, Any]:
        """Origin, hash, cleaning, and every file with its own hash, for the study."""
        sides = {"train": self.train, "held_out": self.held_out}
        return {
            "origin": self.origin,
            "sha256": self.sha256,
            "bytes": {name: sum(one.bytes for one in side) for name, side in sides.items()},
            "documents": {name: len(side) for name, side in sides.items()},
            "steps": [asdict(report) for report in self.steps],
            "files": {name: _file_hashes(side) for name, side in sides.items()},
        }


def _file_hashes(documents: Sequence[Document]) -> dict[str, str]:
    """File to hash: of its text, or of all its documents' hashes where it holds more than one."""
    found: dict[str, list[str]] = {}
    for document in documents:
        found.setdefault(document.file, []).append(document.sha256)
    alone = {document.name: document.sha256 for document in documents if not document.file}
    return alone | {
        file: hashlib.sha256("".join(hashes).encode()).hexdigest() for file, hashes in found.items() if file
    }


def read_corpus(data: Data) -> Corpus:
    """Read the documents of a recipe, clean them, and split them by a hash of their names.

    Deduplication looks at both sides, so that no copy straddles the split; filters and noise touch the
    training text only.

    Raises:
        InputError: If there is no text, or too little for both sides of the split.
        MissingExtra: If a source or step needs a library that is not installed.
    """
    domains = _domains(data.corpus)
    documents = [one for name, source in domains.items() for one in _of_domain(name, source)]
    cleaned, reports = clean(documents, data.steps, lambda one: position(one.name) < data.held_out)
    train = tuple(one for one in cleaned if position(one.name) >= data.held_out)
    held_out = tuple(one for one in cleaned if position(one.name) < data.held_out)
    for name in domains:
        _require_both_sides(name, train, held_out, data.held_out)
    origins = (f"{name}: {_origin(source)}" if name else _origin(source) for name, source in domains.items())
    return Corpus(train=train, held_out=held_out, origin="; ".join(origins), steps=tuple(reports))


def _domains(source: Source) -> dict[str, TextSource]:
    """The sources by the names of their domains; the only one has no name."""
    match source:
        case Mixture():
            return {domain.name: domain.corpus for domain in source.domains}
        case StandardLibrary() | TextFiles() | HuggingFace():
            return {"": source}
    raise AssertionError(f"{source.kind} draws symbols and has no documents")


def _of_domain(name: str, source: TextSource) -> Sequence[Document]:
    documents = read_documents(source)
    return [replace(document, domain=name) for document in documents] if name else documents


def _require_both_sides(
    domain: str, train: Sequence[Document], held_out: Sequence[Document], share: float
) -> None:
    counts = [sum(one.domain == domain for one in side) for side in (train, held_out)]
    where = f" of domain '{domain}'" if domain else ""
    if not sum(counts):
        raise InputError(
            f"No document{where} is left to train on: the source gave none, or its steps dropped all. Ask "
            f"for more text, or for milder steps."
        )
    if 0 in counts:
        raise InputError(
            f"{sum(counts)} documents{where} cannot be split with held_out = {share}: one side is empty. "
            f"Give more documents, or a larger share."
        )


def _origin(source: TextSource) -> str:
    match source:
        case StandardLibrary():
            return f"standard library of {platform.python_implementation()} {platform.python_version()}"
        case TextFiles():
            return f"files {', '.join(source.paths)}"
        case HuggingFace():
            config = f" ({source.config})" if source.config else ""
            return f"dataset {source.name}{config}, split {source.split}, revision {source.revision}"
