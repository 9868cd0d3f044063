"""How a run in the making and the process that looks after it speak with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from allometry.sweeps.executors.events import Advanced


def _nothing(word: Advanced) -> None:
    return None


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Callbacks of a run in the making.

    Attributes:
        tell: Called now and then with how far the run is.
        should_stop: Asked every now and then; true: the run saves what it can and ends.
        patience: Seconds to wait for another process that is still letting go of the same run.
    """

    tell: Callable[[Advanced], None] = _nothing
    should_stop: Callable[[], bool] = _never
    patience: float = 0.0
