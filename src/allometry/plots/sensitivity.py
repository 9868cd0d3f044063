"""What would change the answer: the forecast by floor, and any number by objective, counting or run left out.

Each chart shows a table of `allometry.fitting.sensitivity` beside the fit's own interval: a choice matters
where it moves a number further than the noise of the runs does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.errors import InputError
from allometry.fitting.likelihood import allowed_rise
from allometry.fitting.result import Fit
from allometry.fitting.sensitivity import ahead
from allometry.plots import axes, marks
from allometry.plots.fits import coefficient_band
from allometry.plots.theme import BLUE, counted, finish, rows
from allometry.units import show_count, show_power

Array = NDArray[np.float64]
Place = Mapping[str, float]

LEVELS = (
    0.5,
    0.9,
    0.99,
)  # of the floors that the runs allow; the middle one is the interval quoted elsewhere
_SHOWN_RISE = 4.0  # times what the widest level allows: floors that are worse by more are left out
_CALLED = {
    "lad": "absolute residuals",
    "least_squares": "squared residuals",
    "params_total": "all parameters",
    "params_matmul": "in matrix products",
    "params_active": "active parameters",
    "non_embedding": "without embeddings",
    "flops": "FLOP as stated",
}
_WIDE = {"huber": "Huber", "lower_envelope": "lower envelope"}
_PLACES = {"params": "parameters", "tokens": "tokens", "flops": "FLOP"}


def forecast_by_floor(fit: Fit, table: pd.DataFrame, at: Place | None = None) -> alt.LayerChart:
    """The forecast against the floor it assumes; shaded, the floors that the runs do not speak against.

    Args:
        table: Of `by_floor(fit, at)`; many points make the shaded edges sharp.
        at: Where the forecast is, by the law's own names; as in `by_floor` if not given.

    Raises:
        FitError: If the runs leave nothing to judge noise by, so that nothing can be shaded.
    """
    shown = _near_floors(fit, table)
    shades = _shades(fit, shown)
    line = shown.assign(x=shown["E"], value=shown["forecast"], percent=100 * shown["rise"])
    best = line[line["objective_value"] == line["objective_value"].min()]
    across = axes.plain_axis(line["x"], f"floor E that is held ({fit.unit})", ticks=5)
    up = axes.plain_axis(line["value"], _forecast_title(fit), ticks=5)
    tips = {"x": "floor E", "value": "forecast", "percent": "objective above the best (%)"}
    return finish(
        [
            *_bands(shades, across),
            *marks.lines(line, x=across.x(), y=up.y(), color=BLUE),
            *marks.dots(_few(line), x=across.x(), y=up.y(), color=BLUE, size=35, tips=tips),
            *marks.diamonds(best, x=across.x(), y=up.y()),
        ],
        title="What the forecast would be under other floors",
        subtitle=[
            f"{place_words(fit, at)}. Diamond: as fitted.",
            f"Shaded: floors that the runs allow at {_levels()}, darkest first.",
        ],
        description=floor_words(fit, shown),
    )


def floor_words(fit: Fit, table: pd.DataFrame) -> str:
    """The range of floors that the runs allow at 90%, and of the forecasts under them, in one sentence."""
    allowed = table[table["objective_value"] <= fit.objective_value + allowed_rise(fit)]
    low, high = allowed["E"].min(), allowed["E"].max()
    ends = allowed.sort_values("E")["forecast"].iloc[[0, -1]].tolist()
    return (
        f"Floors E from {low:.3g} to {high:.3g} {fit.unit} describe the runs about equally well (90%); under "
        f"them the forecast goes from {ends[0]:.4g} to {ends[1]:.4g} {fit.unit}."
    )


def by_choice(
    fit: Fit, table: pd.DataFrame, quantity: str = "forecast", at: Place | None = None, level: float = 0.9
) -> alt.LayerChart:
    """A number as each choice has it: a dot a choice, beside the fit's own interval.

    Args:
        table: Of `by_objective(fit, at)` or `by_convention(fit)`; its first row is the fit as it is.
        quantity: "forecast" or a coefficient.
        at: Where the forecast is, as given to the table.
        level: Of the fit's own interval; without draws there is none.

    Raises:
        InputError: If the table has no such quantity.
    """
    choice = _require_quantity(table, quantity)
    names = [choice_words(str(name)) for name in table[choice]]
    dots = pd.DataFrame({"choice": names, "value": table[quantity]})
    low, high = own_interval(fit, quantity, at, level)
    own = pd.DataFrame({"low": [low], "high": [high]}).dropna()
    reach = [*dots["value"], *own["low"], *own["high"]]
    along = axes.plain_axis(reach, _quantity_title(fit, quantity), ticks=4)
    down = alt.Y("choice:N", sort=names, title=None, axis=alt.Axis(labelLimit=150))
    tips = {"choice": choice, "value": quantity}
    return finish(
        [
            *_bands(own.assign(opacity=0.14), along),
            *marks.dots(dots.iloc[1:], x=along.x("value"), y=down, color=BLUE, tips=tips),
            *marks.diamonds(dots.iloc[:1], x=along.x("value"), y=down),
        ],
        title=f"{_called(quantity)} by {_CHOICES[choice]}",
        subtitle=[
            _choice_place(fit, choice, quantity, at),
            f"Diamond: as fitted. {_shaded_words(fit, quantity, level)}",
        ],
        description=_range_words(dots, quantity, _CHOICES[choice]),
    )


def shift_by_run(fit: Fit, table: pd.DataFrame, coefficient: str = "", level: float = 0.9) -> alt.LayerChart:
    """How far a coefficient moves when each run is left out, along the runs' compute.

    Args:
        table: Of `influence(fit)`.
        coefficient: An open one; the exponent that moves most if none is given.

    Raises:
        InputError: If that coefficient is not open in the fit.
    """
    name = coefficient or most_moved(fit, table)
    if name not in fit.open:
        raise InputError(f"'{name}' is not open in this fit of '{fit.law.name}', so no run can move it.")
    value = fit.coefficients[name]
    dots = pd.DataFrame(
        {"run": table["run"], "percent": 100 * (table[name] / value - 1), "without": table[name]}
    )
    column, places = _size(fit)
    dots["x"] = places
    across = axes.log_axis(column, dots["x"], axes.title(column), most=6).x()
    ends = [100 * (end / value - 1) for end in own_interval(fit, name, None, level)]
    own = pd.DataFrame({"low": [ends[0]], "high": [ends[1]]}).dropna()
    up = axes.plain_axis([*dots["percent"], *own["low"], *own["high"], 0.0], f"change of {name} (%)")
    tips = {"run": "without run", "percent": f"change of {name} (%)", "without": name}
    return finish(
        [
            *_flat_band(own, up),
            *marks.level_line(0.0, up.y()),
            *marks.dots(dots, x=across, y=up.y("percent"), color=BLUE, opacity=0.85, tips=tips),
        ],
        title=f"How {name} moves when one run is left out",
        subtitle=[f"A dot for each of {counted(len(dots), 'run')}.", _shaded_words(fit, name, level)],
        description=f"{name} changes by {dots['percent'].min():.2g}% to {dots['percent'].max():.2g}%.",
    )


def most_moved(fit: Fit, table: pd.DataFrame) -> str:
    """The open exponent, or where there is none the open coefficient, that leaving out one run moves most."""
    exponents = [c.name for c in fit.law.coefficients if c.unit == "1" and c.name in fit.open]
    names = [name for name in exponents or fit.open if fit.coefficients[name]]
    return max(names, key=lambda name: float(np.abs(table[name] / fit.coefficients[name] - 1).max()))


def own_interval(fit: Fit, quantity: str, at: Place | None, level: float) -> tuple[float, float]:
    """The fit's own interval of a coefficient, or of the law at a place; NaN without draws."""
    if fit.draws is None:
        return math.nan, math.nan
    if quantity != "forecast":
        return fit.interval(quantity, level)
    inputs = {name: np.array([value]) for name, value in (at or ahead(fit)).items()}
    low, high = coefficient_band(fit, inputs, level)
    return float(low[0]), float(high[0])


def place_words(fit: Fit, at: Place | None = None) -> str:
    """Where a forecast is: "At 31.6M parameters, 949M tokens"."""
    place = at or ahead(fit)
    return "At " + ", ".join(_amount(fit.inputs[name], value) for name, value in place.items())


def choice_words(choice: str) -> str:
    """What a choice is called on a page.

    >>> choice_words("huber 0.001"), choice_words("lad"), choice_words("params, tokens as fitted")
    ('Huber, delta 0.001', 'absolute residuals', 'as fitted')
    """
    name, _, width = choice.partition(" ")
    if choice.endswith("as fitted"):
        return "as fitted"
    if name in _WIDE:
        return f"{_WIDE[name]}, delta {width}"
    return _CALLED.get(choice, choice.replace("_", " "))


_CHOICES = {"objective": "objective", "convention": "way of counting"}


def _near_floors(fit: Fit, table: pd.DataFrame) -> pd.DataFrame:
    """The floors worth showing: those far beyond what any level allows would squeeze the rest."""
    most = fit.objective_value + _SHOWN_RISE * allowed_rise(fit, LEVELS[-1])
    kept = table[table["objective_value"] <= most]
    return kept if len(kept) > 2 else table


def _shades(fit: Fit, table: pd.DataFrame) -> pd.DataFrame:
    """One row a level: the least and the greatest floor that it allows."""
    found = []
    for level in reversed(LEVELS):
        inside = table["E"][table["objective_value"] <= fit.objective_value + allowed_rise(fit, level)]
        found.append({"low": inside.min(), "high": inside.max(), "opacity": 0.1})
    return pd.DataFrame(found).dropna()


def _bands(spans: pd.DataFrame, axis: axes.Axis) -> marks.Layers:
    """Shaded over the whole height, from low to high."""
    return [
        alt.Chart(rows(spans.iloc[[place]]))
        .mark_rect(color=BLUE, opacity=float(spans["opacity"].iloc[place]))
        .encode(x=axis.x("low"), x2="high:Q")
        for place in range(len(spans))
    ]


def _flat_band(span: pd.DataFrame, axis: axes.Axis) -> marks.Layers:
    """Shaded over the whole width, from low to high."""
    if span.empty:
        return []
    return [alt.Chart(rows(span)).mark_rect(color=BLUE, opacity=0.14).encode(y=axis.y("low"), y2="high:Q")]


def _few(line: pd.DataFrame) -> pd.DataFrame:
    """About a dozen rows to point at."""
    return line.iloc[:: max(1, len(line) // 12)]


def _size(fit: Fit) -> tuple[str, Array]:
    """Compute where the runs have it, else the law's first input."""
    columns = {column: fit.data.inputs[name] for name, column in fit.inputs.items()}
    if "flops" not in columns and {"params", "tokens"} <= columns.keys():
        return "flops", np.asarray(6 * columns["params"] * columns["tokens"])
    column = "flops" if "flops" in columns else next(iter(columns))
    return column, columns[column]


def _require_quantity(table: pd.DataFrame, quantity: str) -> str:
    """The choice that the table is about: its first column."""
    if quantity not in table.columns[1:]:
        raise InputError(f"This table has no '{quantity}'; it has: {', '.join(table.columns[1:])}.")
    return str(table.columns[0])


def _forecast_title(fit: Fit) -> str:
    return f"forecast {axes.title(fit.output, fit.unit)}"


def _quantity_title(fit: Fit, quantity: str) -> str:
    if quantity == "forecast":
        return _forecast_title(fit)
    meaning = next(c for c in fit.law.coefficients if c.name == quantity)
    unit = "" if meaning.unit == "1" else f" ({meaning.unit})"
    return f"{quantity}: {meaning.meaning.partition(';')[0].partition(':')[0]}{unit}"


def _called(quantity: str) -> str:
    return "The forecast" if quantity == "forecast" else quantity


def _choice_place(fit: Fit, choice: str, quantity: str, at: Place | None) -> str:
    if quantity != "forecast":
        return f"{fit.law.name}, {counted(len(fit.data), 'run')}."
    if choice == "convention":
        return "At ten times the compute of the largest run, in each count."
    return f"{place_words(fit, at)}."


def _shaded_words(fit: Fit, quantity: str, level: float) -> str:
    if fit.draws is None:
        return "No interval because the fit has no draws."
    noise = ", without the noise of a single run" if quantity == "forecast" else ""
    return f"Shaded: the fit's own {100 * level:g}% interval{noise}."


def _range_words(dots: pd.DataFrame, quantity: str, choice: str) -> str:
    low, high = dots["value"].min(), dots["value"].max()
    return f"{_called(quantity)} is {low:.4g} to {high:.4g} by {choice}, over {counted(len(dots), 'choice')}."


def _levels() -> str:
    return ", ".join(f"{100 * level:g}" for level in LEVELS) + "%"


def _amount(column: str, value: float) -> str:
    shown = show_power(value) if column == "flops" else show_count(value)
    return f"{shown} {_PLACES.get(column, axes.words(column))}"
