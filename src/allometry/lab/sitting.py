"""How a run is trained, as opposed to what it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from allometry.lab.meters import Meter


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run in training says about itself."""

    run_id: str
    step: int
    steps: int
    tokens: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """How to train, as opposed to what: nothing here changes a bit of the result, but for `compiled`.

    Attributes:
        keep_steps: Checkpoints to keep for branches.
        stop_after: Steps after which a trunk's sitting ends, as no branch needs more; 0: at the run's end.
        checkpoint_seconds: Time between checkpoints.
        on_progress: Called about twice a second.
        should_stop: Asked every few steps; True saves a checkpoint and ends the sitting.
        design: Why the run is made; goes into the run's `design` column.
        meters: What else is measured; each is made anew for the run.
        patience: Seconds to wait for another process that is training the same run.
        compiled: Let torch.compile fuse the model's kernels, in graphs on a GPU. It takes a minute or two and
            pays for long runs; the run then equals an uncompiled one to rounding, not to the last bit.
        confirm: Called before anything is written; raises where the run has become another process's.
    """

    keep_steps: Collection[int] = ()
    stop_after: int = 0
    checkpoint_seconds: float = 15.0
    on_progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False
    design: str = ""
    meters: Sequence[Callable[[], Meter]] = ()
    patience: float = 0.0
    compiled: bool = False
    confirm: Callable[[], None] = lambda: None
