"""The first documents of a dataset on the Hugging Face hub, streamed once and then kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from allometry.errors import CorruptFile, InputError, MissingColumn, did_you_mean
from allometry.extras import needed
from allometry.files import cache_folder, write_atomically
from allometry.lab.documents import Document
from allometry.recipe import HuggingFace, spelled_out


def read_dataset(source: HuggingFace) -> list[Document]:
    """Documents in the order of the dataset, until there are as many, or as many bytes, as asked.

    What was read is kept in the cache under all that the source states. So every worker of a sweep reads the
    same text, without the hub, even if a branch that was named as the revision moves on.

    Raises:
        InputError: If there is no such dataset, split, revision or column, or the hub is out of reach.
        CorruptFile: If what was kept is damaged.
        MissingExtra: If `datasets` is not installed.
    """
    stated = json.dumps(spelled_out(source), sort_keys=True)
    kept = cache_folder() / "datasets" / f"{hashlib.sha256(stated.encode()).hexdigest()[:16]}.json"
    if not kept.exists():
        content = json.dumps([[one.name, one.text] for one in _fetched(source)])
        write_atomically(kept, f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")
    return [Document(name=name, text=text, file=source.name) for name, text in _read_back(kept)]


def _read_back(path: Path) -> list[tuple[str, str]]:
    recorded, _, content = path.read_bytes().partition(b"\n")
    if recorded.decode(errors="replace") != hashlib.sha256(content).hexdigest():
        raise CorruptFile(
            f"The documents kept in {path} are damaged. Delete that file; they are fetched again."
        )
    return [(name, text) for name, text in json.loads(content)]


def _fetched(source: HuggingFace) -> list[Document]:
    datasets = needed("datasets", "Reading a dataset of the Hugging Face hub", "hf")
    try:
        rows = datasets.load_dataset(
            source.name,
            source.config or None,
            split=source.split,
            revision=source.revision,
            streaming=True,
        )
        documents = list(_taken(source, _documents(source, rows)))
    except InputError:
        raise
    except (OSError, ValueError) as error:  # what `datasets` raises for all that is wrong or out of reach
        raise InputError(
            f"Dataset {' '.join(filter(None, (source.name, source.config)))}, split {source.split}, revision "
            f"{source.revision}, cannot be read: {_first_line(error)}"
        ) from error
    if not documents:
        raise InputError(f"Dataset '{source.name}' holds no text in column '{source.column}'.")
    return documents


def _documents(source: HuggingFace, rows: Iterable[Mapping[str, Any]]) -> Iterator[Document]:
    for number, row in enumerate(rows):
        if not isinstance(row.get(source.column), str):
            texts = [name for name, value in row.items() if isinstance(value, str)]
            raise MissingColumn(
                f"Row {number} of dataset '{source.name}' has no text in '{source.column}'."
                f"{did_you_mean(source.column, texts)} Columns of text: {', '.join(texts) or 'none'}."
            )
        text = row[source.column].encode("utf-8", errors="replace").decode()
        if text:
            yield Document(name=f"{source.name}:{number}", text=text)


def _taken(source: HuggingFace, documents: Iterator[Document]) -> Iterator[Document]:
    size = 0
    for count, document in enumerate(documents, start=1):
        yield document
        size += document.bytes
        if count == source.documents or (source.bytes is not None and size >= source.bytes):
            return


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
