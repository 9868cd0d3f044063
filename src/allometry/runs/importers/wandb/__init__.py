"""Weights & Biases: the runs of a project through its API, or a CSV file that its web pages export."""

from __future__ import annotations

from pathlib import Path

from allometry.runs.importers import trackers
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells
from allometry.runs.importers.wandb.address import PREFIX
from allometry.runs.importers.wandb.export import is_export, read_export
from allometry.runs.importers.wandb.project import read_project

__all__ = ["importer"]

_COLUMNS = {
    **trackers.COLUMNS,
    "_runtime": "seconds",
    "Runtime": "seconds",
    "throughput/total_gflops": "flops * 1e9",  # levanter
}


def _recognises(source: str) -> bool:
    return source.startswith(PREFIX) or is_export(Path(source))


def _read(source: str) -> Cells:
    cells = read_project(source) if source.startswith(PREFIX) else read_export(Path(source))
    return trackers.without_zeros(cells, _COLUMNS)


importer = Importer(
    name="wandb",
    reads=(
        "The runs of a project in Weights & Biases (wandb:entity/project, with ?tags=, ?filters= and "
        "?history=), kept in a cache so that a finished run is fetched once; or a CSV file exported from its "
        "table of runs or from a chart. A bare 'loss' is left as found, for trainers log their training loss "
        "under it."
    ),
    source="wandb 0.31, wandb.Api (https://docs.wandb.ai/ref/python/public-api); the export of its web pages",
    recognises=_recognises,
    read=_read,
    columns=_COLUMNS,
)
