"""A forecast as it was stated, the runs it came from, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.result import Fit, Forecast
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, INK, MUTED, ORANGE, counted, finish

Array = NDArray[np.float64]

# Widest first, so that the narrow ones lie on top: label, lower and upper probability, width of the bar.
FAN = (("95%", 0.025, 0.975, 8), ("90%", 0.05, 0.95, 14), ("80%", 0.1, 0.9, 20), ("50%", 0.25, 0.75, 26))
_PATH_POINTS = 24
_AFTER = 1.35  # the path goes on to this factor of the x axis beyond the forecast


def forecast_and_outcome(
    forecast: Forecast, fit: Fit | None = None, *, outcome: float | None = None
) -> alt.LayerChart:
    """A forecast with its nested intervals, the fitted runs, and the measured outcome as a star.

    The fan is the fit's own forecast on the straight path, in logarithms, from the nearest fitted run to the
    target. The bars at the target are the quantiles as they were stated.

    Args:
        fit: The fit the forecast came from; without it only the forecast is shown.
        outcome: What the run measured, in the forecast's unit; None if it has not been run.
    """
    column, at = _place(forecast)
    path = pd.DataFrame({"x": []}) if fit is None else _path(fit, forecast, column)
    runs = pd.DataFrame({"x": []}) if fit is None else _fitted_runs(fit, column)
    stated = _stated(forecast, at)
    measured = pd.DataFrame({"x": [at], "value": [outcome]}).dropna()
    median = pd.DataFrame({"x": [at], "value": [forecast.median]})
    text = axes.title(column, conventions={"flops_convention": "6ND"} if _by_size(forecast) else {})
    across = axes.log_axis(column, [at, *path["x"], *runs["x"]], text, pad=0.04).x()
    shown = _values(path, runs, stated, measured, median)
    loss = axes.loss_axis(forecast.output, forecast.unit, shown, pad=0.06)
    return finish(
        [
            *_fan_layers(path, across, loss),
            *marks.dots(runs, x=across, y=loss.y(), color=MUTED, tips={"run_id": "run", "value": "measured"}),
            *_stated_layers(stated, across, loss),
            *marks.rings(
                median, x=across, y=loss.y(), shape="stroke", size=1100, color=INK, tips={"value": "forecast"}
            ),
            *marks.stars(measured, x=across, y=loss.y(), color=ORANGE, size=340, tips={"value": "measured"}),
        ],
        title=_title(forecast, outcome),
        subtitle=_subtitle(forecast, runs, outcome),
        description=_description(forecast, outcome),
    )


def _by_size(forecast: Forecast) -> bool:
    return {"params", "tokens"} <= forecast.inputs.keys() and "flops" not in forecast.inputs


def _place(forecast: Forecast) -> tuple[str, float]:
    """The x axis: compute where the law reads params and tokens, else its first input."""
    if _by_size(forecast):
        return "flops", 6 * forecast.inputs["params"] * forecast.inputs["tokens"]
    column = "flops" if "flops" in forecast.inputs else next(iter(forecast.inputs))
    return column, forecast.inputs[column]


def _x_of(inputs: dict[str, Array], column: str) -> Array:
    return inputs[column] if column in inputs else np.asarray(6 * inputs["params"] * inputs["tokens"])


def _columns(fit: Fit) -> dict[str, Array]:
    return {column: fit.data.inputs[name] for name, column in fit.inputs.items()}


def _fitted_runs(fit: Fit, column: str) -> pd.DataFrame:
    x = _x_of(_columns(fit), column)
    return pd.DataFrame({"run_id": fit.data.run_ids, "x": x, "value": fit.data.output})


def _path(fit: Fit, forecast: Forecast, column: str) -> pd.DataFrame:
    """Quantiles along the line through the nearest fitted run and the target, within the range of both."""
    points = []
    for inputs in _steps(_columns(fit), forecast.inputs, column):
        made = fit.predict(**inputs)
        x = _x_of({name: np.asarray(value) for name, value in inputs.items()}, column)
        points.append({"x": float(x), "median": made.median, **_named(made.quantiles)})
    return pd.DataFrame(points)


def _steps(fitted: dict[str, Array], target: Mapping[str, float], column: str) -> list[dict[str, float]]:
    logs = {name: np.log(values) for name, values in fitted.items()}
    end = {name: math.log(target[name]) for name in logs}
    nearest = int(np.argmin(sum((logs[name] - end[name]) ** 2 for name in logs)))
    step = {name: end[name] - float(logs[name][nearest]) for name in logs}
    if max(abs(change) for change in step.values()) < 1e-9:
        step = dict.fromkeys(logs, 1.0)  # the target was fitted itself: any direction will do
    back = min(_room(end[name], float(logs[name].min()), step[name]) for name in logs)
    rise = step[column] if column in step else sum(step.values())
    ahead = math.log(_AFTER) / max(abs(rise), 1e-2)
    places = np.linspace(-back if math.isfinite(back) else -1.0, ahead, _PATH_POINTS)
    return [{name: math.exp(end[name] + place * step[name]) for name in logs} for place in places]


def _room(target: float, least: float, step: float) -> float:
    """How many steps back from the target until an input falls below the smallest fitted one."""
    return max((target - least) / step, 1.0) if step > 1e-9 else math.inf


def _named(quantiles: Mapping[float, float]) -> dict[str, float]:
    return {_key(probability): value for probability, value in quantiles.items()}


def _stated(forecast: Forecast, at: float) -> pd.DataFrame:
    q = forecast.quantiles
    known = [(label, q[low], q[high], width) for label, low, high, width in FAN if low in q and high in q]
    if not known and math.isfinite(forecast.low):
        known = [(f"{100 * forecast.level:g}%", forecast.low, forecast.high, 14)]
    return pd.DataFrame(known, columns=["interval", "low", "high", "width"]).assign(x=at)


def _values(*tables: pd.DataFrame) -> list[float]:
    shown = ("value", "low", "high", "median", "q0_05", "q0_95")
    return [
        float(value) for table in tables for name in shown if name in table.columns for value in table[name]
    ]


def _fan_layers(path: pd.DataFrame, across: alt.X, loss: axes.Axis) -> marks.Layers:
    if path.empty:
        return []
    names = [(_key(low), _key(high)) for _, low, high, _ in FAN]
    fan = [
        layer
        for low, high in names
        if low in path.columns
        for layer in marks.band(path, x=across, low=loss.y(low), high=high, color=BLUE, opacity=0.09)
    ]
    return [*fan, *marks.lines(path, x=across, y=loss.y("median"), color=BLUE)]


def _key(probability: float) -> str:
    # Vega reads a point in a field's name as a path.
    return f"q{probability}".replace(".", "_")


def _stated_layers(stated: pd.DataFrame, across: alt.X, loss: axes.Axis) -> marks.Layers:
    return [
        layer
        for place in range(len(stated))
        for layer in marks.bars(
            stated.iloc[[place]], x=across, y=loss.y("low"), y2="high", color=BLUE, opacity=0.3,
            strokeWidth=int(stated["width"].iloc[place]),
        )
    ]  # fmt: skip


def _title(forecast: Forecast, outcome: float | None) -> str:
    said = f"Forecast {forecast.median:.3f}"
    unit = f" {forecast.unit}" if forecast.unit else ""
    return f"{said}{unit}, no outcome yet" if outcome is None else f"{said}, measured {outcome:.3f}{unit}"


def _subtitle(forecast: Forecast, runs: pd.DataFrame, outcome: float | None) -> list[str]:
    grey = f"Grey: {counted(len(runs), 'fitted run')}. Blue: the law on the way to the target, 50 to 95%."
    bars = (
        "50, 80, 90 and 95% bars"
        if forecast.quantiles
        else f"no interval because {forecast.no_interval_because}"
    )
    star = ". Star: measured." if outcome is not None else "."
    return [grey if len(runs) else "", f"At the target: the forecast as stated (line), {bars}{star}"]


def _description(forecast: Forecast, outcome: float | None) -> str:
    interval = f"{100 * forecast.level:g}% interval {forecast.low:.4f} to {forecast.high:.4f}"
    found = "no outcome yet" if outcome is None else f"measured {outcome:.4f}"
    return f"Forecast {forecast.median:.4f} {forecast.unit}, {interval}; {found}."
