"""The first documents of a dataset on the Hugging Face hub, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from allometry.errors import InputError, MissingColumn, did_you_mean
from allometry.extras import needed
from allometry.lab.documents import Document
from allometry.recipe import HuggingFace


def read_dataset(source: HuggingFace) -> list[Document]:
    """Documents in the order of the dataset, until there are as many, or as many bytes, as asked.

    Raises:
        InputError: If there is no such dataset, split, revision or column, or the hub is out of reach.
        MissingExtra: If `datasets` is not installed.
    """
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
            yield Document(name=f"{source.name}:{number}", text=text, file=source.name)


def _taken(source: HuggingFace, documents: Iterator[Document]) -> Iterator[Document]:
    size = 0
    for count, document in enumerate(documents, start=1):
        yield document
        size += document.bytes
        if count == source.documents or (source.bytes is not None and size >= source.bytes):
            return


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
