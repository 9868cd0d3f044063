"""Trades at equal loss: size against data around a plan, and what another size takes of the others."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allometry.fitting.result import middle
from allometry.planning.basis import basis_of
from allometry.planning.result import Plan
from allometry.planning.sensitivity import Source
from allometry.planning.surfaces import Surface
from allometry.planning.triangle import Position
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, INK, MUTED, ORANGE, finish, rows, sizes_colour
from allometry.units import show_count, show_power

Array = NDArray[np.float64]

_LINE_POINTS = 240
_GRID = 300  # tokens looked at for each size, for the near-optimal band
_BUDGETS = (1e-2, 1e-1, 10.0, 100.0)  # times the plan's; the best loss of each is one contour
_DECADES = 1.6  # of size and of tokens that are shown on each side of the plan
_RATIOS = 8.0  # sizes over the best one are shown from one over this to this
_MOST = 30.0  # times the best; what costs more is cut off
_ROOM = 1.5  # around the run where it lies outside of that
_CUT = 1e5  # times the most that is shown: stands for endless tokens
_TRADES = ("tokens D / D*", "compute C / C*")


def equal_loss_lines(plan: Plan, law: Source) -> alt.LayerChart:
    """Lines of equal loss over size and tokens, with the best path, the near-optimal sizes and the plan.

    Args:
        law: What the plan was made from.

    Raises:
        FitError: If the law is no floor plus a power of params plus a power of tokens.
    """
    surface = _fitted(basis_of(law).surface())
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
    surface = basis_of(law).surface()
    size, data, name = _run(run)
    reached = float(surface.loss(size, data)[0])
    params, tokens = (float(one[0]) for one in surface.cheapest(reached))
    x, d, shaded = size / params, data / tokens, _band_words(surface, run.level)
    sides = min(1 / _RATIOS, x / _ROOM), max(_RATIOS, x * _ROOM)
    most = max(_MOST, d * _ROOM, x * d * _ROOM)
    trade = _trade(surface, run.level, sides, most)
    floor = float(_floor(surface)[0])
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
            f"N* is {show_count(params)} parameters, D* {show_count(tokens)} tokens. {_trade_words(surface)}",
            f"Diamonds: {name}. Grey: below {floor:.2g} N* no data is enough. {shaded}",
        ],
        description=f"Tokens and compute for an equal loss against size. {_trade_words(surface)}",
    )


def _run(run: Plan | Position) -> tuple[float, float, str]:
    """Size, tokens, and what to call it."""
    if isinstance(run, Plan):
        return run.params.value, run.tokens.value, "the plan"
    return run.params, run.tokens, f"{show_count(run.params)} on {show_count(run.tokens)} tokens"


def _fitted(surface: Surface) -> Surface:
    """The surface without its draws."""
    first = (one[:1] for one in (surface.E, surface.A, surface.B, surface.alpha, surface.beta))
    E, A, B, alpha, beta = first
    return Surface(E=E, A=A, B=B, alpha=alpha, beta=beta, unit=surface.unit, name=surface.name)


def _predicted(surface: Surface, plan: Plan) -> float:
    return float(surface.loss(plan.params.value, plan.tokens.value)[0])


def _around(value: float) -> Array:
    return np.geomspace(value * 10**-_DECADES, value * 10**_DECADES, _LINE_POINTS)


def _contours(
    surface: Surface, sizes: Array, levels: list[float], names: list[str], plan: Plan
) -> pd.DataFrame:
    low, high = plan.tokens.value * 10**-_DECADES, plan.tokens.value * 10**_DECADES
    parts = []
    for level, name in zip(levels, names, strict=True):
        tokens = surface.tokens_for(level, sizes)
        # A little beyond the edge, so that lines are cut there and do not end before it.
        seen = (tokens > low / 3) & (tokens < high * 3)
        parts.append(pd.DataFrame({"series": name, "x": sizes[seen], "value": tokens[seen]}))
    return pd.concat(parts, ignore_index=True)


def _best_path(surface: Surface, plan: Plan) -> pd.DataFrame:
    budgets = plan.flops * np.geomspace(10 ** (-2 * _DECADES), 10 ** (2 * _DECADES), _LINE_POINTS)
    params, tokens = surface.best(budgets)
    return pd.DataFrame({"x": params, "value": tokens})


def _near_band(surface: Surface, sizes: Array, plan: Plan) -> pd.DataFrame:
    """For each size the tokens with which it is almost the best of their budget."""
    tokens = np.geomspace(plan.tokens.value * 10**-_DECADES, plan.tokens.value * 10**_DECADES, _GRID)
    loss = surface.loss(sizes[:, None], tokens[None, :])
    least = surface.loss(*surface.best((6 * sizes[:, None] * tokens[None, :]).ravel())).reshape(loss.shape)
    near = loss <= (1 + plan.near.tolerance) * least
    found = [
        (n, tokens[row].min(), tokens[row].max()) for n, row in zip(sizes, near, strict=True) if row.any()
    ]
    return pd.DataFrame(found, columns=["x", "low", "high"])


def _trade(surface: Surface, level: float, sides: tuple[float, float], most: float) -> pd.DataFrame:
    ratios = np.geomspace(*sides, 2 * _LINE_POINTS)
    parts = []
    tokens = _tokens_ratio(surface, ratios)
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


def _trade_words(surface: Surface) -> str:
    half, double = (float((_tokens_ratio(surface, np.array([ratio])) * ratio)[0, 0]) for ratio in (0.5, 2.0))
    if not np.isfinite(half):
        return f"Half the size is not enough; twice costs {double:.3g} times the compute."
    return f"Half the size costs {half:.3g} times the compute, twice {double:.3g} times."


def _band_words(surface: Surface, level: float) -> str:
    return f"Shaded: {100 * level:g}% of the draws." if len(surface.E) > 1 else "No ranges: no draws."
