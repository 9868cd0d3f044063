"""What trackers of experiments have in common: the records of many runs become one table of cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from allometry.runs.importers.files import Cells
from allometry.runs.importers.headers import read_header

# What names mean in the logs of trainers, beyond the names that are understood everywhere.
COLUMNS: Mapping[str, str | None] = {
    "loss": None,  # what a training loop logs under this name is the training loss
    "max_steps": None,  # what was asked for; -1 in transformers where epochs decide
    "train/global_step": "steps",  # transformers
    "train/num_input_tokens_seen": "tokens",  # transformers
}


# What a run adds up from 0 and has none of if it ended before its first step.
_SUMS = {"tokens", "flops", "steps", "epochs", "seconds", "energy_joules", "price_usd"}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run as a tracker keeps it, names to single values.

    Attributes:
        facts: What the tracker itself knows: run_id, status, when it was created.
        asked: What the run was asked to do: its configuration, parameters.
        measured: What it logged.
    """

    facts: Mapping[str, Any]
    asked: Mapping[str, Any]
    measured: Mapping[str, Any]


def cells_of_records(records: Sequence[Record], *, asked_as: str, measured_as: str, typed: bool) -> Cells:
    """One row a record, under the names that the run gave.

    A name that was both asked for and measured becomes two headers, with the prefixes given, for nothing
    says which of the two is meant. So does a measured learning rate: the last one is not the peak.

    >>> run = Record(facts={"run_id": "a"}, asked={"tokens": 100, "lr": 3e-4}, measured={"tokens": 96})
    >>> cells_of_records([run], asked_as="config", measured_as="summary", typed=True).columns
    {'run_id': ['a'], 'config.tokens': [100], 'lr': [0.0003], 'summary.tokens': [96]}
    """
    facts = list(dict.fromkeys(name for record in records for name in record.facts))
    asked = list(dict.fromkeys(name for record in records for name in record.asked))
    measured = list(dict.fromkeys(name for record in records for name in record.measured))
    of_asked = _headers(asked, asked_as, taken={*facts, *measured} - _peaks(measured))
    of_measured = _headers(measured, measured_as, taken={*facts, *asked} | _peaks(measured))
    columns: dict[str, list[Any]] = {name: [r.facts.get(name) for r in records] for name in facts}
    columns |= {header: [r.asked.get(name) for r in records] for name, header in of_asked.items()}
    columns |= {header: [r.measured.get(name) for r in records] for name, header in of_measured.items()}
    return Cells(columns, typed=typed)


def without_zeros(cells: Cells, columns: Mapping[str, str | None]) -> Cells:
    """Take a sum of 0 as missing: a run that failed at its start must not make a project unreadable.

    Args:
        columns: What headers mean in the format, as in `Importer.columns`.

    >>> found = Cells({"Runtime": ["0", "60"], "loss": ["0", "1"]}, typed=False)
    >>> without_zeros(found, {"Runtime": "seconds"}).columns
    {'Runtime': [None, '60'], 'loss': ['0', '1']}
    """
    return replace(
        cells,
        columns={
            header: [None if str(value) in ("0", "0.0") else value for value in values]
            if _column(header, columns) in _SUMS
            else values
            for header, values in cells.columns.items()
        },
    )


def flatten(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names joined by points, values that fit one cell; a list is written as JSON, media is left out.

    >>> dict(flatten({"model": {"width": 256, "betas": [0.9, 0.95]}, "sample": {"_type": "image-file"}}))
    {'model.width': 256, 'model.betas': '[0.9, 0.95]'}
    """
    for key, value in nested.items():
        name = f"{prefix}{key}".strip()
        if isinstance(value, Mapping):
            if "_type" not in value:
                yield from flatten(value, f"{name}.")
        elif isinstance(value, str | int | float) or value is None:
            yield name or "column", value
        else:
            yield name or "column", json.dumps(value, default=str)


def _column(header: str, columns: Mapping[str, str | None]) -> str:
    if header in columns:
        return (columns[header] or "").partition("*")[0].strip()
    meaning = read_header(header)
    return meaning.column if meaning is not None else ""


def _peaks(names: Sequence[str]) -> set[str]:
    return {name for name in names if _column(name, {}) == "learning_rate"}


def _headers(names: Sequence[str], prefix: str, taken: set[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name in names:
        header = f"{prefix}.{name}" if name in taken else name
        while header in headers.values() or (header != name and header in {*names, *taken}):
            header = f"{prefix}.{header}"
        headers[name] = header
    return headers
