"""When a run counts as diverged: rules over the lines of its curve, stated once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HOPELESS = 1.0  # nats above the uniform guess ln(vocab): no healthy run is there after its first line
SPIKE = 1.0  # nats above the best line so far
SPIKE_LINES = 4  # lines in a row, so that a spike from which the run recovers ends nothing


@dataclass
class Watch:
    """Follows a run's curve and says when the run has diverged.

    A run has diverged when a line of its curve is not finite; is more than `HOPELESS` nats above ln(vocab);
    or is the fourth in a row (`SPIKE_LINES`) more than `SPIKE` nats above the best line so far. A line
    is a mean over several steps, so one unlucky batch is no spike.

    >>> watch = Watch(vocab=300)
    >>> [watch.verdict(8 * line, loss) for line, loss in enumerate((5.7, 3.0, 4.5, 4.5, 4.5))]
    ['', '', '', '', '']
    >>> watch.verdict(40, 4.1), watch.last_good
    ('the loss stayed more than 1 nat above its best for 4 lines of the curve', 8)

    Attributes:
        vocab: Tokens; the uniform guess costs its logarithm.
        best: Lowest line so far, nat/token.
        above: Lines in a row that were a spike above it.
        last_good: Step of the last line that was neither.
    """

    vocab: int
    best: float = field(default=math.inf, init=False)
    above: int = field(default=0, init=False)
    last_good: int = field(default=0, init=False)

    def verdict(self, step: int, loss: float) -> str:
        """Take note of the next line: why the run has diverged, or nothing."""
        if not math.isfinite(loss):
            return "the loss was not finite"
        if loss > math.log(self.vocab) + HOPELESS:
            return f"the loss in training was over ln(vocab) + {HOPELESS:g}"
        self.best = min(self.best, loss)
        self.above = self.above + 1 if loss > self.best + SPIKE else 0
        if self.above == 0:
            self.last_good = step
        if self.above < SPIKE_LINES:
            return ""
        return f"the loss stayed more than {SPIKE:g} nat above its best for {SPIKE_LINES} lines of the curve"

    def follow(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Take note of the lines of an earlier sitting."""
        for line in lines:
            self.verdict(line["step"], line["loss"])
