"""What is told of a run that is being made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

ELSEWHERE = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """A run in training said how far it is."""

    run_id: str
    tokens: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run ended and its result, whatever it is, is in the study; `reason` if it is not done.

    One that failed is not in the study yet: `run_sweep` records the failure. One with the status "elsewhere"
    is being made by another process, whose it stays.
    """

    run_id: str
    status: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Died:
    """A worker died while on a run; the run's last checkpoint is intact.

    Attributes:
        by_signal: It was killed from outside (out of memory, kill -9, a lost node), not by its own error.
        reason: Its last words, or the signal.
    """

    run_id: str
    by_signal: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """No run can be made until something is mended: the study cannot be written, the cluster is gone."""

    run_id: str
    reason: str


Event = Advanced | Ended | Died | Unusable
_KINDS: dict[str, type[Event]] = {"advanced": Advanced, "ended": Ended, "died": Died, "unusable": Unusable}


def event_to_json(event: Event) -> str:
    """An event as one line of text.

    >>> event_to_json(Ended(run_id="a1", status="done"))
    '{"kind": "ended", "run_id": "a1", "status": "done", "reason": ""}'
    """
    kind = next(name for name, made in _KINDS.items() if made is type(event))
    return json.dumps({"kind": kind, **asdict(event)})


def event_from_json(text: str | bytes) -> Event:
    """Read what `event_to_json` wrote."""
    values = json.loads(text)
    return _KINDS[values.pop("kind")](**values)
