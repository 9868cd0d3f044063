"""Capability against compute within each family, and compute on the scale of a reference family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FEWEST = 2  # models of a family with compute: two places on a line


def family_lines(table: pd.DataFrame, components: int) -> pd.DataFrame:
    """The line of each component against log compute, family by family, by least squares.

    Args:
        table: Models with family, flops and pc1, pc2 …; those without compute are left aside.

    Returns:
        family, component, slope (per factor e of compute), intercept, models, r2 (NaN for two models).

    Source:
        Ruan et al. 2024, eq. 4, arXiv:2405.10938.

    >>> models = pd.DataFrame({"family": ["a"] * 3, "flops": np.exp([1.0, 2, 3]), "pc1": [0.5, 1.0, 1.5]})
    >>> family_lines(models, 1)[["slope", "intercept", "r2"]].round(6).values.tolist()
    [[0.5, 0.0, 1.0]]
    """
    rows = []
    known = table[table["flops"] > 0]
    for name, group in known.groupby("family", sort=True):
        for number in range(1, components + 1):
            usable = group.dropna(subset=[f"pc{number}"])
            if usable["flops"].nunique() >= _FEWEST:
                line = _line(np.log(usable["flops"].to_numpy()), usable[f"pc{number}"].to_numpy())
                rows.append({"family": name, "component": number, **line, "models": len(usable)})
    return pd.DataFrame(rows, columns=["family", "component", "slope", "intercept", "r2", "models"])


def equivalent_flops(lines: pd.DataFrame, reference: str, first: Array) -> Array:
    """Compute that the reference family would need for a first component, by its line; FLOP."""
    (line,) = lines[(lines["family"] == reference) & (lines["component"] == 1)].to_dict("records")
    with np.errstate(over="ignore"):
        return np.asarray(np.exp((first - line["intercept"]) / line["slope"]))


def _line(x: Array, y: Array) -> dict[str, float]:
    slope, intercept = np.polyfit(x - x.mean(), y, 1)
    left = float(np.sum((y - intercept - slope * (x - x.mean())) ** 2))
    spread = float(np.sum((y - y.mean()) ** 2))
    r2 = 1 - left / spread if len(x) > _FEWEST and spread > 0 else float("nan")
    return {"slope": float(slope), "intercept": float(intercept - slope * x.mean()), "r2": r2}
