"""What a fit says: slices through the law, predicted against measured, residuals, the exponents' cloud."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError, did_you_mean
from allometry.fitting.result import Fit, middle
from allometry.plots import axes, frames, marks
from allometry.plots.theme import BLUE, MUTED, counted, finish, sizes_colour

Array = NDArray[np.float64]

_LINE_POINTS = 40
_BEYOND = 2.0  # lines go on to this factor beyond the runs: what the law adds to the data is seen there
_CLOUD_TAILS = 0.01  # of the draws at each side of a cloud that are not shown, so that the rest is seen
_TIPS = {"run_id": "run", "measured": "measured", "fitted": "by the law", "percent": "difference (%)"}


def law_slices(fit: Fit, along: str = "", level: float = 0.9) -> alt.LayerChart:
    """The law as curves through the runs: loss against one input, one curve for each level of another.

    Args:
        along: The column on the x axis; the law's last input if none is given.
        level: Share of the draws inside the shaded bands; without draws there are none.

    Raises:
        InputError: If the fit does not read that column.
    """
    along = along or list(fit.inputs.values())[-1]
    _require_input(fit, along)
    frame, other = _sliced(fit, along)
    lines = _slice_lines(fit, frame, along, other, level)
    across = axes.log_axis(along, lines["x"], axes.title(along, conventions=fit.conventions), pad=0.03).x()
    loss = axes.loss_axis(fit.output, fit.unit, [*frame["value"], *lines["value"]])
    colour = sizes_colour(
        frames.labels(frame["level"].to_numpy()), axes.title(other) if other else fit.law.name
    )
    tips = {"run_id": "run", "x": axes.words(along), "value": "measured"}
    return finish(
        [
            *marks.band(lines, x=across, low=loss.y("low"), high="high", color=colour),
            *marks.lines(lines, x=across, y=loss.y(), color=colour),
            *marks.dots(frames.sampled(frame, "x", "value"), x=across, y=loss.y(), color=colour, tips=tips),
        ],
        title=f"The law through the runs, along {axes.words(along)}",
        subtitle=[
            f"{fit.law.name}, {counted(len(frame), 'fitted run')}; lines go on to {_BEYOND:g}× beyond them.",
            f"{_band_words(fit, level)}{frames.sample_words(frame)}",
        ],
        description=f"Curves of {fit.law.name} and its {len(frame)} runs against {axes.words(along)}.",
    )


def predicted_against_measured(fit: Fit) -> alt.LayerChart:
    """Each fitted run at its measured and its fitted value; the diagonal is a perfect description."""
    frame = _residual_frame(fit)
    both = [*frame["measured"], *frame["fitted"]]
    across = axes.loss_axis(fit.output, fit.unit, both, said="fitted").x("fitted")
    up = axes.loss_axis(fit.output, fit.unit, both, said="measured").y("measured")
    diagonal = pd.DataFrame({"fitted": axes.span(both), "measured": axes.span(both)})
    spread = float(np.sqrt(np.mean(frame["percent"] ** 2)))
    return finish(
        [
            *marks.lines(diagonal, x=across, y=up, color=MUTED, strokeDash=[6, 4]),
            *marks.dots(_drawn(frame), x=across, y=up, color=BLUE, opacity=0.85, tips=_TIPS),
        ],
        title="Measured against fitted: on the dashed line the law is exact",
        subtitle=[
            f"{fit.law.name}, {counted(len(frame), 'fitted run')}; root mean square distance {spread:.2g}%.",
            frames.sample_words(frame).strip(),
        ],
        description=f"{len(frame)} runs near the diagonal; root mean square distance {spread:.2g} percent.",
    )


def residuals(fit: Fit, along: str = "") -> alt.LayerChart:
    """How far each run lies from the law, in percent, along an input, "flops" or "order".

    A pattern, such as a bow or a slope, says that the law bends where the runs do not.

    Args:
        along: The column on the x axis; the law's first input if none is given.
    """
    along = along or next(iter(fit.inputs.values()))
    frame = _residual_frame(fit).assign(x=_along(fit, along))
    across = _along_axis(fit, along, frame["x"]).x()
    most = 1.15 * float(np.abs(frame["percent"]).max() or 1.0)
    left = axes.plain_axis([-most, most], "measured minus fitted (%)")
    return finish(
        [
            *marks.level_line(0.0, left.y()),
            *marks.dots(
                _drawn(frame, "x"), x=across, y=left.y("percent"), color=BLUE, opacity=0.85, tips=_TIPS
            ),
        ],
        title=f"Residuals along {_along_words(along)}",
        subtitle=[
            f"{fit.law.name}, {counted(len(frame), 'fitted run')}; above zero: worse than the law.",
            frames.sample_words(frame).strip(),
        ],
        description=f"Residuals of {len(frame)} runs in percent along {_along_words(along)}.",
    )


def exponent_cloud(fit: Fit, first: str = "", second: str = "", level: float = 0.9) -> alt.LayerChart:
    """The draws of two coefficients, with the fitted values and their intervals as a cross.

    Args:
        first, second: Coefficients; the law's first two open exponents if none are given, and where it has
            fewer, other open coefficients.

    Raises:
        InputError: If the fit has no draws, or fewer than two open coefficients.
    """
    if fit.draws is None:
        raise InputError(f"There are no draws of '{fit.law.name}' to show; make them with bootstrap(fit).")
    names = (first, second) if first and second else _exponents(fit)
    draws = fit.draws[list(names)].set_axis(["x", "y"], axis=1).astype(float)
    ends = dict(zip(("left", "right"), fit.interval(names[0], level), strict=True))
    ends |= dict(zip(("bottom", "top"), fit.interval(names[1], level), strict=True))
    at = pd.DataFrame({"x": [fit.coefficients[names[0]]], "y": [fit.coefficients[names[1]]], **ends})
    right, up = (
        _cloud_axis(draws[field], at[field], _called(fit, name))
        for field, name in zip("xy", names, strict=True)
    )
    return finish(
        [
            *marks.dots(draws, x=right.x(), y=up.y("y"), color=BLUE, size=20, opacity=0.3, clip=True),
            *marks.bars(at, x=right.x("left"), x2="right", y=up.y("y")),
            *marks.bars(at, x=right.x(), y=up.y("bottom"), y2="top"),
            *marks.diamonds(at, x=right.x(), y=up.y("y")),
        ],
        title=f"How well the runs determine {names[0]} and {names[1]}",
        subtitle=[
            f"{counted(len(draws), 'draw')} from {counted(len(fit.data), 'run')}, the outermost not shown.",
            f"Diamond: the fit; bars: {100 * level:g}% of the draws of each.",
        ],
        description=f"Cloud of {len(draws)} draws of {names[0]} and {names[1]} with the fitted point.",
    )


def _require_input(fit: Fit, column: str) -> None:
    columns = tuple(fit.inputs.values())
    if column not in columns:
        near = did_you_mean(column, columns)
        raise InputError(f"This fit of '{fit.law.name}' reads {', '.join(columns)}, not '{column}'.{near}")


def _sliced(fit: Fit, along: str) -> tuple[pd.DataFrame, str]:
    """The fitted runs, and the other input by which they are told apart; "" if there is none."""
    columns = {column: fit.data.inputs[name] for name, column in fit.inputs.items()}
    other = next((column for column in columns if column != along), "")
    frame = pd.DataFrame({"run_id": fit.data.run_ids, "x": columns[along], "value": fit.data.output})
    level = frames.bands(columns[other]) if other else np.ones(len(frame))
    return frame.assign(level=level, series=frames.labelled(level)), other


def _slice_lines(fit: Fit, frame: pd.DataFrame, along: str, other: str, level: float) -> pd.DataFrame:
    low, high = axes.span(frame["x"])
    x = np.geomspace(low, _BEYOND * high, _LINE_POINTS)
    lines = []
    for value in np.unique(frame["level"].to_numpy()):
        inputs = {name: _held(fit, name, along, other, x, float(value)) for name in fit.inputs}
        lower, upper = coefficient_band(fit, inputs, level)
        middle = fit.law.evaluate(inputs, fit.coefficients)
        series = frame["series"][frame["level"] == value].iloc[0]
        lines.append(pd.DataFrame({"series": series, "x": x, "value": middle, "low": lower, "high": upper}))
    return pd.concat(lines, ignore_index=True)


def coefficient_band(fit: Fit, inputs: dict[str, Array], level: float) -> tuple[Array, Array]:
    """Where the middle `level` of the draws puts the law, of shape (points,); NaN without draws."""
    if fit.draws is None:
        nothing = np.full_like(next(iter(inputs.values())), np.nan)
        return nothing, nothing
    drawn = {name: fit.draws[name].to_numpy(dtype=np.float64)[:, None] for name in fit.law.names}
    return middle(fit.law.evaluate(inputs, drawn), level, axis=0)


def _held(fit: Fit, name: str, along: str, other: str, x: Array, value: float) -> Array:
    """One input along a slice: the x axis itself, the slice's level, or the middle of the runs."""
    column = fit.inputs[name]
    if column == along:
        return x
    return np.full_like(x, value if column == other else float(np.median(fit.data.inputs[name])))


def _residual_frame(fit: Fit) -> pd.DataFrame:
    fitted = np.broadcast_to(fit.law.evaluate(fit.data.inputs, fit.coefficients), (len(fit.data),))
    percent = 100 * (fit.data.output / fitted - 1)
    values = {"measured": fit.data.output, "fitted": fitted, "percent": percent}
    return pd.DataFrame({"run_id": fit.data.run_ids, **values})


def _drawn(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The residuals that are drawn; the largest always are."""
    return frames.sampled(frame, "measured", "fitted", "percent", *columns)


def _along(fit: Fit, column: str) -> Array:
    columns = {named: fit.data.inputs[name] for name, named in fit.inputs.items()}
    if column == "order":
        return np.arange(1.0, len(fit.data) + 1)
    if column == "flops" and "flops" not in columns and {"params", "tokens"} <= columns.keys():
        return np.asarray(6 * columns["params"] * columns["tokens"])
    _require_input(fit, column)
    return np.asarray(columns[column])


def _along_axis(fit: Fit, column: str, values: pd.Series[float]) -> axes.Axis:
    if column == "order":
        return axes.plain_axis([0, len(values) + 1], "place in the table of runs")
    reads_flops = "flops" in fit.inputs.values()
    conventions = fit.conventions if reads_flops else {**fit.conventions, "flops_convention": "6ND"}
    return axes.log_axis(column, values, axes.title(column, conventions=conventions), most=6)


def _along_words(column: str) -> str:
    return "the order of the runs" if column == "order" else axes.words(column)


def _exponents(fit: Fit) -> tuple[str, str]:
    exponents = [c.name for c in fit.law.coefficients if c.unit == "1" and c.name in fit.open]
    names = [*exponents, *(name for name in fit.open if name not in exponents)]
    if len(names) < 2:
        raise InputError(f"This fit of '{fit.law.name}' has one open coefficient; a cloud needs two.")
    return names[0], names[1]


def _called(fit: Fit, name: str) -> str:
    meaning = next(c.meaning for c in fit.law.coefficients if c.name == name)
    return f"{name}: {meaning.partition(':')[0].partition(';')[0]}"


def _cloud_axis(draws: pd.Series[float], at: pd.Series[float], text: str) -> axes.Axis:
    inner = np.quantile(draws, (_CLOUD_TAILS, 1 - _CLOUD_TAILS))
    return axes.plain_axis([*inner, float(at.iloc[0])], text)


def _band_words(fit: Fit, level: float) -> str:
    if fit.draws is None:
        return "No bands because the fit has no draws."
    return f"Shaded: {100 * level:g}% of the draws of the coefficients, without the noise of a single run."
