"""The importers of plain tables: one a file format, known by the end of the file's name."""

from __future__ import annotations

from pathlib import Path

from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells, format_of, read_cells


def _table(name: str, reads: str, source: str) -> Importer:
    def recognises(text: str) -> bool:
        return format_of(text) == name

    def read(text: str) -> Cells:
        return read_cells(Path(text), name)

    return Importer(name=name, reads=reads, source=source, recognises=recognises, read=read)


_PACKED = "also compressed (.gz, .zst)"

csv = _table(
    "csv",
    f"A table separated by commas (.csv), in UTF-8 or UTF-16 with its byte order mark, {_PACKED}. Semicolons "
    "are read too where no cell holds a comma.",
    "RFC 4180",
)
tsv = _table(
    "tsv",
    f"A table separated by tabs (.tsv, .tab), {_PACKED}.",
    "RFC 4180 with tabs for commas",
)
parquet = _table(
    "parquet",
    "An Apache Parquet file (.parquet, .pq); an index that pandas stored is a column like any other.",
    "Apache Parquet, https://parquet.apache.org",
)
jsonl = _table(
    "jsonl",
    f"One JSON object a line and run (.jsonl, .ndjson), {_PACKED}.",
    "https://jsonlines.org",
)
json = _table(
    "json",
    f"A JSON list of objects, one a run (.json), {_PACKED}.",
    "RFC 8259",
)
