"""Trades at equal loss: size against data around a plan, and what another size takes of the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.result import middle
from allometry.planning.result import Plan
from allometry.planning.sensitivity import Source
from allometry.planning.standings import Position, law_around
from allometry.planning.stocked import Stocked
from allometry.planning.surfaces import Surface
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, finish, rows, sizes_colour
from allometry.units import show_count, show_power

Array = NDArray[np.float64]
Ratio = Callable[[Array], Array]  # sizes over the best to tokens over the best, of shape (sizes, sets)

_LINE_POINTS = 240
_GRID = 300  # tokens looked at for each size, for the near-optimal band
_BUDGETS = (1e-2, 1e-1, 10.0, 100.0)  # times the plan's; the best loss of each is one contour
_DECADES = 1.6  # of size and of tokens that are shown on each side of the plan
_RATIOS = 8.0  # sizes over the best one are shown from one over this to this
_MOST = 30.0  # times the best; what costs more is cut off
_ROOM = 1.5  # around the run where it lies outside of that
_HALVINGS = 40
_CROWD = 40  # further sizes just above the least one
_FINE = 10  # times as many sizes for a line of equal loss, which ends in a wall
_CUT = 1e5  # times the most that is shown: stands for endless tokens
_TRADES = ("tokens D / D*", "compute C / C*")


def equal_loss_lines(plan: Plan, law: Source) -> alt.LayerChart:
    """Lines of equal loss over size and tokens, with the best path, the near-optimal sizes and the plan.

    Args:
        law: What the plan was made from.

    Raises:
        FitError: If the law is no floor plus a power of params plus a power of tokens.
    """
    size, data = (one.value * 10**_DECADES for one in (plan.params, plan.tokens))
    asked = plan.question
    surface = law_around(law, size, data, asked.unique_tokens, asked.weight).fitted()
    sizes = _around(plan.params.value)
    around = [float(surface.loss(*surface.best(times * plan.flops))[0]) for times in _BUDGETS]
    levels = sorted([*around, _predicted(surface, plan)], reverse=True)
    names = [f"{level:.4g}" for level in levels]
    lines = _contours(surface, sizes, levels, names, plan)
    across = axes.log_axis("params", sizes, axes.title("params", conventions=plan.conventions), pad=0)
    up = axes.log_axis("tokens", _around(plan.tokens.value), axes.title("tokens"), pad=0)
    colour = sizes_colour(names, f"predicted {plan.output.replace('_', ' ')} ({plan.loss.unit})")
    budget = pd.DataFrame({"x": sizes, "value": plan.flops / 6 / sizes})
    point = pd.DataFrame([{"x": plan.params.value, "value": plan.tokens.value}])
    path = _best_path(surface, plan)
    near = _near_band(surface, sizes, plan)
    return finish(
        [
            *marks.band(near, x=across.x(), low=up.y("low"), high="high", color=GREEN),
            *marks.lines(lines, x=across.x(), y=up.y(), color=colour),
            *marks.lines(path, x=across.x(), y=up.y(), color=INK, strokeWidth=1.5),
            *marks.lines(budget, x=across.x(), y=up.y(), color=MUTED, strokeDash=[6, 4]),
            *marks.diamonds(point, x=across.x(), y=up.y()),
        ],
        title="Size against data at equal loss",
        subtitle=[
            f"Diamond: the plan. Dashed: what {show_power(plan.flops)} FLOP can train.",
            f"Black: the best of each budget. Green: within {100 * plan.near.tolerance:g}% of it.",
            *_stock_words(surface),
        ],
        description=f"Lines of equal loss over parameters and tokens around {show_count(plan.params.value)} "
        f"parameters and {show_count(plan.tokens.value)} tokens.",
    )  # fmt: skip


def trade_at_equal_loss(run: Plan | Position, law: Source) -> alt.LayerChart:
    """What a size other than the best takes in tokens and compute for the loss of a plan or a public model.

    Args:
        run: A plan, or where a run stands, from `standing`.
        law: What the plan was made from, or what the run is judged by.

    Raises:
        FitError: If the law is no floor plus a power of params plus a power of tokens.
    """
    size, data, name = _run(run)
    ratio, params, tokens, floor = _trade_around(run, law)
    x, d, shaded = size / params, data / tokens, _band_words(ratio, run.level)
    sides = min(1 / _RATIOS, x / _ROOM), max(_RATIOS, x * _ROOM)
    most = max(_MOST, d * _ROOM, x * d * _ROOM)
    trade = _trade(ratio, run.level, _sizes(sides, floor), most)
    across = axes.log_axis("ratio", list(sides), "parameters over the best number, N / N*", pad=0).x()
    up = axes.log_axis("ratio", [min(0.4, d / _ROOM), most], "of what the best size takes", pad=0)
    scale = alt.Scale(domain=list(_TRADES), range=[ORANGE, BLUE])
    colour = alt.Color("series:N", scale=scale, legend=alt.Legend(title=None))
    here = pd.DataFrame({"x": [x, x], "value": [d, x * d]})
    return finish(
        [
            *_no_go(floor, sides[0], across),
            *marks.level_line(1.0, up.y()),
            *marks.band(trade, x=across, low=up.y("low"), high="high", color=colour),
            *marks.lines(trade, x=across, y=up.y(), color=colour),
            *marks.diamonds(here, x=across, y=up.y()),
        ],
        title="The same loss with another size: what it takes of the others",
        subtitle=[
            f"N* is {show_count(params)} parameters, D* {show_count(tokens)} tokens. {_trade_words(ratio)}",
            f"Diamonds: {name}. Grey: below {floor:.2g} N* no data is enough. {shaded}",
            *_stock_words(_law_around(run, law)),
        ],
        description=f"Tokens and compute for an equal loss against size. {_trade_words(ratio)}",
    )


def _run(run: Plan | Position) -> tuple[float, float, str]:
    """Size, tokens, and what to call it."""
    if isinstance(run, Plan):
        return run.params.value, run.tokens.value, "the plan"
    return run.params, run.tokens, f"{show_count(run.params)} on {show_count(run.tokens)} tokens"


def _law_around(run: Plan | Position, law: Source) -> Surface | Stocked:
    """The law, with the stock of unique tokens where that is a limit."""
    size, data, _ = _run(run)
    weight = run.question.weight if isinstance(run, Plan) else 1.0
    return law_around(law, size, data, _stock(run), weight)


def _stock(run: Plan | Position) -> float | None:
    return run.question.unique_tokens if isinstance(run, Plan) else run.unique_tokens


def _stock_words(law: Surface | Stocked) -> list[str]:
    return [f"Only {show_count(law.stock)} tokens are unique."] if isinstance(law, Stocked) else []


def _trade_around(run: Plan | Position, law: Source) -> tuple[Ratio, float, float, float]:
    """Tokens over the best by size over the best; the best size and tokens; the least size over the best."""
    size, data, _ = _run(run)
    around = _law_around(run, law)
    reached = around.loss(size, data)
    params, tokens = around.cheapest(reached)
    if isinstance(around, Surface):
        floor, ratio = _floor(around), partial(_tokens_ratio, around)
    else:
        ratio = partial(_repeated_ratio, around, reached, params, tokens)
        floor = _first_finite(partial(_repeated_ratio, around.fitted(), reached[:1], params[:1], tokens[:1]))
    return ratio, float(params[0]), float(tokens[0]), float(floor[0])


def _repeated_ratio(law: Stocked, reached: Array, params: Array, tokens: Array, ratios: Array) -> Array:
    """As `_tokens_ratio`, where tokens beyond a stock are repeats."""
    return np.stack([law.tokens_for(reached, ratio * params) / tokens for ratio in ratios])


def _first_finite(ratio: Ratio) -> Array:
    """The least size over the best that reaches the loss, of shape (1,)."""
    low, high = -10.0, 0.0  # of the logarithm
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        low, high = (low, half) if np.isfinite(ratio(np.exp([half]))[0, 0]) else (half, high)
    return np.exp([high])


def _predicted(surface: Surface | Stocked, plan: Plan) -> float:
    return float(surface.loss(plan.params.value, plan.tokens.value)[0])


def _around(value: float) -> Array:
    return np.geomspace(value * 10**-_DECADES, value * 10**_DECADES, _LINE_POINTS)


def _contours(
    surface: Surface | Stocked, sizes: Array, levels: list[float], names: list[str], plan: Plan
) -> pd.DataFrame:
    low, high = plan.tokens.value * 10**-_DECADES, plan.tokens.value * 10**_DECADES
    fine, parts = np.geomspace(sizes[0], sizes[-1], _FINE * len(sizes)), []
    for level, name in zip(levels, names, strict=True):
        tokens = surface.tokens_for(level, fine)
        # A little beyond the edge, so that lines are cut there and do not end before it.
        seen = (tokens > low / 3) & (tokens < high * 3)
        parts.append(pd.DataFrame({"series": name, "x": fine[seen], "value": tokens[seen]}))
    return pd.concat(parts, ignore_index=True)


def _best_path(surface: Surface | Stocked, plan: Plan) -> pd.DataFrame:
    budgets = plan.flops * np.geomspace(10 ** (-2 * _DECADES), 10 ** (2 * _DECADES), _LINE_POINTS)
    params, tokens = surface.best(budgets)
    return pd.DataFrame({"x": params, "value": tokens})


def _near_band(surface: Surface | Stocked, sizes: Array, plan: Plan) -> pd.DataFrame:
    """For each size the tokens with which it is almost the best of their budget."""
    tokens = np.geomspace(plan.tokens.value * 10**-_DECADES, plan.tokens.value * 10**_DECADES, _GRID)
    loss = surface.loss(sizes[:, None], tokens[None, :])
    budgets = 6 * np.geomspace(sizes[0] * tokens[0], sizes[-1] * tokens[-1], _GRID)
    lowest = surface.loss(*surface.best(budgets))
    least = np.interp(np.log(6 * sizes[:, None] * tokens[None, :]), np.log(budgets), lowest)
    near = loss <= (1 + plan.near.tolerance) * least
    found = [
        (n, tokens[row].min(), tokens[row].max()) for n, row in zip(sizes, near, strict=True) if row.any()
    ]
    return pd.DataFrame(found, columns=["x", "low", "high"])


def _sizes(sides: tuple[float, float], floor: float) -> Array:
    """Sizes over the best, crowded where the curves rise without end."""
    crowded = floor * (1 + np.geomspace(1e-9, 0.1, _CROWD))
    inside = crowded[(crowded > sides[0]) & (crowded < sides[1])]
    return np.sort(np.append(np.geomspace(*sides, _LINE_POINTS), inside))


def _trade(ratio: Ratio, level: float, ratios: Array, most: float) -> pd.DataFrame:
    parts = []
    tokens = ratio(ratios)
    for series, needed in zip(_TRADES, (tokens, tokens * ratios[:, None]), strict=True):
        drawn = np.minimum(needed, _CUT * most)
        known = drawn.shape[1] > 1
        low, high = middle(drawn[:, 1:], level, axis=1) if known else (np.nan, np.nan)
        part = pd.DataFrame({"series": series, "x": ratios, "value": drawn[:, 0], "low": low, "high": high})
        parts.append(part[part["value"] < 3 * most])
    return pd.concat(parts, ignore_index=True)


def _tokens_ratio(surface: Surface, ratios: Array) -> Array:
    """((1 - v x^-alpha) / (1 - v))^(-1 / beta), of shape (ratios, sets); infinite under the floor."""
    share = surface.size_share
    left = (1 - share * ratios[:, None] ** -surface.alpha) / (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(left > 0, left ** (-1 / surface.beta), np.inf))


def _floor(surface: Surface) -> Array:
    return np.asarray(surface.size_share ** (1 / surface.alpha))


def _no_go(floor: float, left: float, across: alt.X) -> marks.Layers:
    """Sizes that no amount of data brings to the loss."""
    if floor <= left:
        return []
    table = pd.DataFrame({"x": [left], "x2": [floor]})
    return [
        alt.Chart(rows(table)).mark_rect(color=MUTED, opacity=0.22, clip=True).encode(x=across, x2="x2:Q")
    ]


def _trade_words(ratio: Ratio) -> str:
    half, double = (float((ratio(np.array([size])) * size)[0, 0]) for size in (0.5, 2.0))
    if not np.isfinite(half):
        return f"Half the size is not enough; twice costs {double:.3g} times the compute."
    return f"Half the size costs {half:.3g} times the compute, twice {double:.3g} times."


def _band_words(ratio: Ratio, level: float) -> str:
    drawn = ratio(np.ones(1)).shape[1] > 1
    return f"Shaded: {100 * level:g}% of the draws." if drawn else "No ranges: no draws."
