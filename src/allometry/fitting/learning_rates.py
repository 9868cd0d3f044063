"""Where the best learning rate lies at each width, and how it moves from one width to the next."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from allometry.errors import FitError
from allometry.runs.run import Runs

_COLUMNS = ["width", "learning_rate", "low", "high", "loss", "edge"]


def best_rates(runs: Runs) -> pd.DataFrame:
    """The best learning rate of each width, in the interval that the rates tried around it leave open.

    Losses of several seeds are averaged first; a rate at which any of them diverged is no candidate. Between
    the lowest rate tried and its neighbours, the minimum of the parabola through the three, in the log of the
    rate. Where the lowest is the first or the last rate tried, no minimum was seen: the table says "edge".

    Args:
        runs: With width, learning_rate, loss and status; alike in all else but the seed.

    Returns:
        One row a width: `width`, `learning_rate` (the minimum, or the rate at the edge), `low` and `high`
        (the neighbouring rates tried; NaN on the side where none was), `loss` (lowest, nat/token), `edge`.

    Raises:
        MissingColumn: If one of these columns is missing.
        FitError: If no run of a width has a loss.

    >>> rates = [0.01, 0.02, 0.04]
    >>> runs = Runs(pd.DataFrame({"width": 16, "learning_rate": rates, "loss": [3.2, 3.0, 3.2]}))
    >>> best_rates(runs)[["learning_rate", "low", "high", "edge"]].round(6).values.tolist()
    [[0.02, 0.01, 0.04, False]]
    """
    tried = mean_losses(runs)
    return pd.DataFrame([_best(width, rows) for width, rows in tried.groupby("width")], columns=_COLUMNS)


def rate_drift(best: pd.DataFrame) -> float:
    """The power of the width that the best rate follows: 0 where it transfers.

    Args:
        best: From `best_rates`. An edge bounds the minimum on one side only; it counts as it stands.

    Raises:
        FitError: For less than two widths.

    >>> round(rate_drift(pd.DataFrame({"width": [16, 64], "learning_rate": [0.04, 0.01]})), 3)
    -1.0
    """
    if len(best) < 2:
        raise FitError(f"How the best rate moves with the width needs two widths or more, not {len(best)}.")
    return float(np.polyfit(np.log(best["width"]), np.log(best["learning_rate"]), 1)[0])


def describe_rates(best: pd.DataFrame) -> str:
    """A line a width, and how the best rate moves from one to the next.

    Args:
        best: From `best_rates`.

    >>> found = {"learning_rate": [0.04, 0.01], "low": [0.02, math.nan], "high": [0.08, 0.02]}
    >>> best = pd.DataFrame({"width": [16, 64], **found, "loss": [3.2, 3.0], "edge": [False, True]})
    >>> print(describe_rates(best))
    width 16: lowest loss 3.2000 nat/token, best rate 0.04 (0.02 to 0.08)
    width 64: lowest loss 3.0000 nat/token, best rate 0.01, an end of those tried: try lower ones
    How the best rate goes with the width was not seen: at 1 of 2 widths it is at an end of those tried.
    """
    lines = [
        f"width {row['width']}: lowest loss {row['loss']:.4f} nat/token, "
        f"best rate {row['learning_rate']:.3g}{_reach(row)}"
        for row in best.to_dict("records")
    ]
    return "\n".join(lines + ([_moves(best)] if len(best) > 1 else []))


def _moves(best: pd.DataFrame) -> str:
    if best["edge"].any():
        return (
            f"How the best rate goes with the width was not seen: at {best['edge'].sum()} of {len(best)} "
            f"widths it is at an end of those tried."
        )
    return f"The best rate goes as width^{rate_drift(best):.2f}."


def _reach(row: dict[Hashable, Any]) -> str:
    if not row["edge"]:
        return f" ({row['low']:.3g} to {row['high']:.3g})"
    ways = [way for way, end in (("lower", row["low"]), ("higher", row["high"])) if math.isnan(end)]
    return f", an end of those tried: try {' and '.join(ways)} ones"


def mean_losses(runs: Runs) -> pd.DataFrame:
    """Mean loss over the seeds: columns `width`, `learning_rate`, `loss`, in the order of both.

    Where a seed diverged the loss is NaN: a mean over those that are left would favour high rates.
    """
    table = pd.DataFrame({name: runs.column(name) for name in ("width", "learning_rate", "loss")})
    if "status" in runs.table.columns:
        done = (runs.table["status"] == "done").to_numpy()
        table["loss"] = table["loss"].where(done)
    rows = table.groupby(["width", "learning_rate"])["loss"]
    return rows.agg(lambda losses: losses.mean(skipna=False)).reset_index()


def _best(width: Any, rows: pd.DataFrame) -> dict[str, Any]:
    rates, losses = rows["learning_rate"].to_numpy(), rows["loss"].to_numpy()
    if np.isnan(losses).all():
        raise FitError(
            f"No run of width {width:g} has a loss at any learning rate; try lower ones, "
            f"or train them to the end."
        )
    place = int(np.nanargmin(losses))
    found = {"width": int(width), "learning_rate": float(rates[place]), "loss": float(losses[place])}
    low = float(rates[place - 1]) if place > 0 else math.nan
    high = float(rates[place + 1]) if place + 1 < len(rates) else math.nan
    edge = math.isnan(low) or math.isnan(high)
    if not edge:
        around = slice(place - 1, place + 2)
        found["learning_rate"] = _vertex(rates[around], losses[around])
    return {**found, "low": low, "high": high, "edge": edge}


def _vertex(rates: np.ndarray, losses: np.ndarray) -> float:
    """Minimum of the parabola through three points in the log of the rate; the middle one if one diverged."""
    if not np.isfinite(losses).all() or losses[0] == losses[1] == losses[2]:
        return float(rates[1])
    x = np.log(rates / rates[1])
    curvature, slope, _ = np.polyfit(x, losses, 2)
    return float(rates[1] * math.exp(-slope / (2 * curvature)))
