"""CPU seconds, medians of repeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Timed(Generic[T]):
    """What a call gave and the CPU seconds of this process that it took."""

    result: T
    seconds: float


def cpu(work: Callable[[], T], *, repeats: int = 1) -> Timed[T]:
    """Run the same work `repeats` times; the last result and the median of the times."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        result = work()
        times.append(time.process_time() - begun)
    return Timed(result=result, seconds=median(times))


def shown(seconds: float) -> str:
    """In the unit that reads best.

    >>> shown(0.0412), shown(248.3)
    ('41 ms', '248 s')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
