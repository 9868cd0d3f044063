"""From what Weights & Biases keeps of a run to one record of it, or one a logged point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from allometry.runs.importers.trackers import Record, flatten
from allometry.runs.importers.wandb.cache import Listed
from allometry.runs.run import Status

STATUS: Mapping[str, Status] = {
    "finished": "done",
    "failed": "failed",
    "crashed": "failed",
    "killed": "stopped",
    "preempted": "stopped",
    "preempting": "stopped",
    "running": "stopped",
    "pending": "stopped",
}
# JSON has no such numbers, so W&B writes words.
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def records_of(
    run: Listed, content: Mapping[str, Any], points: Sequence[Mapping[str, Any]] | None
) -> list[Record]:
    """One record of a run with its summary or, given the points of its history, one a point."""
    summary = {key: value for key, value in content["summary"].items() if key != "_wandb"}
    asked = dict(flatten(content["config"]))
    return [
        Record(facts=_facts(run), asked=asked, measured={key: _value(v) for key, v in flatten(measured)})
        for measured in ([summary] if points is None else points)
    ]


def _facts(run: Listed) -> dict[str, Any]:
    facts = {
        "run_id": run.id,
        "name": run.name,
        "status": STATUS.get(run.state),
        "state": run.state,
        "created": run.created,
        "tags": ", ".join(run.tags),
        "group": run.group,
        "job_type": run.job_type,
        "sweep": run.sweep,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _value(value: Any) -> Any:
    return _NUMBERS.get(value, value) if isinstance(value, str) else value
