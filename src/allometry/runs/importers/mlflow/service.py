"""An MLflow store behind a database or a server, read through the mlflow package."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from allometry.errors import InputError, TableError
from allometry.extras import needed
from allometry.runs.importers.mlflow.folder import refuse_unknown
from allometry.runs.importers.mlflow.records import Kept

_WHAT = "Reading an MLflow database or server"
_PAGE = 1000  # runs a request


def database(path: Path) -> str:
    """The address of a database file for MLflow, which would make its tables where there are none.

    Raises:
        InputError: If there is no such file.
        TableError: If it is no SQLite database with MLflow's tables.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise TableError(f"{path} is not an SQLite database: {error}.") from error
    if not {"experiments", "runs"} <= tables:
        raise TableError(f"{path} is a database without MLflow's tables; give the one your runs went to.")
    return f"sqlite:///{path.resolve()}"


def read_service(uri: str, experiment: str = "") -> list[Kept]:
    """The active runs of a database or server, or of its one experiment of that name, oldest first.

    Raises:
        InputError: If there is no such experiment.
        TableError: If MLflow cannot read it; with its reason.
        MissingExtra: If MLflow, or SQLAlchemy for a database, is not installed.
    """
    package = needed("mlflow", _WHAT, "mlflow")
    failures: tuple[type[Exception], ...] = (package.exceptions.MlflowException, OSError)
    if not uri.startswith("http"):
        failures += (needed("sqlalchemy.exc", _WHAT, "mlflow").SQLAlchemyError,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's use of SQLAlchemy is not for a reader to mend
        try:
            return list(_runs(package.MlflowClient(tracking_uri=uri), experiment))
        except failures as error:
            raise TableError(f"MLflow cannot read {uri}: {error}") from error


def _runs(client: Any, experiment: str) -> Iterator[Kept]:
    names = {found.experiment_id: found.name for found in _pages(client.search_experiments)}
    refuse_unknown(experiment, list(names.values()))
    wanted = [key for key, name in names.items() if experiment in ("", name)]
    for run in _pages(client.search_runs, experiment_ids=wanted, order_by=["attributes.start_time ASC"]):
        yield _kept(run, names[run.info.experiment_id])


def _kept(run: Any, experiment: str) -> Kept:
    return Kept(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        experiment=experiment,
        state=run.info.status,
        start=run.info.start_time,
        end=run.info.end_time,
        params=run.data.params,
        metrics=run.data.metrics,
        tags=run.data.tags,
    )


def _pages(search: Any, **what: Any) -> Iterator[Any]:
    page = search(max_results=_PAGE, **what)
    yield from page
    while page.token:
        page = search(max_results=_PAGE, page_token=page.token, **what)
        yield from page
