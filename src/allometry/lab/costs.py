"""What a run has cost so far, over all its sittings: seconds and energy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from allometry.lab.energy import Energy, Readable


@dataclass
class Costs:
    """The clocks of one sitting, and what the sittings before it took.

    Attributes:
        meter: Of the energy of this sitting.
        seconds: Of earlier sittings.
        energy: Of earlier sittings; None if there were none.
        share: Of this sitting's time and energy, below 1 if other runs train in the same passes.
    """

    meter: Readable
    seconds: float = 0.0
    energy: Energy | None = None
    share: float = 1.0
    _begun: float = field(default_factory=time.perf_counter)
    _aside: float = 0.0

    def sitting_seconds(self) -> float:
        """Since this sitting began, the run's share."""
        return self.share * (time.perf_counter() - self._begun)

    def training_seconds(self) -> float:
        """Of this sitting, less what was done beside training."""
        return self.sitting_seconds() - self.share * self._aside

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around what is not training: an evaluation, a checkpoint."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._aside += time.perf_counter() - begun

    def facts(self) -> dict[str, Any]:
        """Columns of the run; energy that nothing can tell is left out, and said to be unavailable."""
        energy = self._energy()
        joules = {
            "energy_joules": energy.joules,
            "energy_joules_low": energy.low,
            "energy_joules_high": energy.high,
        }
        known = {name: value for name, value in joules.items() if not math.isnan(value)}
        return {"seconds": self._seconds(), **known, "energy_method": energy.method, "energy_how": energy.how}

    def notes(self) -> dict[str, Any]:
        """State for the checkpoint."""
        self.meter.poll()
        return {"seconds": self._seconds(), "energy": asdict(self._energy())}

    def take_up(self, notes: Mapping[str, Any]) -> None:
        """Add up from the notes of an earlier sitting."""
        self.seconds = notes["seconds"]
        self.energy = Energy(**notes["energy"]) if "energy" in notes else None

    def _seconds(self) -> float:
        return self.seconds + self.sitting_seconds()

    def _energy(self) -> Energy:
        now = self.meter.read().times(self.share)
        return now if self.energy is None else self.energy + now
