"""Charts of repeated attempts: pass@k and its forecast, accuracy against tokens, ways to one score."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from allometry.capabilities.attempts.forecasting import LINE, PassForecast
from allometry.capabilities.exchange import ExchangeCurve
from allometry.capabilities.thinking import ThinkingFit
from allometry.capabilities.verifiers import VerifierCurve
from allometry.capabilities.voting import VoteCurve
from allometry.plots import axes, marks
from allometry.plots.theme import BLUE, GREEN, ORANGE, counted, finish


def pass_against_attempts(forecast: PassForecast) -> alt.LayerChart:
    """pass@k as measured and as forecast, with what each form says at the largest k."""
    measured = pd.DataFrame({"x": list(forecast.measured), "value": list(forecast.measured.values())})
    last = measured.iloc[-1]
    ahead = pd.DataFrame(
        {"x": forecast.k, "value": forecast.median, "low": forecast.low, "high": forecast.high}
    )
    start = pd.DataFrame(
        [{"x": last["x"], "value": last["value"], "low": last["value"], "high": last["value"]}]
    )
    ahead = pd.concat([start, ahead], ignore_index=True)
    forms = pd.DataFrame(
        [{"x": forecast.k[-1], "value": one.median, "form": name} for name, one in forecast.forms.items()]
    )
    across = axes.log_axis(
        "attempts", [*measured["x"], *ahead["x"]], "attempts k at each problem", most=7
    ).x()
    up = axes.plain_axis([0.0, 1.0], "pass@k")
    tips = {"x": "attempts", "value": "pass@k"}
    return finish(
        [
            *marks.band(ahead, x=across, low=up.y("low"), high="high", color=BLUE),
            *marks.lines(ahead, x=across, y=up.y(), color=BLUE),
            *marks.dots(measured, x=across, y=up.y(), color=BLUE, tips=tips),
            *marks.rings(forms, x=across, y=up.y(), color=ORANGE, size=60, tips={"form": "form", **tips}),
        ],
        title="Problems solved by repeated attempts",
        subtitle=[
            f"{counted(forecast.count, 'problem')}, {forecast.attempts} attempts at each: dots, unbiased.",
            f"Line and shade: forecast, {forecast.level:.0%} interval. Rings: each form by itself.",
        ],
        description=forecast_words(forecast),
    )


def forecast_words(forecast: PassForecast) -> str:
    """The forecast at the largest k in one sentence."""
    line = forecast.forms[LINE]
    return (
        f"pass@{forecast.k[-1]} is forecast at {forecast.median[-1]:.2f}, {forecast.level:.0%} interval "
        f"{forecast.low[-1]:.2f} to {forecast.high[-1]:.2f}; the log-log line alone says {line.median:.2f}."
    )


def accuracy_against_tokens(fitted: ThinkingFit) -> alt.LayerChart:
    """Accuracy against tokens thought, with the line and the plateau if there is one."""
    points = fitted.points.rename(columns={"tokens": "x", "accuracy": "value"})
    xs = np.geomspace(points["x"].min(), points["x"].max(), 200)
    line = pd.DataFrame({"x": xs, "value": fitted.predict(xs)})
    across = axes.log_axis("tokens", points["x"], "tokens thought", most=6).x()
    up = axes.plain_axis([0.0, *points["value"], *line["value"]], "accuracy").y()
    gain, ends = fitted.gain, f"{100 * fitted.gain.low:+.1f} to {100 * fitted.gain.high:+.1f}"
    said = f"{100 * gain.value:+.1f} points a doubling ({fitted.level:.0%}: {ends})"
    return finish(
        [
            *marks.lines(line, x=across, y=up, color=BLUE),
            *marks.dots(points, x=across, y=up, color=BLUE, tips={"x": "tokens", "value": "accuracy"}),
        ],
        title="Accuracy against tokens thought",
        subtitle=[f"{said}, {counted(len(points), 'measurement')}"],
        description=fitted.summary().splitlines()[0] + ".",
    )


def votes_against_answers(curve: VoteCurve) -> alt.LayerChart:
    """Accuracy of a vote by the number of answers, with the end of the vote and that of a perfect chooser."""
    table = curve.table.rename(columns={"k": "x", "accuracy": "value"})
    error = table["standard_error"].fillna(0.0)
    table = table.assign(low=(table["value"] - error).clip(0), high=(table["value"] + error).clip(upper=1))
    kind = "weighted vote" if curve.weighted else "majority vote"
    ends = {
        f"where the vote ends: {curve.limit:.3f}": curve.limit,
        f"where a perfect chooser ends: {curve.coverage_limit:.3f}": curve.coverage_limit,
    }
    across = axes.log_axis("answers", table["x"], "answers k to each problem", most=6).x()
    up = axes.plain_axis([0.0, 1.0], "share of problems")
    colour = _series([kind, *ends], [BLUE, ORANGE, GREEN])
    span = [float(table["x"].min()), float(table["x"].max())]
    flat = [pd.DataFrame({"series": name, "x": span, "value": end}) for name, end in ends.items()]
    rising = table.assign(series=kind)
    tips = {"x": "answers", "value": "accuracy", "standard_error": "standard error"}
    return finish(
        [
            *marks.lines(pd.concat(flat), x=across, y=up.y(), color=colour, strokeDash=[6, 4]),
            *marks.bars(rising, x=across, y=up.y("low"), y2="high", color=colour, strokeWidth=1.6),
            *marks.lines(rising, x=across, y=up.y(), color=colour),
            *marks.dots(rising, x=across, y=up.y(), color=colour, tips=tips),
        ],
        title=f"What a {kind} gets right",
        subtitle=["Bars: one standard error, over problems.", curve.summary().splitlines()[-1]],
        description=" ".join(line.strip() for line in curve.summary().splitlines()),
    )


def best_of_many(curve: VerifierCurve) -> alt.LayerChart:
    """The best of n by a verifier that errs, beside one that never does, and the one answer they begin at."""
    names = {"best_of_n": f"verifier of area {curve.auc:g}", "pass_at_n": "one that never errs (pass@n)"}
    n = curve.table["n"]
    parts = [
        pd.DataFrame({"series": said, "x": n, "value": curve.table[name]}) for name, said in names.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    across = axes.log_axis("answers", n, "answers n to choose from", most=7).x()
    up = axes.plain_axis([0.0, 1.0], "chance that the chosen one is right")
    colour = _series(list(names.values()), [BLUE, ORANGE])
    last = curve.table.iloc[-1]
    said = f"The best of {last['n']:,.0f} is right with chance {last['best_of_n']:.2f}"
    return finish(
        [
            *marks.level_line(curve.chance, up.y()),
            *marks.lines(table, x=across, y=up.y(), color=colour),
            *marks.dots(table, x=across, y=up.y(), color=colour, tips={"x": "n", "value": "chance"}),
        ],
        title="What choosing the best of n brings",
        subtitle=[
            f"{said}; one answer, dashed, with {curve.chance:g}.",
            "The most that a verifier of this area can bring: real ones repeat their errors on a problem.",
        ],
        description=f"{said}, by a verifier of area {curve.auc:g}; one answer with {curve.chance:g}.",
    )


def _series(names: list[str], colours: list[str]) -> alt.Color:
    scale = alt.Scale(domain=names, range=colours)
    return alt.Color("series:N", scale=scale, sort=names, legend=alt.Legend(title=None, labelLimit=320))


def training_against_attempts(curve: ExchangeCurve) -> alt.LayerChart:
    """Training compute that reaches one score, by the number of attempts."""
    table = pd.DataFrame(
        {"x": curve.k, "value": curve.train, "low": curve.train_low, "high": curve.train_high}
    )
    reached = np.isfinite(table.to_numpy()).all(axis=1)
    said = [f"The more attempts, the less training. Shaded: {curve.level:.0%} of the draws."]
    if not reached.all():
        said.append(
            f"No training is sure to reach it at k = {', '.join(f'{k:g}' for k in curve.k[~reached])}."
        )
    table = table.loc[reached]
    across = axes.log_axis("attempts", curve.k, "attempts k at each problem", most=6).x()
    ends = [*table["low"], *table["high"], *table["value"]]
    up = axes.log_axis("flops", ends, "training compute C (FLOP)", most=6)
    return finish(
        [
            *marks.band(table, x=across, low=up.y("low"), high="high", color=BLUE),
            *marks.lines(table, x=across, y=up.y(), color=BLUE),
            *marks.dots(table, x=across, y=up.y(), color=BLUE, tips={"x": "attempts", "value": "FLOP"}),
        ],
        title=f"Ways to a pass@k of {curve.score:g}",
        subtitle=said,
        description=curve.summary().splitlines()[-1].strip() + ".",
    )
