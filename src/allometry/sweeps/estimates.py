"""What a design would take, before anything runs: compute, hours, money."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.recipe import Recipe
from allometry.runs.run import Runs
from allometry.sweeps.designs import Design, Dropped, IsoFlop, Planned
from allometry.units import show_count, show_power, show_seconds

Array = NDArray[np.float64]

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Speed:
    """How fast one worker trains, attention counted with all scores.

    Attributes:
        params: Sizes it is known for, ascending; of one speed for all sizes a single number.
        flops_per_second: At these sizes.
        found: Where it is from, in words.
    """

    params: Array
    flops_per_second: Array
    found: str

    def at(self, params: float) -> float:
        """Between two sizes a power law, beyond them that of the nearest."""
        known = np.log(self.params), np.log(self.flops_per_second)
        return float(np.exp(np.interp(np.log(params), *known)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """What a design would take.

    Attributes:
        runs: One row a run: design, run_id, params, tokens, flops, own_flops, learning_rate, hours, usd.
            own_flops is what the run takes itself, of a branch the part after it left its trunk, or all of
            it if there is no trunk; hours and usd are NaN where no speed or price is known.
        dropped: Sizes that an IsoFLOP budget has no run for.
        speed: None if none is known.
    """

    runs: pd.DataFrame
    dropped: tuple[Dropped, ...]
    speed: Speed | None

    def describe(self) -> str:
        """The totals in words, and what was dropped."""
        flops, hours, usd = (float(self.runs[name].sum()) for name in ("own_flops", "hours", "usd"))
        parts = [f"{len(self.runs)} runs", f"{show_power(flops)} FLOP, trunks once"]
        if self.speed is not None:
            parts += [f"{show_seconds(hours * _HOUR)} on one worker ({self.speed.found})"]
        if self.runs["usd"].notna().any():
            parts += [f"{usd:,.2f} USD"]
        if self.speed is None:
            parts += ["hours unknown: no run of the study has been timed; state --flops-per-second"]
        lines = [
            f"Dropped: {show_count(one.params)} parameters at {show_power(one.flops)} FLOP. {one.reason}"
            for one in self.dropped
        ]
        return "\n".join(["; ".join(parts) + ".", *lines])


def estimate(
    design: Design,
    runs: Runs | None = None,
    *,
    flops_per_second: float | None = None,
    usd_per_hour: float | None = None,
) -> Estimate:
    """What every run of a design would take, those that are made included.

    Args:
        runs: Earlier runs; those that were timed say how fast one worker is, by size.
        flops_per_second: In their place, of one worker at any size.
        usd_per_hour: Price of one worker.

    Raises:
        InputError: If a rate is not above zero, or a price has no speed to go by.
    """
    for name, value in (("flops_per_second", flops_per_second), ("usd_per_hour", usd_per_hour)):
        if value is not None and not value > 0:
            raise InputError(f"{name} must be above zero, not {value:g}.")
    speed = measured_speed(runs) if flops_per_second is None else _stated(flops_per_second)
    if usd_per_hour is not None and speed is None:
        raise InputError(
            "A price per hour needs hours: no run of the study has been timed, so state flops_per_second too."
        )
    planned = {one.recipe.run_id: one for one in design.outline()}
    there = planned.keys() | _made(runs)
    rows = [_row(one, _own_tokens(one, there), speed, usd_per_hour) for one in planned.values()]
    return Estimate(
        runs=pd.DataFrame(rows, columns=_COLUMNS),
        dropped=tuple(design.dropped()) if isinstance(design, IsoFlop) else (),
        speed=speed,
    )


def measured_speed(runs: Runs | None) -> Speed | None:
    """The median speed of the runs of each size that were timed; None if there are none."""
    needed = {"params", "flops_per_second", "status"}
    if runs is None or not needed <= set(runs.table.columns):
        return None
    timed = runs.table[(runs.table["status"] == "done") & (runs.table["flops_per_second"] > 0)]
    if timed.empty:
        return None
    by_size = timed.groupby("params")["flops_per_second"].median().sort_index()
    return Speed(
        params=by_size.index.to_numpy(dtype=np.float64),
        flops_per_second=by_size.to_numpy(dtype=np.float64),
        found=f"as fast as {len(timed)} earlier runs",
    )


_COLUMNS = ["design", "run_id", "params", "tokens", "flops", "own_flops", "learning_rate", "hours", "usd"]


def _stated(flops_per_second: float) -> Speed:
    found = f"at the stated {show_power(flops_per_second)} FLOP/s"
    return Speed(params=np.ones(1), flops_per_second=np.array([flops_per_second]), found=found)


def _made(runs: Runs | None) -> set[str]:
    return set() if runs is None or "run_id" not in runs.table.columns else set(runs.table["run_id"])


def _own_tokens(planned: Planned, there: Collection[str]) -> int:
    """A branch whose trunk is neither made nor asked for is trained straight."""
    parent = planned.recipe.parent
    return planned.own_tokens if not parent or parent in there else planned.recipe.tokens


def _row(
    planned: Planned, own_tokens: int, speed: Speed | None, usd_per_hour: float | None
) -> dict[str, object]:
    recipe = planned.recipe
    hours = _hours(recipe, own_tokens, speed)
    return {
        "design": planned.design,
        "run_id": recipe.run_id,
        "params": recipe.architecture.params(),
        "tokens": recipe.tokens,
        "flops": recipe.flops(),
        "own_flops": recipe.architecture.flops_per_token("matmul") * own_tokens,
        "learning_rate": recipe.optimizer.learning_rate,
        "hours": hours,
        "usd": np.nan if usd_per_hour is None else hours * usd_per_hour,
    }


def _hours(recipe: Recipe, own_tokens: int, speed: Speed | None) -> float:
    if speed is None:
        return float("nan")
    shape = recipe.architecture
    flops = shape.flops_per_token("with_attention") * own_tokens
    return flops / speed.at(shape.params()) / _HOUR
