"""A run as any MLflow store keeps it, and the record that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from allometry.runs.importers.trackers import Record
from allometry.runs.run import Status

STATUS: Mapping[str, Status] = {
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "stopped",
    "RUNNING": "stopped",
    "SCHEDULED": "stopped",
}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a store keeps of one run.

    Attributes:
        state: One of `STATUS`.
        start, end: Milliseconds since 1970; `end` is None while the run goes on.
        params, tags: Text, as MLflow keeps it.
        metrics: The latest value of each.
    """

    run_id: str
    name: str
    experiment: str
    state: str
    start: int
    end: int | None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def record_of(run: Kept) -> Record:
    """The record of a run, every value as text, as its parameters are; tags of MLflow itself are left out.

    >>> kept = Kept(run_id="a", name="d4", experiment="ladder", state="KILLED", start=0, end=60_000)
    >>> facts = record_of(kept).facts
    >>> facts["status"], facts["duration_seconds"]
    ('stopped', '60.0')
    """
    facts: dict[str, Any] = {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "status": STATUS.get(run.state),
        "state": run.state,
        "created": datetime.fromtimestamp(run.start / 1000, UTC).isoformat(timespec="seconds"),
        "duration_seconds": repr((run.end - run.start) / 1000) if run.end and run.end > run.start else None,
    }
    tags = {f"tags.{key}": value for key, value in run.tags.items() if not key.startswith("mlflow.")}
    metrics = {key: repr(float(value)) for key, value in run.metrics.items()}
    return Record(facts=facts | tags, asked=dict(run.params), measured=metrics)
