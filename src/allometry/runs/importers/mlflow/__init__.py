"""MLflow: the runs of a tracking store, be it a folder, a database file or a server."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from allometry.errors import TableError
from allometry.runs.importers import trackers
from allometry.runs.importers.definition import Importer
from allometry.runs.importers.files import Cells
from allometry.runs.importers.mlflow.folder import experiments_in, read_folder
from allometry.runs.importers.mlflow.records import Kept, record_of
from allometry.runs.importers.mlflow.service import database, read_service

__all__ = ["importer"]

_PREFIX = "mlflow:"
_FILE = "sqlite:///"
_COLUMNS = {**trackers.COLUMNS, "duration_seconds": "seconds"}


def _recognises(source: str) -> bool:
    return source.startswith((_PREFIX, _FILE)) or any(experiments_in(Path(source)))


def _read(source: str) -> Cells:
    address, _, experiment = source.removeprefix(_PREFIX).partition("#")
    records = [record_of(run) for run in _runs(address, experiment)]
    if not records:
        raise TableError(f"{source} holds no active runs; give the store that your runs were logged to.")
    cells = trackers.cells_of_records(records, asked_as="params", measured_as="metrics", typed=False)
    return trackers.without_zeros(cells, _COLUMNS)


def _runs(address: str, experiment: str) -> list[Kept]:
    if address.startswith(_FILE):
        return read_service(database(Path(address.removeprefix(_FILE))), experiment)
    if "://" in address and not address.startswith("file://"):
        return read_service(address, experiment)
    path = Path(unquote(urlparse(address).path)) if address.startswith("file://") else Path(address)
    if path.is_file():
        return read_service(database(path), experiment)
    return read_folder(path, experiment)


importer = Importer(
    name="mlflow",
    reads=(
        "An MLflow tracking store, all active runs or those of one #experiment: a folder (mlruns), a "
        "database file (sqlite:///mlflow.db, mlflow:FILE) or a server (mlflow:https://...). A bare 'loss' is "
        "left as found, for trainers log their training loss under it."
    ),
    source="MLflow 2.19 to 3.17, its file store and mlflow.MlflowClient, https://mlflow.org",
    recognises=_recognises,
    read=_read,
    columns=_COLUMNS,
)
