"""Readers of other people's tables and logs: each maps to canonical columns and says how it did.

>>> from allometry.runs.importers import IMPORTERS
>>> IMPORTERS["csv"].recognises("runs.csv.gz")
True
"""

from __future__ import annotations

from pathlib import Path

from allometry.errors import InputError
from allometry.registry import Catalog
from allometry.runs.importers import (
    formats,
    huggingface,
    lm_eval,
    mlflow,
    nanochat,
    published,
    tensorboard,
    wandb,
)
from allometry.runs.importers.definition import Importer

# The more special first: a sweep of nanochat is a CSV file too, and is known by its headers.
IMPORTERS: Catalog[Importer] = Catalog(
    "format",
    {
        importer.name: importer
        for importer in (
            huggingface.importer,
            lm_eval.importer,
            nanochat.importer,
            tensorboard.importer,
            wandb.importer,
            mlflow.importer,
            published.importer,
            formats.csv,
            formats.tsv,
            formats.parquet,
            formats.jsonl,
            formats.json,
        )
    },
)

__all__ = ["IMPORTERS", "Importer", "find_importer"]


def find_importer(source: str, format: str | None = None) -> Importer:  # noqa: A002  (the word users expect)
    """The importer named, or the first that recognises the source.

    Raises:
        UnknownName: If there is no such format.
        InputError: If no importer recognises the source.

    >>> find_importer("runs.parquet").name
    'parquet'
    """
    if format is not None:
        return IMPORTERS[format]
    for importer in IMPORTERS.values():
        if importer.recognises(source):
            return importer
    known = ", ".join(IMPORTERS)
    if Path(source).is_dir():
        raise InputError(
            f"The folder {source} holds no study.toml, so it is not a study, and no runs of a format that is "
            f"recognised; give a file or a study, or say what it holds with format=, one of: {known}."
        )
    raise InputError(f"The name of {source} does not say its format; give format=, one of: {known}.")
