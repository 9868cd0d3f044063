"""Where documents come from: one module a kind of source."""

from __future__ import annotations

from collections.abc import Sequence

from allometry.lab.documents import Document
from allometry.lab.sources.files import read_files
from allometry.lab.sources.hugging_face import read_dataset
from allometry.lab.sources.standard_library import read_library
from allometry.recipe import HuggingFace, StandardLibrary, TextFiles, TextSource


def read_documents(source: TextSource) -> Sequence[Document]:
    """All documents of a source that have any text, always in the same order.

    Raises:
        InputError: If there is none, or a file is not what its suffix says.
        MissingExtra: If the source needs a library that is not installed.
    """
    match source:
        case StandardLibrary():
            return read_library(source.bytes, docstrings=source.part == "docstrings")
        case TextFiles():
            return read_files(source)
        case HuggingFace():
            return read_dataset(source)
