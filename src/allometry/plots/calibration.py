"""A track record: how often outcomes fell below what forecasts said, against how often they should have."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from scipy.special import betaincinv

from allometry.forecasts.calibration import Calibration
from allometry.plots import marks
from allometry.plots.theme import BLUE, MUTED, counted, finish

_BAND = (0.05, 0.95)
_TIPS = {"study": "study", "target": "run", "pit": "probability given to less", "outcome": "measured"}


def calibration_chart(calibration: Calibration) -> alt.LayerChart:
    """The probability each forecast gave to an outcome as low as the one that came, in order.

    Right forecasts lie along the diagonal; the band holds nine in ten points of such forecasts. Points that
    climb at the left and right edges mean intervals too narrow, points gathered in the middle too wide ones.
    """
    table = calibration.scores.dropna(subset=["pit"]).sort_values("pit")
    places = pd.DataFrame({
        "study": table["study"], "target": table["target"], "outcome": table["outcome"],
        "pit": table["pit"], "share": (np.arange(len(table)) + 0.5) / max(len(table), 1),
    })  # fmt: skip
    x, y = (
        _axis("pit", "probability the forecast gave to a lower outcome"),
        _axis("share", "share of outcomes"),
    )
    across, up = alt.X(**x), alt.Y(**y)
    band = _expected(len(places))
    return finish(
        [
            *marks.band(band, x=across, low=alt.Y(**{**y, "shorthand": "low:Q"}), high="high", color=MUTED),
            *marks.lines(pd.DataFrame({"pit": [0, 1], "share": [0, 1]}), x=across, y=up, color=MUTED,
                         strokeDash=[6, 4]),
            *marks.dots(places, x=across, y=up, color=BLUE, tips=_TIPS),
        ],
        title=_title(calibration),
        subtitle=[
            f"{counted(len(places), 'forecast')} with an outcome. Dashed: as promised.",
            "Grey: where nine in ten points of right forecasts lie.",
        ],
        description=calibration.summary(),
    )  # fmt: skip


def _axis(field: str, title: str) -> dict[str, Any]:
    scale, ticks = alt.Scale(domain=[0, 1]), [0, 0.25, 0.5, 0.75, 1]
    return {
        "shorthand": f"{field}:Q", "title": title, "scale": scale, "axis": alt.Axis(values=ticks, format="%"),
    }  # fmt: skip


def _expected(count: int) -> pd.DataFrame:
    """Order statistics of a uniform distribution: the k-th of n is Beta(k, n + 1 - k)."""
    rank = np.arange(1, count + 1)
    low, high = (betaincinv(rank, count + 1 - rank, p) for p in _BAND)
    # As a band of shares around a probability: mirrored at the diagonal.
    grid, share = np.linspace(0, 1, 41), (rank - 0.5) / max(count, 1)
    if count < 2:
        return pd.DataFrame({"pit": grid, "low": 0.0, "high": 1.0})
    below, above = np.interp(grid, high, share, left=0.0), np.interp(grid, low, share, right=1.0)
    return pd.DataFrame({"pit": grid, "low": below, "high": above})


def _title(calibration: Calibration) -> str:
    for one in calibration.coverage:
        if one.level == 0.9:
            return f"90% intervals held {one.inside} of {counted(one.total, 'outcome')}"
    return "No forecast stated a 90% interval"
