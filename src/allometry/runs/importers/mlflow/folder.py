"""A folder of MLflow runs (mlruns), read file by file.

MLflow itself refuses such folders since 3.13 (it keeps runs in databases now), and one run that was killed
while it wrote makes it refuse all of them. Their format is plain text and changes no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allometry.errors import InputError, TableError, did_you_mean
from allometry.extras import needed
from allometry.runs.importers.folders import head
from allometry.runs.importers.mlflow.records import Kept

_STATES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_LATEST = 253_402_300_800_000  # ms, the year 10,000


def experiments_in(folder: Path) -> Iterator[Path]:
    """The descriptions of the experiments in a folder, none if it is no store."""
    return (path for path in sorted(folder.glob("*/meta.yaml")) if b"experiment_id:" in head(path))


def read_folder(folder: Path, experiment: str = "") -> list[Kept]:
    """The active runs of a folder, or of its one experiment of that name, oldest first.

    Raises:
        InputError: If there is no such folder or experiment.
        TableError: If the folder is no store or a description is damaged.
        MissingExtra: If PyYAML is not installed.
    """
    if not folder.is_dir():
        raise InputError(f"There is no MLflow store {folder}; give a folder (mlruns), a file or a server.")
    descriptions = {path.parent: _description(path) for path in experiments_in(folder)}
    names = {
        path: str(found.get("name", path.name))
        for path, found in descriptions.items()
        if found.get("lifecycle_stage", "active") == "active"
    }
    if not names:
        raise TableError(f"The folder {folder} holds no experiment of MLflow; give the folder named mlruns.")
    refuse_unknown(experiment, list(names.values()))
    runs = [run for path, name in names.items() if experiment in ("", name) for run in _runs(path, name)]
    return sorted(runs, key=lambda run: (run.start, run.run_id))


def refuse_unknown(experiment: str, names: list[str]) -> None:
    """Refuse an experiment that is asked for and not there."""
    if experiment and experiment not in names:
        raise InputError(
            f"There is no experiment '{experiment}'.{did_you_mean(experiment, names)} "
            f"There are: {', '.join(names)}."
        )


def _runs(experiment: Path, name: str) -> Iterator[Kept]:
    for path in experiment.glob("*/meta.yaml"):
        found = _description(path)
        if found.get("lifecycle_stage", "active") != "active":
            continue
        try:
            yield Kept(
                run_id=str(found["run_id"]),
                name=str(found.get("run_name") or ""),
                experiment=name,
                state=_STATES.get(found["status"], ""),
                start=_milliseconds(found["start_time"]),
                end=_milliseconds(found["end_time"]) if found.get("end_time") else None,
                params=dict(_texts(path.parent / "params")),
                metrics=dict(_metrics(path.parent / "metrics")),
                tags=dict(_texts(path.parent / "tags")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, f"{type(error).__name__} {error}") from error


def _description(path: Path) -> dict[str, Any]:
    yaml = needed("yaml", "Reading a folder of MLflow runs", "mlflow")
    try:
        found = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 45th of a month
        raise _damaged(path, " ".join(str(error).split())) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it is empty or no mapping")
    return found


def _damaged(path: Path, reason: str) -> TableError:
    return TableError(f"{path} is damaged: {reason}. Move its folder away to read the other runs.")


def _milliseconds(value: Any) -> int:
    if not 0 <= int(value) < _LATEST:
        raise ValueError(f"{value} is no time in milliseconds since 1970")
    return int(value)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield _key(path, folder), path.read_text(encoding="utf-8", errors="replace").rstrip("\n")


def _metrics(folder: Path) -> Iterator[tuple[str, float]]:
    for path in sorted(folder.rglob("*")):
        # What stands behind the last end of a line was being written when the run was killed.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        points = [_point(line) for line in lines if line.strip()]
        if points:
            yield _key(path, folder), max(points)[-1]


def _point(line: str) -> tuple[int, int, float]:
    """Step, time and value, from "time value step", in the order that says which is the latest."""
    time, value, *rest = line.split(" ")
    return int(rest[0]) if rest else 0, int(time), float(value)


def _key(path: Path, folder: Path) -> str:
    # A name with slashes is a path of folders.
    return path.relative_to(folder).as_posix()
